"""Whether the newest labels refute the estimates for the same predictions."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.compare.estimated.estimated_performance import EstimateGap
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.stats.sequential.normal_mixture import widen

STRETCH_LABELS: Final = 1_000
"""The number of labels in a stretch; the newest two stretches are judged together."""

TOLERANCE: Final = 0.1
"""Relative gap between two losses that is ignored: a calibration is no more accurate."""

LOOSE_TOLERANCE: Final = 0.3
"""The tolerance if the calibration depends on features, which are not stored for late labels."""

_ERROR = 0.001  # the probability that a correct estimate is ever refuted
_LEAST_LABELS = 50
_LOSSES = ("mae", "rmse")
_SHARES = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy")


class LabelledEstimates:
    """Expected and actual outcomes of the newest 1,000 to 2,000 labelled predictions.

    A measure is refuted if its value from labels is outside the estimate's interval by more than a
    tolerance. The interval is widened so that it is valid at any time.
    Price: two tables of outcomes, and two of expected outcomes.
    """

    def __init__(
        self, plan: OutcomePlan, start_sums: Callable[[], ExpectedSums], *, tolerance: float
    ) -> None:
        self._plan, self._start_sums = plan.without_histogram(), start_sums
        self._tolerance = tolerance
        self._expected = [start_sums(), start_sums()]
        self._outcomes = [OutcomeTables(self._plan, 1) for _ in range(2)]
        self._labels = 0
        self._gaps: Mapping[str, EstimateGap] | None = None

    def ingest(self, block: OutcomeBlock, expected: ExpectedSums) -> None:
        """Add labelled rows, and their expected outcomes."""
        if self._labels >= STRETCH_LABELS:
            self._expected = [self._expected[1], self._start_sums()]
            self._outcomes = [self._outcomes[1], OutcomeTables(self._plan, 1)]
            self._labels = 0
        self._labels += block.rows
        self._expected[1].merge(expected)
        self._outcomes[1].update(block, np.zeros(block.rows, np.int64))
        self._gaps = None

    def find_refuted(
        self, compute: Callable[[ExpectedSums], Mapping[str, Estimate]]
    ) -> Mapping[str, EstimateGap]:
        """Return the gap of each measure whose estimate is wrong.

        compute: returns estimates from expected sums.
        """
        if self._gaps is None:
            self._gaps = self._find_gaps(compute)
        return self._gaps

    def _find_gaps(
        self, compute: Callable[[ExpectedSums], Mapping[str, Estimate]]
    ) -> dict[str, EstimateGap]:
        sums, outcomes = self._expected[0].copy(), self._outcomes[0].copy()
        sums.merge(self._expected[1])
        outcomes.merge(self._outcomes[1])
        realised, gaps = Performance(outcomes), {}
        for measure, expected in compute(sums).items():
            actual = realised.get(measure)
            if actual is None or measure not in (*_LOSSES, *_SHARES):
                continue
            difference = expected.value - actual.value
            half = widen(
                max(expected.high - expected.value, expected.value - expected.low),
                expected.count,
                error=_ERROR,
            )
            losses = expected.value, actual.value
            if measure in _SHARES:
                losses = 1 - expected.value, 1 - actual.value
            limit = half + self._tolerance * max(losses)
            if min(expected.count, actual.count) >= _LEAST_LABELS and abs(difference) > limit:
                gaps[measure] = EstimateGap(expected.value, actual.value, difference, actual.count)
        return gaps

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        tables = sum(outcomes.nbytes for outcomes in self._outcomes)
        return tables + sum(sums.nbytes for sums in self._expected)
