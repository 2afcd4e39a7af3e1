"""Actuals: matched with predictions, monitored as a field, and added to error sums."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.segments import Codes
from mlmonitor.buffer.id_index import Positions
from mlmonitor.buffer.pending import SAYS_SOMETHING, Pending, Reading
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.host.label_entries import LabelEntry, select_rows
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.capture.outputs import ACTUAL, PREDICTION
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.performance.actual_reader import (
    ActualColumn,
    infer_actual_kind,
    read_actuals,
)
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper
from mlmonitor.compare.performance.ranking import (
    ROWS_OF_ACTUALS,
    SINGLE_ACTUALS,
    are_places,
    has_rows,
    match_rankings,
    measure_rankings,
)
from mlmonitor.compare.performance.task import Evidence, find_mismatch, infer_plan
from mlmonitor.compare.performance.tracker import OutcomeTracker, PairListener
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import (
    SegmentPopulations,
    ordered_segment_names,
    share_alpha,
    split_block,
)
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Field, Floats, Metric, Role
from mlmonitor.reference.reference import Reference


class LabelledOutcomes:
    """Predictions that await labels, the population of actuals, and errors by prediction bin."""

    def __init__(
        self,
        reference: Reference | None,
        keeper: PredictionKeeper,
        lens: ComparisonOptions,
        *,
        has_segments: bool = False,
        metrics: tuple[Metric, ...] = (),
        listeners: Sequence[PairListener] = (),
    ) -> None:
        self.split: SegmentPopulations | None = None
        self.segment_errors: list[ErrorSums] = []
        self._has_segments = has_segments
        self.pending: Pending = keeper.pending
        self.tracker: OutcomeTracker | None = None
        """All measures, from the first pair on."""
        self._keeper, self._metrics = keeper, metrics
        self._listeners = listeners
        self._mismatch: str | None = None  # why labels and predictions cannot be compared
        self._has_told_mismatch = False
        self.population: Population | None = None
        self.errors: ErrorSums = ErrorSums(_read_prediction_edges(reference))
        self._reference = reference
        self._knows_actuals = bool(_list_entries(reference, Role.ACTUAL))  # asked at every export
        self._lens = lens
        if reference is not None:
            self._lens = share_alpha(lens, reference, has_segments=has_segments)
        if has_segments and reference is not None:
            names = ordered_segment_names(reference)
            self.segment_errors = [ErrorSums(self.errors.edges) for _ in names]

    def ready(self, *, now: float) -> Population | None:
        """Return the population of actuals; None until some arrive if the reference has none."""
        if self.population is None and self._knows_actuals:
            self.population = self._begin([], now=now)
        return self.population

    def match(self, entries: Sequence[LabelEntry], *, now: float) -> None:
        """Match labels with their predictions, and ingest the matches.

        A label that is missing, or of the wrong kind, is counted among the actuals; its
        prediction keeps waiting.
        """
        self.pending.expire(now=now)
        for entry, is_last_try in self.pending.due(entries):
            self._match(entry, is_last_try=is_last_try, now=now)
            yield_gil()
        self._raise_faults()

    def _raise_faults(self) -> None:
        """Report what keeps labels from being compared, once, and metrics that failed.

        Raises:
            SchemaError, CallbackError: they say what.
        """
        if self.tracker is not None:
            self.tracker.raise_failures()
        if self._mismatch is not None and not self._has_told_mismatch:
            self._has_told_mismatch = True
            raise SchemaError(self._mismatch)

    def _match(self, entry: LabelEntry, *, is_last_try: bool, now: float) -> None:
        if has_rows(entry.actuals) and self._match_rankings(
            entry, is_last_try=is_last_try, now=now
        ):
            return
        if self.population is None:
            matched = entry.rows(np.flatnonzero(self.pending.find(entry.ids)))
            self.population = self._begin(matched.actuals, now=now) if matched.ids else None
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
        labelled_at = entry.observed_at(now)
        times = np.stack([matches.columns["predicted_at"], labelled_at[matches.rows]])
        self._ingest(matches.columns, column, matches.rows, times, now=now)

    def _match_rankings(self, entry: LabelEntry, *, is_last_try: bool, now: float) -> bool:
        """Match rows of relevances with rows of scores; return whether the model ranks."""
        names = self._keeper.scores
        task = "ranking" if self.tracker is None else self.tracker.plan.task
        if self._knows_actuals or task != "ranking" or not are_places(names):
            if self.pending.find(entry.ids).any():
                self._mismatch = self._mismatch or ROWS_OF_ACTUALS
            return False
        matched = match_rankings(self.pending, names, entry, is_last_try=is_last_try, now=now)
        if matched.has_unreadable:
            self._mismatch = self._mismatch or ROWS_OF_ACTUALS
        if len(matched.scores):
            self._add_rankings(matched.scores, matched.relevances, matched.times)
        return True

    def ingest_pairs(
        self, rows: Rows, codes: Codes | None, outcomes: OutcomeEntry, *, now: float
    ) -> None:
        """Add predictions and the actuals reported with them; those of failed calls have none."""
        if self.population is None:
            self.population = self._begin(outcomes.actuals, now=now)
        plan = self.population.plan
        book = plan.dictionaries[0] if plan.dictionaries else None
        column = read_actuals(outcomes.actuals, plan.schema.fields[0], book)
        columns = self._keeper.columns(rows, codes)
        predicted_at = np.where(np.isnan(outcomes.predicted_at), now, outcomes.predicted_at)
        self._keeper.count_predictions(predicted_at, columns)
        times = np.stack([predicted_at, np.full(rows.count, now)])
        self._ingest(columns, column, np.arange(rows.count), times, now=now)
        is_gone, is_unreadable = self._keeper.silent(rows, columns)
        if self.tracker is not None and self.tracker.plan.task == "regression":
            is_unreadable |= np.isnan(columns["predicted"]) & ~is_gone
        self.pending.count_pairs(column.reading, is_gone, is_unreadable)
        self._raise_faults()

    def ingest_rankings(self, rankings: RankingEntry, *, now: float) -> None:
        """Add rankings of queries; the first ones decide the task."""
        predicted_at = np.where(np.isnan(rankings.predicted_at), now, rankings.predicted_at)
        times = np.stack([predicted_at, np.full(len(rankings.scores), now)])
        self._begin_ranking()
        self._keeper.count_predictions(predicted_at)
        self._add_rankings(rankings.scores, rankings.actuals, times)

    def _begin_ranking(self) -> OutcomeTracker:
        """Return the tracker of rankings; raise SchemaError if the model has another task."""
        if self.tracker is None:
            plan = OutcomePlan("ranking")
            self.tracker = OutcomeTracker(
                plan, self._keeper, edges=np.empty(0), listeners=self._listeners
            )
        if self.tracker.plan.task != "ranking":
            raise SchemaError(
                f"record_outcomes: expected one actual for each prediction, as before "
                f"({self.tracker.plan.task}), got a row of them"
            )
        return self.tracker

    def _add_rankings(self, scores: Floats, relevances: Floats, times: Floats) -> None:
        """Add rows of scores and relevances; times: `[2, queries]`, predicted and labelled."""
        tracker = self._begin_ranking()
        queries = len(scores)
        nothing, codes = np.full(queries, np.nan), np.full(queries, -1)
        means = measure_rankings(scores, relevances)
        block = OutcomeBlock(nothing, nothing, codes, codes, np.empty((0, queries)), means)
        tracker.add(block, predicted_at=times[0], labelled_at=times[1])

    def _ingest(
        self,
        columns: Mapping[str, Column],
        column: ActualColumn,
        rows: Positions,
        times: Floats,
        *,
        now: float,
    ) -> None:
        """Add pairs: the kept columns of predictions, and some rows of a column of actuals.

        times: `[2, rows]`, when each was predicted and when its actual became known.
        """
        segments = columns["segment"].astype(np.int64)
        self._update(column.block(rows, keeps_reasons=self._has_segments), segments, now=now)
        numbers = column.numbers[rows]
        if not len(column.raw):
            self._add_errors(columns["predicted"], numbers, segments)
        if self.tracker is None:
            self._begin_tracking(columns, select_rows(column.actuals, rows))
        is_read = column.reading.verdicts[rows] == SAYS_SOMETHING
        if self.tracker is not None and self.tracker.plan.task == "ranking":
            self._mismatch = self._mismatch or SINGLE_ACTUALS
        elif self.tracker is not None and is_read.any():
            self.tracker.update(
                {name: values[is_read] for name, values in columns.items()},
                select_rows(column.actuals, rows[is_read]),
                numbers[is_read],
                predicted_at=times[0, is_read],
                labelled_at=times[1, is_read],
            )

    def _begin_tracking(self, columns: Mapping[str, Column], actuals: Values) -> None:
        if self.population is None:
            return
        codes = np.unique(columns["class"])
        names = [self._keeper.classes.names[code] for code in codes[codes >= 0].tolist()]
        actual, scores = self.population.plan.schema.fields[0], self._keeper.scores
        evidence = Evidence(actuals, columns["predicted"], names)
        if not self._knows_actuals and (fault := find_mismatch(actual, scores, evidence)):
            self._mismatch = self._mismatch or fault
            return
        plan = infer_plan(self._reference, actual, scores, evidence, self._metrics)
        if plan is not None:
            places: Sequence[str] = ()
            if self._has_segments and self._reference is not None:
                places = ordered_segment_names(self._reference)
            edges = self.errors.edges
            self.tracker = OutcomeTracker(
                plan, self._keeper, edges=edges, segments=places, listeners=self._listeners
            )

    def _add_errors(self, predicted: Floats, actuals: Floats, segments: Codes) -> None:
        self.errors.update(predicted, actuals)
        for code, sums in enumerate(self.segment_errors):
            own = segments == code
            if own.any():
                sums.update(predicted[own], actuals[own])

    def _update(self, block: Block, segments: Codes, *, now: float) -> None:
        """Ingest actuals by segment and as a whole; an unknown segment counts in the whole only."""
        if self.population is not None:
            self.population.update(block, now=now)
        if self.split is not None:
            for code, part in split_block(block, segments):
                if code >= 0:
                    self.split.populations[code].update(part, now=now)

    def _begin(self, actuals: Values, *, now: float) -> Population:
        """Build the population of actuals, from the reference or else from the first ones."""
        entries = _list_entries(self._reference, Role.ACTUAL)
        if entries and self._reference is not None:
            plan = self._reference.plan([Role.ACTUAL], deviations=self._lens.deviations)
        else:
            kind = infer_actual_kind(actuals, _list_entries(self._reference, Role.PREDICTION))
            plan = Plan.build([Field(ACTUAL, Role.ACTUAL, kind)], {}, {})
        if self._has_segments and self._reference is not None:
            self.split = SegmentPopulations(
                self._reference, [Role.ACTUAL], plan, self._lens, now=now
            )
        return Population(plan, entries, self._lens, now=now)


def _list_entries(reference: Reference | None, role: Role) -> list[CountedEntry]:
    return [] if reference is None else reference.entries([role])


def _read_prediction_edges(reference: Reference | None) -> Floats:
    for entry in _list_entries(reference, Role.PREDICTION):
        if isinstance(entry, NumericReference) and entry.name == PREDICTION:
            return np.array(entry.edges, np.float64)
    return np.empty(0)
