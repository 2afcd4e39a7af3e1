"""All sums over labelled predictions, by the buckets of one dimension."""

from typing import Self

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import (
    Buckets,
    ConfusionMatrix,
    MeanSums,
    RegressionSums,
)
from mlmonitor.aggregate.outcomes.calibration_sums import CalibrationSums
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.score_histogram import ScoreHistogram
from mlmonitor.aggregate.sketches.codec import State, demand, nest, within
from mlmonitor.errors import IncompatibleSketch


class OutcomeTables:
    """A confusion matrix, a score histogram and sums: the state of every measure of a task.

    Promise: additive. Any order and any split of the rows gives the same counts, and the same sums
        up to rounding. Price: `nbytes`, independent of the number of rows.
    """

    __slots__ = ("calibration", "confusion", "means", "plan", "regression", "scores")

    def __init__(self, plan: OutcomePlan, buckets: int) -> None:
        self.plan: OutcomePlan = plan
        is_regression = plan.task == "regression"
        classes = len(plan.class_names) if plan.task in ("binary", "multiclass") else 0
        self.regression: RegressionSums = RegressionSums(buckets * is_regression, plan.center)
        has_pairs = is_regression or (plan.has_scores and plan.has_probabilities)
        self.calibration: CalibrationSums = CalibrationSums(buckets * has_pairs, plan.center)
        self.confusion: ConfusionMatrix = ConfusionMatrix(buckets, classes)
        self.scores: ScoreHistogram = ScoreHistogram(buckets, plan.scored)
        self.means: MeanSums = MeanSums(plan.mean_names, buckets)

    @property
    def buckets(self) -> int:
        """The number of buckets."""
        return int(self.means.table.shape[2])

    def update(self, block: OutcomeBlock, buckets: Buckets) -> None:
        """Add pairs; `buckets` holds the bucket of each pair, or -1 for none."""
        if self.plan.task == "regression":
            self.regression.update(block.predicted, block.actual, buckets)
            self.calibration.update(block.predicted, block.actual, buckets)
        elif self.plan.task != "ranking":
            self.confusion.update(block.predicted_class, block.actual_class, buckets)
        labelled_buckets = np.where(block.actual_class >= 0, buckets, -1)
        for place in range(self.plan.scored):
            code = self.plan.positive if self.plan.task == "binary" else place
            self.scores.update(
                place, block.scores[place], block.actual_class == code, labelled_buckets
            )
        if self.plan.task != "regression" and self.calibration.table.size:
            self._calibrate(block, labelled_buckets)
        for name in self.plan.mean_names:
            self.means.update(name, block.means[name], buckets)

    def _calibrate(self, block: OutcomeBlock, labelled_buckets: Buckets) -> None:
        """Add the scores and outcomes of each class, but of only one class if there are two."""
        for place, scores in enumerate(block.scores):
            code = self.plan.positive if self.plan.task == "binary" else place
            is_class = (block.actual_class == code).astype(np.float64)
            self.calibration.update(scores, is_class, labelled_buckets)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless plans and buckets agree."""
        if self.plan != other.plan or self.buckets != other.buckets:
            raise IncompatibleSketch("outcomes of different tasks or buckets cannot be merged")
        self.regression.merge(other.regression)
        self.calibration.merge(other.calibration)
        self.confusion.merge(other.confusion)
        self.scores.merge(other.scores)
        self.means.merge(other.means)

    def reset(self, bucket: int) -> None:
        """Forget one bucket."""
        if self.plan.task == "regression":
            self.regression.reset(bucket)
        if self.calibration.table.size:
            self.calibration.reset(bucket)
        self.confusion.reset(bucket)
        self.scores.reset(bucket)
        self.means.reset(bucket)

    def copy(self) -> "OutcomeTables":
        """Return an independent copy."""
        twin = OutcomeTables(self.plan, self.buckets)
        twin.merge(self)
        return twin

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        parts = self.regression, self.calibration, self.confusion, self.scores, self.means
        return sum(part.nbytes for part in parts)

    def state(self) -> State:
        """Return all contents but the plan, as arrays."""
        return {
            **nest("regression", self.regression.state()),
            **nest("calibration", self.calibration.state()),
            **nest("confusion", self.confusion.state()),
            **nest("scores", self.scores.state()),
            **nest("means", self.means.state()),
        }

    @classmethod
    def from_state(cls, state: State, plan: OutcomePlan) -> Self:
        """Rebuild from a `state`; raise FormatError for arrays that do not fit the plan."""
        means = MeanSums.from_state(within("means", state), plan.mean_names)
        tables = cls(plan, means.table.shape[2])
        regression = RegressionSums.from_state(within("regression", state))
        calibration = CalibrationSums.from_state(within("calibration", state))
        confusion = ConfusionMatrix.from_state(within("confusion", state))
        scores = ScoreHistogram.from_state(within("scores", state))
        fits = (
            regression.table.shape == tables.regression.table.shape
            and calibration.table.shape == tables.calibration.table.shape
            and confusion.counts.shape == tables.confusion.counts.shape
            and scores.counts.shape == tables.scores.counts.shape
        )
        demand(fits, "outcomes: expected another task, other classes or other buckets")
        tables.regression, tables.confusion = regression, confusion
        tables.calibration = calibration
        tables.scores, tables.means = scores, means
        return tables
