"""Turn columns into the entries of a reference: infer kinds, sample and summarise each field."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mlmonitor.capture.outputs import ACTUAL
from mlmonitor.display.progress import track
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import (
    CalibrationReference,
    CountedEntry,
    LossReference,
    SegmentReference,
)
from mlmonitor.records import Kind, Role
from mlmonitor.reference.calibration.fit_calibration import TrainingRows, fit_calibration
from mlmonitor.reference.fitting.binned_predictions import explain
from mlmonitor.reference.fitting.copied_rows import count_copied_rows
from mlmonitor.reference.fitting.field_sample import FieldSample
from mlmonitor.reference.fitting.reservoir import Reservoir
from mlmonitor.reference.fitting.stratification import Stratification
from mlmonitor.reference.fitting.stratified_field import StratifiedField
from mlmonitor.reference.thresholds import FieldOptions
from mlmonitor.reference.training_data import Chunk, Columns
from mlmonitor.reference.training_losses.fit_losses import fit_losses

if TYPE_CHECKING:
    from numpy.random import Generator

SAMPLE_ROWS = 100_000

_FIGURES = (Role.KPI, Role.ATTRIBUTION)
"""Roles that are always numeric, even if a feature of the same name has another kind."""

__all__ = ["SAMPLE_ROWS", "FieldSample", "Fitted", "fit_fields"]


class Fitted(NamedTuple):
    """The entries of all fields, with what else was learned from the same rows.

    rows: the number of sampled rows, which the entries count. rows_seen: the number of all rows.
    explained: the prediction whose mean the entries hold by bin. copied_rows: see
    `count_copied_rows`. losses: the losses of the predictions, if there are actuals. slots: the
    sampled rows. calibration: how predictions relate to actuals, if there are enough of both.
    """

    entries: list[CountedEntry]
    rows: int
    rows_seen: int
    segments: list[SegmentReference]
    explained: str | None
    copied_rows: int
    losses: list[LossReference]
    slots: Reservoir
    calibration: CalibrationReference | None = None


def fit_fields(
    parts: Iterator[Chunk],
    *,
    schema: Mapping[str, Kind],
    sample_rows: int | None,
    rng: "Generator",
    strata: Stratification,
    options: FieldOptions,
) -> Fitted:
    """Summarise training data by field and by segment.

    strata: the segments and seasons that split the rows.

    Raises:
        SchemaError: there are no rows, chunks differ in their columns, no kind can be inferred, or
            the schema names a column that does not exist.
    """
    slots = Reservoir(sample_rows, rng)
    samples: dict[tuple[Role, str], FieldSample] = {}
    for columns, rows, marks in parts:
        if rows == 0:
            continue
        if not samples:
            samples = _begin(columns, schema, options.public)
        if columns.keys() != samples.keys():
            odd = sorted(f"{name!r}" for _, name in columns.keys() ^ samples.keys())
            raise SchemaError(f"chunks differ in their columns: {', '.join(odd[:10])}")
        slots.next_chunk(rows)
        for identity, sample in samples.items():
            sample.ingest(columns[identity], slots)
        strata.ingest(marks, slots)
    if slots.seen == 0:
        raise SchemaError("features: expected at least one column with at least one row")
    fields = list(samples.values())
    entries = [sample.entry(slots, options) for sample in fields]
    explained = explain(entries, lambda at: fields[at].rows(slots))
    stratified = [
        StratifiedField(entry, sample.rows(slots), sample.reasons(slots), options.thresholds)
        for entry, sample in zip(explained.entries, fields, strict=True)
    ]
    strata.settle_season(stratified, slots)
    tracked = track(stratified, "fitting fields", len(stratified))
    entries = _measure_fields(tracked, strata, slots, stratified)
    segments = strata.segments(stratified, slots)
    features = [sample.rows(slots) for sample in fields if sample.role is Role.FEATURE]
    copied = count_copied_rows(features)
    return Fitted(
        *(entries, slots.kept, slots.seen, segments, explained.prediction, copied),
        losses=_fit_losses(samples, slots),
        slots=slots,
        calibration=_fit_field_calibration(samples, slots, entries),
    )


def _measure_fields(
    tracked: Iterable[StratifiedField],
    strata: Stratification,
    slots: Reservoir,
    stratified: Sequence[StratifiedField],
) -> list[CountedEntry]:
    """Return the entries of all fields, with the dependence of their rows.

    tracked: the same fields as `stratified`, wrapped to show progress. If any field shows that the
    rows depend on each other, the other fields are measured again with a weaker test.
    """
    fields = len(stratified)
    entries = [strata.whole(field, slots, fields=fields) for field in tracked]
    if not any(map(_is_dependent, entries)):
        return entries
    return [
        entry
        if _is_dependent(entry)
        else strata.whole(field, slots, fields=fields, is_evident=True)
        for field, entry in zip(stratified, entries, strict=True)
    ]


def _is_dependent(entry: CountedEntry) -> bool:
    """Whether the rows of the field depend on each other significantly."""
    return entry.dependence is not None and max(entry.dependence.effects) > 1


def _fit_losses(
    samples: Mapping[tuple[Role, str], FieldSample], slots: Reservoir
) -> list[LossReference]:
    """Return the losses of the sampled predictions."""
    actual = samples.get((Role.ACTUAL, ACTUAL))
    if actual is None:
        return []
    outputs = {n: s.rows(slots) for (role, n), s in samples.items() if role is Role.PREDICTION}
    return fit_losses(outputs, actual.rows(slots))


def _fit_field_calibration(
    samples: Mapping[tuple[Role, str], FieldSample],
    slots: Reservoir,
    entries: Sequence[CountedEntry],
) -> CalibrationReference | None:
    """Fit the calibration of sampled predictions; None if there are no actuals or predictions."""
    actual = samples.get((Role.ACTUAL, ACTUAL))
    outputs = {n: s.rows(slots) for (role, n), s in samples.items() if role is Role.PREDICTION}
    if actual is None or not outputs:
        return None
    fields = list(samples.values())
    return fit_calibration(
        TrainingRows(outputs, actual.rows(slots), entries, lambda place: fields[place].rows(slots))
    )


def _begin(
    columns: Columns, schema: Mapping[str, Kind], public: frozenset[str]
) -> dict[tuple[Role, str], FieldSample]:
    names = {name for _, name in columns}
    for name in schema:
        if name not in names:
            raise SchemaError(f"schema: there is no column {name!r}")
    return {
        (role, name): FieldSample(
            role,
            name,
            declared=Kind.NUMERIC if role in _FIGURES else schema.get(name),
            is_public=name in public,
        )
        for role, name in columns
    }
