"""Find the differences between two references, in the training and in every field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mlmonitor.formats.reference import (
    CategoricalReference,
    CountedEntry,
    NumericReference,
    counted,
)
from mlmonitor.records import Floats
from mlmonitor.reference.reference import Reference
from mlmonitor.stats.distance import psi

FieldChange = Literal["added", "removed", "kind", "moved", "same"]


@dataclass(frozen=True)
class FieldDifference:
    """A field in the first and in the second reference.

    change: `added`, `removed`, `kind` if the kinds differ, `moved` if the PSI exceeds the
    tolerance, or `same`.
    psi: the PSI of the second reference against the first, over the bins of the first; None if the
    field cannot be compared.
    mean, stddev, missing: pairs of the values in the first and second reference; `missing` is the
    share of missing values.
    """

    name: str
    role: str
    kind: str
    change: FieldChange
    psi: float | None
    mean: tuple[float | None, float | None]
    stddev: tuple[float | None, float | None]
    missing: tuple[float | None, float | None]


@dataclass(frozen=True)
class ReferenceDifference:
    """The differences between two references.

    facts: pairs of values by name, for the facts about the training that differ. fields: all
    fields, including those that do not differ.
    """

    facts: Mapping[str, tuple[Any, Any]]
    fields: tuple[FieldDifference, ...]

    @property
    def has_changed(self) -> bool:
        """Whether any field was added or removed, has another kind, or moved."""
        return any(field.change != "same" for field in self.fields)


def compare_references(
    first: Reference, second: Reference, *, tolerance: float = 0.1
) -> ReferenceDifference:
    """Compare two references; a field has moved if its PSI exceeds the tolerance."""
    before, after = _by_identity(first), _by_identity(second)
    identities = dict.fromkeys([*before, *after])
    return ReferenceDifference(
        _compare_facts(first, second),
        tuple(
            _compare_field(before.get(identity), after.get(identity), tolerance)
            for identity in identities
        ),
    )


def _by_identity(reference: Reference) -> dict[tuple[str, str], CountedEntry]:
    return {(entry.role, entry.name): entry for entry in counted(reference.content.fields)}


def _compare_facts(first: Reference, second: Reference) -> dict[str, tuple[Any, Any]]:
    """Return the facts about the training that differ, as pairs by name."""
    facts = [_list_facts(reference) for reference in (first, second)]
    names = dict.fromkeys([*facts[0], *facts[1]])
    pairs = {name: (facts[0].get(name), facts[1].get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _list_facts(reference: Reference) -> dict[str, Any]:
    content = reference.content
    facts: dict[str, Any] = {
        "rows": content.rows,
        "trained_at": None if content.trained_at is None else content.trained_at.isoformat(),
        "training_seconds": content.training_seconds,
        "training_rows": content.training_rows,
        "parent_version": content.parent_version,
        "segments": ", ".join(content.segmented_by) or None,
        "season": content.season,
    }
    named = (
        ("training_metrics", content.training_metrics),
        ("importances", content.importances),
        ("attributions", content.attributions),
    )
    for what, figures in named:
        facts |= {f"{what}.{name}": value for name, value in figures.items()}
    return facts


def _compare_field(
    before: CountedEntry | None, after: CountedEntry | None, tolerance: float
) -> FieldDifference:
    entry = before or after
    assert entry is not None  # noqa: S101 - one of the two has the field
    distance, change = None, _find_change(before, after)
    if change == "same" and before is not None and after is not None:
        distance = _measure_shift(before, after)
        is_moved = distance is not None and distance > tolerance
        change = "moved" if is_moved and not before.is_unrepeated else "same"
    kind = entry.kind if change != "kind" or after is None else f"{entry.kind} to {after.kind}"
    pair = before, after
    return FieldDifference(
        name=entry.name,
        role=entry.role,
        kind=kind,
        change=change,
        psi=distance,
        mean=(_get_moment(pair[0], "mean"), _get_moment(pair[1], "mean")),
        stddev=(_get_moment(pair[0], "stddev"), _get_moment(pair[1], "stddev")),
        missing=(_compute_missing_share(pair[0]), _compute_missing_share(pair[1])),
    )


def _find_change(before: CountedEntry | None, after: CountedEntry | None) -> FieldChange:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "same" if before.kind == after.kind else "kind"


def _get_moment(entry: CountedEntry | None, name: str) -> float | None:
    value: float | None = getattr(entry, name, None)
    return value


def _compute_missing_share(entry: CountedEntry | None) -> float | None:
    return None if entry is None or not entry.rows else entry.missing / entry.rows


def _measure_shift(before: CountedEntry, after: CountedEntry) -> float | None:
    """Return the PSI over the bins of `before`; None if either entry has no values."""
    if isinstance(before, NumericReference) and isinstance(after, NumericReference):
        current = _rebin(after, np.array(before.edges, np.float64))
        expected = np.array(before.expected, np.float64)
    elif isinstance(before, CategoricalReference) and isinstance(after, CategoricalReference):
        expected, current = _align(before, after)
    else:
        return None
    distance = float(psi(expected[None, :], current[None, :])[0])
    return distance if np.isfinite(distance) else None


def _rebin(entry: NumericReference, edges: Floats) -> Floats:
    """Estimate the counts of an entry over other bins; the last count is that of missing values.

    Counts are exact at edges that are also edges of the entry; between them, its quantiles are
    interpolated.
    """
    if np.array_equal(entry.edges, edges):  # its own edges: exact counts
        return np.array(entry.expected, np.float64)
    rows = sum(entry.counts)
    if not rows or entry.min is None or entry.max is None:
        return np.array([*np.zeros(len(edges) + 1), entry.missing])
    quantiles = np.array(entry.quantiles, np.float64)
    ranks = np.linspace(0, 1, len(quantiles))
    own = np.array(entry.edges, np.float64)
    cumulative = np.cumsum(entry.counts)[:-1] / rows
    values = np.concatenate([quantiles, own, [entry.min, entry.max]])
    shares = np.concatenate([ranks, cumulative, [0.0, 1.0]])
    points = np.unique(values)
    heights = np.zeros(len(points))
    np.maximum.at(heights, np.searchsorted(points, values), shares)
    heights[np.isin(points, own)] = cumulative[np.isin(own, points)]  # these are exact
    heights = np.maximum.accumulate(heights)
    below = np.interp(edges, points, heights, left=0.0, right=1.0)
    counts = np.diff(np.concatenate([[0.0], below, [1.0]])) * rows
    return np.array([*np.maximum(counts, 0.0), entry.missing])


def _align(before: CategoricalReference, after: CategoricalReference) -> tuple[Floats, Floats]:
    """Return the counts of both entries: of each category in either, of others, and of missing."""
    tables = [dict(zip(e.categories, e.counts, strict=False)) for e in (before, after)]
    names = dict.fromkeys([*before.categories, *after.categories])
    aligned = [
        np.array([*(t.get(name, 0) for name in names), e.counts[-1], e.missing], np.float64)
        for t, e in zip(tables, (before, after), strict=True)
    ]
    return aligned[0], aligned[1]
