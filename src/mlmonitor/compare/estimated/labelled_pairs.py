"""Adapter that passes pairs of predictions and actuals to an estimator."""

from collections.abc import Sequence

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.compare.estimated.estimator import Estimator
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.records import Floats


class LabelledPairs:
    """Passes labelled pairs to an estimator."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    def begin(self, plan: OutcomePlan, effects: GroupEffects | None) -> None:
        """Prepare for pairs of this task; the groups of their rows are ignored."""
        del effects
        self._estimator.begin(plan)

    def ingest(self, block: OutcomeBlock, predicted_at: Floats) -> None:
        """Add pairs; the time of prediction is ignored."""
        del predicted_at
        self._estimator.ingest_pairs(block)


def listeners_of(estimator: Estimator | None) -> Sequence[LabelledPairs]:
    """Return the listener that passes pairs to the estimator; empty if there is no estimator."""
    return () if estimator is None else (LabelledPairs(estimator),)
