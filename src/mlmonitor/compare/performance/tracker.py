"""Performance of one model: labelled predictions are read once and added to every table."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.cohorts import (
    NO_ESTIMATES,
    Cohort,
    CohortTracker,
    EstimatesByPeriod,
)
from mlmonitor.compare.performance.outcome_reader import OutcomeReader
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.compare.performance.prediction_keeper import BUCKET, PredictionKeeper, bucket_names
from mlmonitor.compare.performance.selection.label_selection import LabelSelection
from mlmonitor.errors import CallbackError, SchemaError
from mlmonitor.records import Floats, Mask

SEGMENT, PREDICTION = "segment", "prediction"


class PairListener(Protocol):
    """A part that receives all pairs of predictions and actuals."""

    def begin(self, plan: OutcomePlan, effects: GroupEffects | None) -> None:
        """Prepare for pairs of this task; effects: the design effects of declared groups."""

    def ingest(self, block: OutcomeBlock, predicted_at: Floats) -> None:
        """Add pairs; predicted_at: the time of each prediction, in seconds since 1970."""


class OutcomeTracker:
    """The performance of a model, overall and by part.

    Parts are the buckets of the prediction and of declared fields, segments, and cohorts. edges:
    the edges between the buckets of a numeric prediction. segments: the names of the segments.
    listeners: receive all pairs.
    Price: `nbytes`, fixed from the start.
    """

    def __init__(
        self,
        plan: OutcomePlan,
        keeper: PredictionKeeper,
        *,
        edges: Floats,
        segments: Sequence[str] = (),
        listeners: Sequence[PairListener] = (),
    ) -> None:
        self.plan = plan
        self._effects = None
        if keeper.groups is not None and plan.task != "ranking":
            self._effects = GroupEffects(plan)
        self._listeners = listeners
        for listener in listeners:
            listener.begin(plan, self._effects)
        self._keeper, self._edges = keeper, edges
        self._reader = OutcomeReader(plan, keeper)
        self._has_told_fault = False
        is_numeric = plan.task == "regression" or (plan.task == "binary" and len(edges) > 0)
        self._has_edges = is_numeric
        predicted = bucket_names(edges.tolist()) if is_numeric else plan.class_names
        names = {PREDICTION: tuple(predicted), SEGMENT: tuple(segments)}
        names |= {field: bucket_names(e.tolist()) for field, e in keeper.buckets.items()}
        part = plan if plan.task == "binary" else plan.without_histogram()
        self._whole = OutcomeTables(plan, 1)
        self._error_sizes = ExponentialSketch()
        self._parts = {
            dimension: (buckets, OutcomeTables(part, len(buckets)))
            for dimension, buckets in names.items()
            if buckets
        }
        self._cohorts = CohortTracker(keeper.cohorts, plan)

    def update(
        self,
        columns: Mapping[str, Column],
        actuals: Values,
        numbers: Floats,
        *,
        predicted_at: Floats,
        labelled_at: Floats,
    ) -> None:
        """Add pairs: the stored columns of predictions, and their actuals.

        numbers: the actuals as numbers. predicted_at, labelled_at: in seconds since 1970.
        """
        self._keeper.count_labels(predicted_at, columns)
        block = self._reader.read(columns, actuals, numbers)
        for dimension, (_, tables) in self._parts.items():
            tables.update(block, self._assign_buckets(dimension, columns, block))
        self.add(block, predicted_at=predicted_at, labelled_at=labelled_at)

    def find_strays(self, columns: Mapping[str, Column]) -> Mask:
        """Mark the predictions that are texts or booleans although numbers are expected."""
        return self._reader.find_strays(columns)

    def add(self, block: OutcomeBlock, *, predicted_at: Floats, labelled_at: Floats) -> None:
        """Add pairs to the overall performance and to their cohorts, but not to buckets."""
        self._whole.update(block, np.zeros(block.rows, np.int64))
        if self._effects is not None and block.groups is not None:
            self._effects.update(block, block.groups)
        if self.plan.task == "regression":
            with np.errstate(all="ignore"):
                self._error_sizes.update(np.abs(block.predicted - block.actual))
        self._cohorts.reset(self._keeper.new_cohorts)
        self._keeper.new_cohorts = []
        self._cohorts.update(block, predicted_at, labelled_at)
        for listener in self._listeners:
            listener.ingest(block, predicted_at)

    def _assign_buckets(
        self, dimension: str, columns: Mapping[str, Column], block: OutcomeBlock
    ) -> Buckets:
        if dimension == SEGMENT:
            return columns["segment"].astype(np.int64)
        if dimension != PREDICTION:
            return columns[f"{BUCKET}{dimension}"].astype(np.int64)
        if not self._has_edges:
            return block.predicted_class
        predicted = columns["predicted"]
        buckets = np.searchsorted(self._edges, predicted, side="left")
        return np.where(np.isnan(predicted), -1, buckets)

    def performance(self) -> Performance:
        """Return an independent copy of the present performance."""
        parts = {name: (names, tables.copy()) for name, (names, tables) in self._parts.items()}
        sizes = self._error_sizes.copy()
        return Performance(
            self._whole.copy(),
            dimensions=parts,
            error_sizes=sizes,
            effects=self._copy_effects(),
        )

    def _copy_effects(self) -> GroupEffects | None:
        return None if self._effects is None else self._effects.copy()

    def cohorts(
        self, *, now: float, estimated: EstimatesByPeriod = NO_ESTIMATES
    ) -> tuple[Cohort, ...]:
        """Performance by the time of prediction, the oldest cohort first.

        estimated: the estimates by period, to be added to the cohorts.
        """
        self._cohorts.reset(self._keeper.new_cohorts)
        self._keeper.new_cohorts = []
        return self._cohorts.cohorts(now=now, effects=self._copy_effects(), estimated=estimated)

    def selection(self, *, now: float) -> LabelSelection | None:
        """Return how labelled predictions of mature cohorts differ from unlabelled ones.

        None if there are too few of either.
        """
        return self._keeper.selection.judge(now=now)

    def raise_failures(self) -> None:
        """Raise the new errors of custom metrics, and the error of the predictions once.

        Raises:
            CallbackError: custom metrics failed; the message names them.
            SchemaError: scores are not probabilities, or predictions are not numbers.
        """
        failures, self._reader.failures = self._reader.failures, {}
        if failures:
            listed = ", ".join(f"{name} ({reason})" for name, reason in failures.items())
            raise CallbackError(f"metrics: {listed}")
        if self._reader.fault is not None and not self._has_told_fault:
            self._has_told_fault = True
            raise SchemaError(self._reader.fault)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        parts = sum(tables.nbytes for _, tables in self._parts.values())
        grouped = 0 if self._effects is None else self._effects.sums.nbytes
        whole = self._whole.nbytes + self._error_sizes.nbytes + self._keeper.selection.nbytes
        return whole + parts + self._cohorts.nbytes + grouped
