"""The status of one field over the window."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.sketches.heavy_hitters import Hitter
from mlmonitor.by_name import describe_unknown, name_entries
from mlmonitor.compare.drift.new_names import shown_hitters
from mlmonitor.compare.population_snapshot import STATUS_QUANTILES, PopulationSnapshot
from mlmonitor.errors import UnknownName
from mlmonitor.formats.reference import QUANTILE_POINTS, CategoricalReference, NumericReference
from mlmonitor.records import QUALITIES, Field, Floats, Kind, Quality, Role
from mlmonitor.stats.mmd import MMD

MOVED_PSI = 0.1
"""A field has moved if its PSI exceeds this value and its threshold."""

_POINTS = {q: round(q * (QUANTILE_POINTS - 1)) for q in STATUS_QUANTILES}
"""The index of each quantile of a status among the quantiles of a reference."""

_SHOWN_HITTERS = 5


@dataclass(frozen=True)
class TrainingStats:
    """Statistics of a field in the reference, for comparison with the live statistics.

    quantiles: the quantiles at the ranks in `STATUS_QUANTILES`. distinct: number of categories of a
    categorical field. missing: share of missing and unreadable values. accepted_at: when a live
    window was accepted as the field's baseline; None if the baseline is the training data.
    """

    rows: int
    missing: float
    mean: float | None = None
    stddev: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict, repr=False)
    distinct: float | None = None
    accepted_at: datetime | None = None

    def __post_init__(self) -> None:
        name_entries(self, {"quantiles": "quantile"})


_NOUNS = {"quality": "quality", "window_quality": "quality", "quantiles": "quantile"}
_NOUNS |= {"scores": "measure", "thresholds": "measure"}


@dataclass(frozen=True)
class FieldStatus:
    """One field over the window. A number is None if it cannot be computed.

    quality: counts of all values since the start. window_quality: counts of the window's values.
    psi, jensen_shannon: distance of the window from the reference. psi_threshold: exceeded by PSI
    once in a hundred windows of this many rows without drift. new_categories: the most frequent
    values outside the reference. log10_e_value: the evidence of a change since the start.
    has_alert: whether a drift alert is firing.
    is_id_like: whether the reference's values were almost all different, so that the field is not
    compared. is_advancing: whether it holds timestamps or serial numbers, whose drift fires no
    alert. training: the field's statistics in the reference; None if there is no reference.
    scores, thresholds: by measure (`psi`, `psi_debiased`, `js`, `hellinger`, `tv`, `ks`,
    `wasserstein`, `chi2`), the distance of the window from the reference, and the value that it
    exceeds once in a hundred windows without drift; `psi` and `jensen_shannon` are shortcuts.
    effective_rows: how many independent rows the window's rows are worth as evidence.
    mmd: for the kernel similarity of an embedding, the maximum mean discrepancy of its vectors.
    """

    name: str
    role: Role
    kind: Kind
    count: int
    quality: Mapping[Quality, int]
    mean: float | None = None
    stddev: float | None = None
    min: float | None = field(default=None, repr=False)
    max: float | None = field(default=None, repr=False)
    quantiles: Mapping[float, float] = field(default_factory=dict, repr=False)
    psi: float | None = None
    jensen_shannon: float | None = None
    new_categories: tuple[Hitter, ...] = field(default=(), repr=False)
    distinct: float | None = None
    psi_threshold: float | None = None
    log10_e_value: float | None = None
    has_alert: bool = False
    window_quality: Mapping[Quality, int] = field(default_factory=dict)
    is_id_like: bool = False
    is_advancing: bool = False
    mmd: float | None = None
    training: TrainingStats | None = None
    effective_rows: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict, repr=False)
    thresholds: Mapping[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        name_entries(self, _NOUNS)

    @property
    def missing(self) -> int:
        """Number of missing values since the start."""
        return self.quality[Quality.MISSING]

    @property
    def has_moved(self) -> bool:
        """Whether PSI exceeds `MOVED_PSI` and its threshold."""
        if self.is_advancing or (self.role is Role.ACTUAL and self.count == 0):  # none was readable
            return False
        return self.psi is not None and self.psi > max(MOVED_PSI, self.psi_threshold or 0.0)


def compared_psi(field: FieldStatus) -> tuple[float | None, float | None]:
    """Return PSI and its threshold; None for ids, because their values do not repeat."""
    has_values = field.kind is Kind.DATETIME or not field.is_id_like
    return (field.psi, field.psi_threshold) if has_values else (None, None)


def field_named(name: str, role: Role | str, fields: Sequence[FieldStatus]) -> FieldStatus:
    """Return the status of the field of that name and role; raise UnknownName if there is none."""
    if role not in tuple(Role):
        raise UnknownName(describe_unknown(role, Role, "role"))
    for status in fields:
        if status.name == name and status.role == role:
            return status
    others = [f"role={str(status.role)!r}" for status in fields if status.name == name]
    names = [status.name for status in fields if status.role == role]
    if others:
        hint = f"there is one of {' and one of '.join(others)}"
        raise UnknownName(f"no {role} is called {name!r}; {hint}")
    raise UnknownName(describe_unknown(name, names, "feature" if role == Role.FEATURE else "field"))


_Numbers = list[float | None]  # one number per field, None if it is not finite


class _Columns(NamedTuple):
    """The numbers of all fields of a population, as lists indexed by field.

    counts, means, stddevs, minima, maxima: of the numeric fields only.
    """

    population: PopulationSnapshot
    counts: list[int]
    means: _Numbers
    stddevs: _Numbers
    minima: _Numbers
    maxima: _Numbers
    quality: list[list[int]]
    window_quality: list[list[int]]
    is_id_like: list[bool]
    is_firing: list[bool]
    log10_e_values: _Numbers
    effective_rows: _Numbers
    scores: Mapping[str, _Numbers]
    thresholds: Mapping[str, _Numbers]


def field_statuses(population: PopulationSnapshot) -> list[FieldStatus]:
    """Build the status of each field of a population."""
    moments = population.view.profile.moments
    columns = _Columns(
        population,
        counts=moments.count.tolist(),
        means=_list_finite(moments.mean),
        stddevs=_list_finite(moments.stddev),
        minima=_list_finite(moments.min),
        maxima=_list_finite(moments.max),
        quality=population.total.quality.tolist(),
        window_quality=population.view.profile.quality.tolist(),
        is_id_like=population.is_id_like.tolist(),
        is_firing=population.is_firing.tolist(),
        log10_e_values=_list_finite(population.log10_e_value),
        effective_rows=_list_finite(population.effective_rows),
        scores={name: _list_finite(values) for name, values in population.scores.items()},
        thresholds={name: _list_finite(values) for name, values in population.thresholds.items()},
    )
    return [
        _build_numeric_status(columns, place, field)
        if field.is_numeric
        else _build_categorical_status(columns, place, field)
        for place, field in enumerate(population.plan.schema.fields)
    ]


def _build_numeric_status(columns: _Columns, place: int, field: Field) -> FieldStatus:
    population = columns.population
    has_values = columns.counts[place] > 0
    is_id_like = columns.is_id_like[place]
    has_extremes = has_values and not is_id_like
    quantiles = zip(STATUS_QUANTILES, population.quantiles[place].tolist(), strict=True)
    return FieldStatus(
        name=field.name,
        role=field.role,
        kind=field.kind,
        count=columns.counts[place],
        quality=_name_qualities(columns.quality[place]),
        window_quality=_name_qualities(columns.window_quality[place]),
        mean=columns.means[place] if has_values else None,
        stddev=columns.stddevs[place] if has_values else None,
        min=columns.minima[place] if has_extremes else None,
        max=columns.maxima[place] if has_extremes else None,
        quantiles={q: x for q, x in quantiles if math.isfinite(x) and not is_id_like},
        psi=_get_score(columns.scores, "psi", place),
        psi_threshold=_get_score(columns.thresholds, "psi", place),
        log10_e_value=columns.log10_e_values[place],
        has_alert=columns.is_firing[place],
        jensen_shannon=_get_score(columns.scores, "js", place),
        training=_build_training(population, place),
        effective_rows=columns.effective_rows[place],
        scores=_by_measure(columns.scores, place),
        thresholds=_by_measure(columns.thresholds, place),
        mmd=_get_score(columns.scores, MMD, place),
        is_id_like=is_id_like,
        is_advancing=bool(population.entries) and population.entries[place].is_advancing,
    )


def _build_categorical_status(columns: _Columns, place: int, field: Field) -> FieldStatus:
    population = columns.population
    position = place - len(population.plan.schema.numeric)
    counts = population.view.profile.categories[position]
    shapes = population.view.shapes
    entry = population.entries[place] if population.entries else None
    shown = shown_hitters(shapes.hitters[position], entry)
    return FieldStatus(
        name=field.name,
        role=field.role,
        kind=field.kind,
        count=int(counts.sum()),
        quality=_name_qualities(columns.quality[place]),
        window_quality=_name_qualities(columns.window_quality[place]),
        psi=_get_score(columns.scores, "psi", place),
        psi_threshold=_get_score(columns.thresholds, "psi", place),
        log10_e_value=columns.log10_e_values[place],
        has_alert=columns.is_firing[place],
        jensen_shannon=_get_score(columns.scores, "js", place),
        training=_build_training(population, place),
        effective_rows=columns.effective_rows[place],
        scores=_by_measure(columns.scores, place),
        thresholds=_by_measure(columns.thresholds, place),
        new_categories=tuple(shown[:_SHOWN_HITTERS]),
        distinct=population.count_categories(position),
        is_id_like=bool(population.entries) and population.entries[place].is_id_like,
    )


def _build_training(population: PopulationSnapshot, place: int) -> TrainingStats | None:
    """Build the statistics of a field in the reference; None if there is no reference."""
    if not population.entries:
        return None
    entry = population.entries[place]
    missing = entry.missing / max(entry.rows, 1)
    if isinstance(entry, NumericReference):
        points = entry.quantiles
        quantiles = {q: points[place] for q, place in _POINTS.items()} if points else {}
        return TrainingStats(
            entry.rows,
            missing,
            entry.mean,
            entry.stddev,
            quantiles,
            accepted_at=entry.accepted_at,
        )
    distinct = _count_training_categories(entry)
    return TrainingStats(entry.rows, missing, distinct=distinct, accepted_at=entry.accepted_at)


def _count_training_categories(entry: CategoricalReference) -> float | None:
    """Return the number of categories in the reference; None if withheld names leave it unknown."""
    if entry.distinct is not None:
        return float(entry.distinct)
    if not entry.is_closed:  # files of the first releases, segments and accepted windows
        return None
    listed = len(entry.categories) - entry.groups
    return float(np.count_nonzero(entry.counts[:listed]) + len(entry.others))


def _by_measure(scores: Mapping[str, _Numbers], place: int) -> dict[str, float]:
    return {
        measure: number
        for measure, numbers in scores.items()
        if (number := numbers[place]) is not None
    }


def _name_qualities(counts: list[int]) -> dict[Quality, int]:
    return dict(zip(QUALITIES, counts, strict=True))


def _get_score(scores: Mapping[str, _Numbers], measure: str, place: int) -> float | None:
    return scores[measure][place] if measure in scores else None


def _list_finite(values: Floats) -> _Numbers:
    numbers = values.astype(object)
    numbers[~np.isfinite(values)] = None
    return list(numbers.tolist())
