"""Ground truth: matched with its prediction, watched as a field, and turned into error sums."""

from collections.abc import Sequence

import numpy as np

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.segments import Codes
from mlmonitor.buffer.pending import LabelStatus, Pending, missing_or_not
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import Read, column_reasons
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import is_missing
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import Split, parts, segment_places, shared_lens
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import NumericReference
from mlmonitor.records import ABSENT, Block, Field, Floats, Kind, Role
from mlmonitor.reference.kind_inference import known_kind
from mlmonitor.reference.reference import Reference
from mlmonitor.reference.training_data import ACTUAL

_NO_COUNTS = np.zeros((0, 3), np.int64)


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
        self.split: Split | None = None
        self.segment_errors: list[ErrorSums] = []
        self._has_segments = has_segments
        self.pending = pending
        self.population: Population | None = None
        self.errors: ErrorSums = ErrorSums(_prediction_edges(reference))
        self._reference = reference
        self._knows_actuals = bool(reference.entries([Role.ACTUAL]))  # asked at every export
        self._lens = shared_lens(lens, reference, has_segments=has_segments)
        if has_segments:
            edges = self.errors.edges
            self.segment_errors = [ErrorSums(edges) for _ in segment_places(reference)]

    def ready(self, *, now: float) -> Population | None:
        """The actuals to report: made now if the reference knows them, else once some have come."""
        if self.population is None and self._knows_actuals:
            self.population = self._begin([], now=now)
        return self.population

    def take(self, labels: Sequence[tuple[str, object]], *, now: float) -> None:
        """Match labels with their predictions, and take in what was matched.

        A label that is missing, or not of the actuals' kind, is counted as one of theirs; its
        prediction waits on.
        """
        if self.population is None:
            met = [actual for identity, actual in labels if identity in self.pending]
            self.population = self._begin(met, now=now) if met else None
        matches = self.pending.match(labels, self._judged)
        if not matches:
            return
        actuals = [match.actual for match in matches]
        if self.population is None:
            self.population = self._begin(actuals, now=now)
        field = self.population.plan.schema.fields[0]
        segments = np.array([-1 if m.segment is None else m.segment for m in matches], np.int64)
        if not field.is_numeric:
            block = Block(len(actuals), np.empty((0, len(actuals))), _NO_COUNTS, [actuals])
            self._update(block, segments, now=now)
            return
        read = _read(field)
        values, refused = read(actuals)
        block = Block(len(actuals), values[None, :], refused[None, :], [])
        if self._has_segments and refused.any():
            block.reasons = column_reasons(read, actuals, values, refused)[None, :]
        self._update(block, segments, now=now)
        predicted, _ = parse_floats([match.predicted for match in matches])
        self.errors.update(predicted, values)
        for code, sums in enumerate(self.segment_errors):
            own = segments == code
            if own.any():
                sums.update(predicted[own], values[own])

    def _judged(self, actual: object) -> LabelStatus:
        """Whether an actual can be read as the actuals are."""
        if self.population is None:
            return missing_or_not(actual)
        plan = self.population.plan
        if not plan.schema.fields[0].is_numeric:
            is_read = plan.dictionaries[0].code(actual) >= 0
        else:
            _, refused = _read(plan.schema.fields[0])([actual])
            is_read = not refused.any()
        if is_read:
            return LabelStatus.MATCHED
        return LabelStatus.MISSING if is_missing(actual) else LabelStatus.UNREADABLE

    def _update(self, block: Block, segments: Codes, *, now: float) -> None:
        """Take actuals in, whole and by segment; one of no known segment counts in the whole."""
        if self.population is not None:
            self.population.update(block, now=now)
        if self.split is not None:
            for code, part in parts(block, segments):
                if code >= 0:
                    self.split.populations[code].update(part, now=now)

    def _begin(self, actuals: Sequence[object], *, now: float) -> Population:
        """The population of actuals, as the reference knows them, or else as they come."""
        entries = self._reference.entries([Role.ACTUAL])
        if entries:
            plan = self._reference.plan([Role.ACTUAL], deviations=self._lens.deviations)
        else:
            plan = Plan.build([Field(ACTUAL, Role.ACTUAL, self._kind(actuals))], {}, {})
        if self._has_segments:
            self.split = Split(self._reference, [Role.ACTUAL], plan, self._lens, now=now)
        return Population(plan, entries, self._lens, now=now)

    def _kind(self, actuals: Sequence[object]) -> Kind:
        """As the actuals are; where they do not tell, as the predictions are."""
        try:
            known = known_kind(ACTUAL, actuals)
        except SchemaError:
            known = None
        predicted = (
            e.kind for e in self._reference.entries([Role.PREDICTION]) if e.name == PREDICTION
        )
        return known or Kind(next(predicted, Kind.NUMERIC))


def remember(pending: Pending, rows: Rows, codes: Codes | None = None) -> None:
    """Keep the predictions of rows whose id somebody asked for, and their segments' codes."""
    if not rows.ids or not rows.predictions:
        return
    values = rows.predictions.get(PREDICTION, next(iter(rows.predictions.values())))
    known = [
        None if value is ABSENT else identity
        for identity, value in zip(rows.ids, values, strict=True)
    ]
    pending.remember(known, list(values), None if codes is None else codes.tolist())


def _read(field: Field) -> Read:
    return parse_datetimes if field.kind is Kind.DATETIME else parse_floats


def _prediction_edges(reference: Reference) -> Floats:
    for entry in reference.entries([Role.PREDICTION]):
        if isinstance(entry, NumericReference) and entry.name == PREDICTION:
            return np.array(entry.edges, np.float64)
    return np.empty(0)
