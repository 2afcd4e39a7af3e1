"""How much the rows of a population depend on each other, by its reference and its groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.recent_groups import RecentGroups
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.reference.reference import Reference
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.distance import Table

_ALL_ROWS = 1e15  # more than any stretch has


class Grouping(NamedTuple):
    """The declared groups of rows.

    column: the column with the group of each row; None if live rows have no such column. size: the
    mean size of a row's group in the reference. is_measured: whether the dependence within groups
    was measured in the reference; otherwise a group counts as one row.
    """

    column: str | None
    size: float
    is_measured: bool


def find_grouping(reference: Reference | None, column: str | None) -> Grouping | None:
    """Return the grouping of a monitor's rows; None if there are no groups.

    column: as declared for the monitor; by default that of the reference.
    """
    grouped = None if reference is None else reference.content.grouped
    if grouped is None:
        return None if column is None else Grouping(column, 1.0, is_measured=False)
    return Grouping(column or grouped.field, grouped.size, is_measured=True)


def find_group_column(reference: Reference | None, column: str | None) -> str | None:
    """Return the column that names the group of a row; None if there are no groups."""
    grouping = find_grouping(reference, column)
    return None if grouping is None else grouping.column


def design_effects(
    entries: Sequence[CountedEntry], grouping: Grouping | None, groups: RecentGroups | None
) -> DesignEffects | None:
    """Return the design effects of some fields; None if their rows are independent."""
    correlations = np.zeros(len(entries))
    if grouping is not None:
        correlations += [
            1.0 if not grouping.is_measured or e.dependence is None else e.dependence.correlation
            for e in entries
        ]
    curves = [([1.0], [1.0]) if e.dependence is None else _read_curve(e) for e in entries]
    if not correlations.any() and all(max(effects) <= 1 for _, effects in curves):
        return None
    longest = max(rows[-1] for rows, _ in curves)
    lengths: Floats = np.exp2(np.arange(int(np.ceil(np.log2(longest))) + 1, dtype=np.float64))
    return DesignEffects(
        lengths,
        np.array([_interpolate(lengths, rows, effects) for rows, effects in curves]),
        correlations,
        group_size=None if groups is None else groups.mean_size,
        reference_group_size=1.0 if grouping is None else grouping.size,
    )


def is_dependence_known(entries: Sequence[CountedEntry], grouping: Grouping | None) -> Mask:
    """Whether it is known how strongly the rows of each field depend on each other, `[fields]`.

    It is known if the reference's rows have groups, times on enough days, or an order that shows
    dependence. Rows that look independent may simply have been shuffled.
    """
    is_grouped = grouping is not None and grouping.is_measured
    return np.array(
        [
            is_grouped or (e.dependence is not None and e.dependence.is_resolved and _is_seen(e))
            for e in entries
        ],
        np.bool_,
    )


def _is_seen(entry: CountedEntry) -> bool:
    dependence = entry.dependence
    return dependence is not None and (dependence.dates > 0 or dependence.effects[-1] > 1)


def _read_curve(entry: CountedEntry) -> tuple[list[float], list[float]]:
    assert entry.dependence is not None  # noqa: S101 - the caller has checked
    return entry.dependence.rows, entry.dependence.effects


def _interpolate(lengths: Floats, rows: Sequence[float], effects: Sequence[float]) -> Floats:
    logarithms: Floats = np.interp(np.log(lengths), np.log(rows), np.log(effects))
    return np.exp(logarithms)


class EffectiveCounts:
    """Divides counts by the design effects of their rows.

    The result has the same uncertainty as counts of independent rows.
    """

    __slots__ = ("_is_known", "dependence")

    def __init__(
        self, dependence: DesignEffects | None = None, is_known: Mask | None = None
    ) -> None:
        self.dependence: DesignEffects | None = dependence
        self._is_known = is_known

    def is_known(self, place: int) -> bool:
        """Whether the dependence between rows of the field at `place` is known."""
        return self._is_known is None or bool(self._is_known[place])

    def select(self, fields: Counts) -> "EffectiveCounts":
        """Return the effective counts of some fields, given their indices."""
        is_known = None if self._is_known is None else self._is_known[fields]
        dependence = None if self.dependence is None else self.dependence.select(fields)
        return EffectiveCounts(dependence, is_known)

    def at(self, counts: Table) -> Floats:
        """The design effect of counts of the newest rows, `[fields]`."""
        rows: Counts = counts.sum(axis=1)
        return np.ones(len(counts)) if self.dependence is None else self.dependence.at(rows)

    def at_reference(self, rows: Counts) -> Floats:
        """The design effect of this many rows of the reference, `[fields]`."""
        return np.ones(len(rows)) if self.dependence is None else self.dependence.at_reference(rows)

    def current(self, counts: Counts) -> Table:
        """Effective counts of the newest rows, `[fields, bins]`."""
        return counts if self.dependence is None else counts / self.at(counts)[:, None]

    def expected(self, expected: Table) -> Table:
        """Effective counts of the reference, or of a part of it."""
        if self.dependence is None:
            return expected
        effects = self.dependence.at_reference(expected.sum(axis=1))
        effective: Floats = expected / effects[:, None]
        return effective


INDEPENDENT = EffectiveCounts()
"""For independent rows: counts are left unchanged."""


def effective_rows(recent: FieldProfile, dependence: DesignEffects | None) -> Floats:
    """Return how many independent rows the values of each field in a window are worth."""
    rows = recent.quality.sum(axis=1).astype(np.float64)
    effective: Floats = rows if dependence is None else rows / dependence.at(rows)
    return effective


def limit_effects(fields: int, dependence: DesignEffects | None) -> Floats:
    """Return the design effect that each field approaches in long stretches of rows."""
    return np.ones(fields) if dependence is None else dependence.at(np.full(fields, _ALL_ROWS))
