"""Actuals: matched with predictions, monitored as a field, and used for performance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomePlan
from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.segments import Codes
from mlmonitor.buffer.id_index import Positions
from mlmonitor.buffer.pending import IS_UNREADABLE, SAYS_SOMETHING, Pending, Reading
from mlmonitor.capture.host.label_entries import LabelEntry, select_rows
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.performance.actual_population import ActualPopulation
from mlmonitor.compare.performance.actual_reader import ActualColumn, read_actuals
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper
from mlmonitor.compare.performance.ranking import (
    ROWS_OF_ACTUALS,
    SINGLE_ACTUALS,
    are_places,
    build_ranking_block,
    has_rows,
    match_rankings,
)
from mlmonitor.compare.performance.task.task_inference import Pairs, TaskInference, is_same_task
from mlmonitor.compare.performance.tracker import OutcomeTracker, PairListener
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import SegmentPopulations
from mlmonitor.errors import SchemaError
from mlmonitor.gil import yield_gil
from mlmonitor.records import Floats, Metric
from mlmonitor.reference.reference import Reference


class LabelledOutcomes:
    """Matches labels with stored predictions, and keeps the statistics of both.

    These are the population of actuals, the errors by prediction bin, and all measures.
    """

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
        self.pending: Pending = keeper.pending
        self.tracker: OutcomeTracker | None = None
        """All measures; None before the first pair."""
        self._actuals = ActualPopulation(reference, lens, has_segments=has_segments)
        self._inference = TaskInference(reference, keeper, metrics)
        self._keeper, self._listeners = keeper, listeners
        self._keeps_reasons = has_segments
        self._mismatch: str | None = None  # why labels and predictions cannot be compared
        self._has_told_mismatch = False
        self._verdicts: NDArray[np.int8] = np.empty(0, np.int8)  # how the first pairs were counted

    @property
    def population(self) -> Population | None:
        """The population of actuals; None before there are any."""
        return self._actuals.population

    @property
    def split(self) -> SegmentPopulations | None:
        """The populations of actuals by segment; None if there are no segments."""
        return self._actuals.split

    @property
    def errors(self) -> ErrorSums:
        """Sums of errors by prediction bin."""
        return self._actuals.errors

    @property
    def segment_errors(self) -> list[ErrorSums]:
        """Sums of errors by prediction bin for each segment."""
        return self._actuals.segment_errors

    def ready(self, *, now: float) -> Population | None:
        """Return the population of actuals; create it if the reference has actuals, else None."""
        if self.population is None and self._inference.knows_actuals:
            self._prepare([], now=now)
        return self.population

    def match(self, entries: Sequence[LabelEntry], *, now: float) -> None:
        """Match labels with their predictions, and ingest the matches.

        A label that is missing or of the wrong kind is counted among the actuals, while its
        prediction keeps waiting. Afterwards, `_raise_faults` raises the errors.
        """
        self.pending.expire(now=now)
        for entry, is_last_try in self.pending.due(entries):
            self._match(entry, is_last_try=is_last_try, now=now)
            yield_gil()
        self._raise_faults()

    def _raise_faults(self) -> None:
        """Raise CallbackError for failed metrics, and SchemaError once if nothing is comparable."""
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
        if self.population is None or self._inference.is_open:
            matched = entry.rows(np.flatnonzero(self.pending.find(entry.ids)))
            if matched.ids:
                self._prepare(matched.actuals, now=now)
        if self.population is None:
            self.pending.match(entry, is_last_try=is_last_try)
            return
        column: ActualColumn | None = None

        def read(actuals: Values) -> Reading:
            nonlocal column
            column = self._read(actuals)
            return column.reading

        matches = self.pending.match(entry, read, is_last_try=is_last_try)
        if column is None or not matches.rows.size:
            return
        labelled_at = entry.observed_at(now)
        times = np.stack([matches.columns["predicted_at"], labelled_at[matches.rows]])
        reading = column.reading.verdicts[matches.rows]
        pairs = Pairs(matches.columns, select_rows(column.actuals, matches.rows), times, reading)
        self._ingest(pairs, column, matches.rows, now=now)
        self.pending.recount(reading, self._judge(pairs))

    def _match_rankings(self, entry: LabelEntry, *, is_last_try: bool, now: float) -> bool:
        """Match rows of relevances with rows of scores; return False if the model does not rank."""
        names = self._keeper.scores
        task = "ranking" if self.tracker is None else self.tracker.plan.task
        if self._inference.knows_actuals or task != "ranking" or not are_places(names):
            if self.pending.find(entry.ids).any():
                self._mismatch = self._mismatch or ROWS_OF_ACTUALS
            return False
        matched = match_rankings(self.pending, names, entry, is_last_try=is_last_try, now=now)
        self._mismatch = self._mismatch or matched.mistake
        if len(matched.scores):
            self._add_rankings(matched.scores, matched.relevances, matched.times)
        return True

    def ingest_pairs(
        self, rows: Rows, codes: Codes | None, outcomes: OutcomeEntry, *, now: float
    ) -> None:
        """Add predictions with the actuals reported with them; failed calls count as missing."""
        self._prepare(outcomes.actuals, now=now)
        column = self._read(outcomes.actuals)
        columns = self._keeper.columns(rows, codes)
        predicted_at = np.where(np.isnan(outcomes.predicted_at), now, outcomes.predicted_at)
        self._keeper.count_predictions(predicted_at, columns)
        times = np.stack([predicted_at, np.full(rows.count, now)])
        pairs = Pairs(columns, column.actuals, times, column.reading.verdicts)
        self._ingest(pairs, column, np.arange(rows.count), now=now)
        is_gone, is_unreadable = self._keeper.silent(rows, columns)
        if self.tracker is not None and self.tracker.plan.task == "regression":
            is_unreadable |= np.isnan(columns["predicted"]) & ~is_gone
        if self.tracker is not None and self.tracker.plan.task != "ranking":
            is_unreadable |= self.tracker.find_strays(columns)
        self.pending.count_pairs(column.reading, is_gone, is_unreadable)
        self._raise_faults()

    def ingest_rankings(self, rankings: RankingEntry, *, now: float) -> None:
        """Add rankings of queries; the first call decides that the task is ranking."""
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
        """Add rows of scores and relevances; times: `[2, queries]`, of prediction and label."""
        tracker = self._begin_ranking()
        block = build_ranking_block(scores, relevances)
        tracker.add(block, predicted_at=times[0], labelled_at=times[1])

    def _prepare(self, actuals: Values, *, now: float) -> None:
        """Begin the population of actuals, or restart it if most actuals are of another kind."""
        inference, population = self._inference, self.population
        if population is not None and (inference.knows_actuals or not inference.is_open):
            return
        if population is None:
            self._actuals.begin(lambda: inference.infer_kind(actuals), now=now)
        elif inference.infer_kind(actuals) is not population.plan.schema.fields[0].kind:
            self._begin_again(actuals, now=now)

    def _read(self, actuals: Values) -> ActualColumn:
        """Read actuals as values of the kind that their population has, such as numbers."""
        assert self.population is not None  # noqa: S101 - `_prepare` precedes
        plan = self.population.plan
        dictionary = plan.dictionaries[0] if plan.dictionaries else None
        return read_actuals(actuals, plan.schema.fields[0], dictionary)

    def _ingest(self, pairs: Pairs, column: ActualColumn, rows: Positions, *, now: float) -> None:
        """Add pairs; `rows` are their positions in the column of actuals."""
        inference, population, tracker = self._inference, self.population, self.tracker
        has_begun = tracker is not None or self._verdicts.size > 0
        ranks = tracker is not None and tracker.plan.task == "ranking"
        # The first pairs may also have shown that nothing can be compared, which is final as well.
        if population is None or ranks or (has_begun and not inference.is_open):
            self._add(pairs, column, rows, now=now)
            return
        inference.add(pairs)
        evidence = inference.join_pairs() if inference.is_open else pairs
        plan = inference.infer(population.plan.schema.fields[0], evidence)
        self._mismatch = self._mismatch or inference.mismatch
        tracked = None if tracker is None else tracker.plan
        if self._verdicts.size and not is_same_task(plan, tracked):
            self._begin_again([], now=now)
        else:
            if tracker is None:
                self._begin_tracking(plan)
            self._add(pairs, column, rows, now=now)
            self._verdicts = np.append(self._verdicts, self._judge(pairs))
        inference.close_if_enough()

    def _begin_again(self, actuals: Values, *, now: float) -> None:
        """Ingest the first pairs again, after later ones have shown another kind or task.

        actuals: further values that decide the kind; they are not ingested here.
        """
        inference, pairs = self._inference, self._inference.join_pairs()
        population = self._actuals.begin(lambda: inference.infer_kind(actuals), now=now)
        self._keeper.reset_labels()
        self._begin_tracking(inference.infer(population.plan.schema.fields[0], pairs))
        column = self._read(pairs.actuals)
        pairs = pairs._replace(verdicts=column.reading.verdicts)
        self._add(pairs, column, np.arange(len(column.numbers)), now=now)
        before, self._verdicts = self._verdicts, self._judge(pairs)
        self.pending.recount(before, self._verdicts[: before.size])

    def _judge(self, pairs: Pairs) -> NDArray[np.int8]:
        """Return the verdicts on pairs; one is unreadable if its actual or its prediction is."""
        if self.tracker is None or self.tracker.plan.task == "ranking":
            return pairs.verdicts
        is_stray = self.tracker.find_strays(pairs.columns)
        return np.where(is_stray, IS_UNREADABLE, pairs.verdicts).astype(np.int8)

    def _add(self, pairs: Pairs, column: ActualColumn, rows: Positions, *, now: float) -> None:
        """Add pairs to the population of actuals, to the errors, and to all measures."""
        columns, times = pairs.columns, pairs.times
        segments: Codes = columns["segment"].astype(np.int64)
        block = column.block(rows, keeps_reasons=self._keeps_reasons)
        self._actuals.update(block, segments, now=now)
        numbers = column.numbers[rows]
        if not len(column.raw):
            self._actuals.add_errors(columns["predicted"], numbers, segments)
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

    def _begin_tracking(self, plan: OutcomePlan | None) -> None:
        """Start the measures of a task, with no pairs; plan: None if nothing can be compared."""
        self.tracker = None
        if plan is not None:
            self.tracker = OutcomeTracker(
                plan,
                self._keeper,
                edges=self._actuals.edges,
                segments=self._actuals.segment_names,
                listeners=self._listeners,
            )
