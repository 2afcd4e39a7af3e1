"""Ground truth: matched with its prediction, watched as a field, and turned into error sums."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mlmonitor.aggregate.outcomes.class_codes import NO_CLASS, ClassCodes
from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.segments import Codes
from mlmonitor.buffer.pending import Matches, Pending, Reading
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.performance.actual_reader import ActualColumn, list_values, read_actuals
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import (
    SegmentPopulations,
    ordered_segment_names,
    share_alpha,
    split_block,
)
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import NumericReference
from mlmonitor.gil import yield_gil
from mlmonitor.records import ABSENT, Block, Field, Floats, Kind, Role
from mlmonitor.reference.kind_inference import infer_kind
from mlmonitor.reference.reference import Reference
from mlmonitor.reference.training_data import ACTUAL


class LabelledOutcomes:
    """Predictions in waiting, the actuals as a population, and errors by bin of the prediction."""

    def __init__(
        self,
        reference: Reference,
        pending: Pending,
        lens: ComparisonOptions,
        *,
        has_segments: bool = False,
    ) -> None:
        self.split: SegmentPopulations | None = None
        self.segment_errors: list[ErrorSums] = []
        self._has_segments = has_segments
        self.pending = pending
        self.population: Population | None = None
        self.errors: ErrorSums = ErrorSums(_prediction_edges(reference))
        self._reference = reference
        self._knows_actuals = bool(reference.entries([Role.ACTUAL]))  # asked at every export
        self._lens = share_alpha(lens, reference, has_segments=has_segments)
        if has_segments:
            edges = self.errors.edges
            self.segment_errors = [ErrorSums(edges) for _ in ordered_segment_names(reference)]

    def ready(self, *, now: float) -> Population | None:
        """The actuals to report: made now if the reference knows them, else once some have come."""
        if self.population is None and self._knows_actuals:
            self.population = self._begin([], now=now)
        return self.population

    def take(self, entries: Sequence[LabelEntry], *, now: float) -> None:
        """Match labels with their predictions, and ingest what was matched.

        A label that is missing, or not of the actuals' kind, is counted as one of theirs; its
        prediction waits on.
        """
        self.pending.expire(now=now)
        for entry, is_last_try in self.pending.due(entries):
            self._match(entry, is_last_try=is_last_try, now=now)
            yield_gil()

    def _match(self, entry: LabelEntry, *, is_last_try: bool, now: float) -> None:
        if self.population is None:
            known = entry.rows(np.flatnonzero(self.pending.find(entry.ids)))
            self.population = self._begin(known.actuals, now=now) if known.ids else None
        if self.population is None:
            self.pending.match(entry, is_last_try=is_last_try)
            return
        plan = self.population.plan
        book = plan.dictionaries[0] if plan.dictionaries else None
        column: ActualColumn | None = None

        def read(actuals: Values) -> Reading:
            nonlocal column
            column = read_actuals(actuals, plan.schema.fields[0], book)
            return column.reading

        matches = self.pending.match(entry, read, is_last_try=is_last_try)
        if column is None or not matches.rows.size:
            return
        segments = matches.columns["segment"].astype(np.int64)
        block = column.block(matches.rows, keeps_reasons=self._has_segments)
        self._update(block, segments, now=now)
        if plan.schema.fields[0].is_numeric:
            self._add_errors(matches, column.numbers[matches.rows], segments)

    def _add_errors(self, matches: Matches, actuals: Floats, segments: Codes) -> None:
        predicted = matches.columns["predicted"]
        self.errors.update(predicted, actuals)
        for code, sums in enumerate(self.segment_errors):
            own = segments == code
            if own.any():
                sums.update(predicted[own], actuals[own])

    def _update(self, block: Block, segments: Codes, *, now: float) -> None:
        """Ingest actuals, whole and by segment; one of no known segment counts in the whole."""
        if self.population is not None:
            self.population.update(block, now=now)
        if self.split is not None:
            for code, part in split_block(block, segments):
                if code >= 0:
                    self.split.populations[code].update(part, now=now)

    def _begin(self, actuals: Values, *, now: float) -> Population:
        """The population of actuals, as the reference knows them, or else as they come."""
        entries = self._reference.entries([Role.ACTUAL])
        if entries:
            plan = self._reference.plan([Role.ACTUAL], deviations=self._lens.deviations)
        else:
            plan = Plan.build([Field(ACTUAL, Role.ACTUAL, self._kind(actuals))], {}, {})
        if self._has_segments:
            self.split = SegmentPopulations(
                self._reference, [Role.ACTUAL], plan, self._lens, now=now
            )
        return Population(plan, entries, self._lens, now=now)

    def _kind(self, actuals: Values) -> Kind:
        """As the actuals are; where they do not tell, as the predictions are."""
        try:
            known = infer_kind(ACTUAL, actuals)
        except SchemaError:
            known = None
        predicted = (
            e.kind for e in self._reference.entries([Role.PREDICTION]) if e.name == PREDICTION
        )
        return known or Kind(next(predicted, Kind.NUMERIC))


class PredictionKeeper:
    """What is kept of each prediction until its label arrives: a number, a class, a segment."""

    COLUMNS: ClassVar[dict[str, str]] = {"predicted": "f8", "class": "i4", "segment": "i2"}

    def __init__(self, pending: Pending) -> None:
        self.pending = pending
        self.classes: ClassCodes = ClassCodes()

    def remember(self, rows: Rows, codes: Codes | None, *, now: float) -> None:
        """Keep the predictions of rows whose id somebody asked for, and their segments' codes.

        Of several outputs the first is kept, unless one is called `prediction`.
        """
        if not rows.ids or not rows.predictions or not any(rows.ids):
            return
        values = rows.predictions.get(PREDICTION, next(iter(rows.predictions.values())))
        ids = rows.ids
        if rows.failed:
            is_made = [value is not ABSENT for value in values]
            ids = [name if made else None for name, made in zip(ids, is_made, strict=True)]
        numbers, refused = parse_floats(values)
        classes = np.full(len(numbers), NO_CLASS, np.int32)
        if refused[-1] or _has_truths(values):
            classes = self.classes.encode(list_values(values))
        segments = np.full(len(numbers), -1) if codes is None else codes
        columns: dict[str, Column] = {"predicted": numbers, "class": classes, "segment": segments}
        self.pending.remember(ids, columns, now=now)


def _has_truths(values: Values) -> bool:
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return bool(values.dtype.kind == "b")
    return not {bool, np.bool_}.isdisjoint(map(type, values))


def _prediction_edges(reference: Reference) -> Floats:
    for entry in reference.entries([Role.PREDICTION]):
        if isinstance(entry, NumericReference) and entry.name == PREDICTION:
            return np.array(entry.edges, np.float64)
    return np.empty(0)
