"""Aggregate predictions by hour and day, over the bins of their reference.

The database can do the same (`mlmonitor.merge_prediction`) at ten times the price; a test checks
that both give the same numbers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.sketches.categories import NEW, OTHER, Dictionary
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import MappingTable
from mlmonitor.errors import import_extra
from mlmonitor.formats.events import PredictionBlock
from mlmonitor.records import QUALITIES, REFUSED, Field, Floats, Kind, Role
from mlmonitor.store.event_rows import add_derived, read_outputs
from mlmonitor.store.schema import read_sql

Version = tuple[str, str]
"""A model's name and version."""

ALL = "all"
_TAME, _TINY = 1e140, 1e-140

_ACTIVE = """
    select reference_id from mlmonitor.active_reference where (model, model_version) = (%s, %s)
"""
_FIELDS = """
    select role, field, is_number, kind, edges, labels, width, range_low, range_high, band_low,
        band_high
    from mlmonitor.active_field
    where (model, model_version) = (%s, %s) and role in ('feature', 'prediction', 'derived')
    order by role, field
"""
_REFUSED = [QUALITIES.index(quality) for quality in REFUSED]
_HOUR = 3_600_000_000  # microseconds
_SPANS = (("hour", 13, ":00:00Z"), ("day", 10, "T00:00:00Z"))


class ReferencePlan:
    """The fields of an active reference, and the plan by which values are counted."""

    def __init__(self, reference_id: str, fields: Sequence[Mapping[str, Any]]) -> None:
        self.reference_id = reference_id
        named = {Field(f["field"], Role(f["role"]), Kind(f["kind"])): f for f in fields}
        numeric = {field: _build_numeric(f) for field, f in named.items() if field.is_numeric}
        names = {field: _build_dictionary(f) for field, f in named.items() if not field.is_numeric}
        self.plan: Plan = Plan.build(list(named), numeric, names)
        self.reader: Reader = Reader(self.plan.schema)
        self.outputs: list[str] = [f.name for f in named if f.role is Role.PREDICTION]
        self.has_derived: bool = any(f.role is Role.DERIVED for f in named)
        self.widths: list[Any] = [named[field]["width"] for field in self.plan.schema.fields]

    def profile(self, block: PredictionBlock, rows: Sequence[int]) -> FieldProfile:
        """Return counts and moments of each field over these rows of a block."""
        features: Sequence[Mapping[str, Any]] = [block.features[row] for row in rows]
        if self.has_derived or any(block.columns.invalid):
            features = [self._add_derived(block, row) for row in rows]
        outputs = {name: read_outputs(block, name, rows) for name in self.outputs}
        table = Rows(len(rows), MappingTable(features), outputs, [], [], None)
        profile = FieldProfile(self.plan)
        profile.update(self.reader.read_block(table))
        return profile

    def _add_derived(self, block: PredictionBlock, row: int) -> Mapping[str, Any]:
        columns = block.columns
        derived, invalid = columns.derived[row], columns.invalid[row]
        return add_derived(block.features[row], derived, invalid, with_derived=self.has_derived)


def _build_numeric(field: Mapping[str, Any]) -> NumericPlan:
    limits = [field[name] for name in ("range_low", "range_high", "band_low", "band_high")]
    infinite = (-np.inf, np.inf, -np.inf, np.inf)
    pairs = zip(limits, infinite, strict=True)
    return NumericPlan(
        np.array(field["edges"], np.float64),
        *(default if limit is None else limit for limit, default in pairs),
    )


def _build_dictionary(field: Mapping[str, Any]) -> Dictionary:
    """Build a dictionary whose codes are the bins, usually `[*names, __other__, __new__]`."""
    labels = _list_labels(field)
    names = labels[:-2] if _has_rest(field) else labels
    is_boolean = field["kind"] == "boolean"
    return Dictionary(names, [OTHER], is_closed=True, is_boolean=is_boolean)


def _list_labels(field: Mapping[str, Any]) -> list[str]:
    labels: list[str] = field["labels"]
    return labels[: field["width"]]


def _has_rest(field: Mapping[str, Any]) -> bool:
    """Whether the last two bins are those of other and of new categories."""
    return _list_labels(field)[-2:] == [OTHER, NEW]


class PlanCache:
    """A cache of the plans of active references."""

    def __init__(self) -> None:
        self._plans: dict[Version, ReferencePlan | None] = {}

    def get(self, connection: Any, version: Version) -> ReferencePlan | None:
        """Return the plan of a version's active reference; None if the version has no reference."""
        row = connection.execute(_ACTIVE, version).fetchone()
        if row is None:
            return None
        plan = self._plans.get(version)
        if plan is None or plan.reference_id != row[0]:
            plan = self._plans[version] = ReferencePlan(row[0], _read_fields(connection, version))
        return plan


def _read_fields(connection: Any, version: Version) -> list[dict[str, Any]]:
    cursor = connection.execute(_FIELDS, version)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def roll_up(
    connection: Any,
    block: PredictionBlock,
    plans: Mapping[Version, ReferencePlan | None],
    shard: int,
) -> None:
    """Add predictions to the rollups of their hours and days, in the open transaction.

    plans: the plan of each version; None if it has no reference. shard: see `EventBatch.shard`.
    """
    groups: dict[tuple[Version, str, int], list[int]] = defaultdict(list)
    hours = (block.microseconds // _HOUR).tolist()
    keys = zip(block.versions, block.columns.segment, hours, strict=True)
    for row, key in enumerate(keys):
        groups[key].append(row)
    weights = _Weights.build(block)
    traffic: dict[tuple[Any, ...], _Traffic] = defaultdict(_Traffic)
    profiles: dict[tuple[Any, ...], FieldProfile] = {}
    for (version, own_segment, hour), rows in groups.items():
        plan = plans.get(version)
        counted = weights.sum_up(rows)
        profile = None if plan is None else plan.profile(block, rows)
        moment = str(np.datetime64(hour, "h"))
        for segment in {ALL, own_segment}:
            for span, length, rest in _SPANS:
                place = *version, segment, span, moment[:length] + rest
                traffic[place].add(counted)
                if profile is not None and place in profiles:
                    profiles[place].merge(profile)
                elif profile is not None:
                    profiles[place] = FieldProfile(profile.plan)
                    profiles[place].merge(profile)
    _upsert(connection, "add_traffic", (t.row(key) for key, t in traffic.items()), shard)
    field_rows = (
        row
        for key, profile in profiles.items()
        for row in _build_field_rows(key, profile, plans[key[:2]])
    )
    _upsert(connection, "add_fields", field_rows, shard)


class _Weights(NamedTuple):
    """The contribution of each prediction to the rollups of traffic.

    estimated: the number of predictions that a sampled one represents. latency: in seconds, NaN if
    unknown.
    """

    failed: NDArray[np.bool_]
    estimated: Floats
    latency: Floats

    @classmethod
    def build(cls, block: PredictionBlock) -> "_Weights":
        """Compute the weights from the columns of a block."""
        columns = block.columns
        latency = np.array(columns.latency_seconds, np.float64)
        latency = np.where(np.abs(latency) < _TINY, 0.0, np.clip(latency, -_TAME, _TAME))
        failed = np.array([status == "error" for status in columns.status])
        return cls(failed, 1 / np.array(columns.sample, np.float64), latency)

    def sum_up(self, rows: Sequence[int]) -> "_Traffic":
        """Sum predictions, failures, estimated predictions and latencies over some rows."""
        counted = _Traffic()
        latencies = self.latency[rows]
        latencies = latencies[~np.isnan(latencies)]
        counted.counts = [
            len(rows),
            int(np.count_nonzero(self.failed[rows])),
            float(self.estimated[rows].sum()),
            latencies.size,
            float(latencies.sum()),
        ]
        counted.latency_max = float(latencies.max(initial=0.0))
        return counted


class _Traffic:
    """Sums over some predictions.

    counts: predictions, failures, estimated predictions, latencies, and the sum of latencies.
    """

    __slots__ = ("counts", "latency_max")

    def __init__(self) -> None:
        self.counts: list[float] = [0, 0, 0.0, 0, 0.0]
        self.latency_max = 0.0

    def add(self, other: "_Traffic") -> None:
        """Add the sums of other predictions."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.latency_max = max(self.latency_max, other.latency_max)

    def row(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the row to store: the key, the counts and the largest latency."""
        return (*key, *self.counts, self.latency_max)


def _build_field_rows(
    key: tuple[Any, ...], profile: FieldProfile, plan: ReferencePlan | None
) -> Iterable[tuple[Any, ...]]:
    if plan is None:
        return
    schema, moments = profile.plan.schema, profile.moments
    refused = profile.quality[:, _REFUSED].sum(axis=1)
    for place, field in enumerate(schema.fields):
        width = plan.widths[place]
        numbers: list[Any] = [0, 0.0, 0.0, None, None]
        sides = [0, 0]
        if field.is_numeric:
            bins = profile.bins[place, :width].tolist()
            sides = profile.outliers[place].tolist()
            numbers = _list_moments(moments, place)
        else:
            bins = profile.categories[place - len(schema.numeric)].tolist()
            bins = [*bins[: width - 1], sum(bins[width - 1 :])]
        quality = profile.quality[place].tolist()
        if not sum(bins) + int(refused[place]):
            continue
        model, version, *rest = key
        yield (
            *(model, version, plan.reference_id, *rest, field.role.value, field.name),
            *(quality + sides + numbers),
            [*bins, int(refused[place])],
        )


def _list_moments(moments: Any, place: int) -> list[Any]:
    count = int(moments.count[place])
    if not count:
        return [0, 0.0, 0.0, None, None]
    with np.errstate(over="ignore", under="ignore"):
        m2 = float(moments.stddev[place] ** 2 * count)
    mean, m2 = _tame(float(moments.mean[place])), min(m2 if m2 > _TINY**2 else 0.0, _TAME**2)
    return [count, mean, m2, float(moments.min[place]), float(moments.max[place])]


def _tame(number: float) -> float:
    """Clip a number so that the database can square it, as its `mlmonitor.tame` does."""
    return 0.0 if abs(number) < _TINY else min(max(number, -_TAME), _TAME)


def _upsert(connection: Any, query: str, rows: Iterable[tuple[Any, ...]], shard: int) -> None:
    ordered = sorted(rows, key=lambda row: [value for value in row if isinstance(value, str)])
    if ordered:
        dumps = import_extra("orjson", extra="postgres").dumps
        parameters = {"rows": dumps(ordered).decode(), "shard": shard}
        connection.execute(read_sql("queries", f"{query}.sql"), parameters)
