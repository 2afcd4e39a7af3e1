"""Losses of pairs of a positive and negatives: how often the negatives have a higher score."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Floats, Mask
from mlmonitor.reference.training_losses.rank_pairs import RANKED, deal_out

MOST_WAITING: Final = 1_000
"""Negatives that wait for the next positive; older ones are dropped."""


class RankLosses:
    """The loss of each positive: the share of some negatives that have a higher score.

    The negatives of a block, and those that wait, are dealt out in turn to its positives, so that
    the losses of two positives share no row, and are as independent as the rows are. Their mean is
    one minus ROC AUC. Price: 8 kB.
    """

    def __init__(self, plan: OutcomePlan) -> None:
        self._plan = plan
        self._waiting: Floats = np.empty(0)

    def measure(self, block: OutcomeBlock) -> Floats:
        """Return the loss of each row, NaN for all but positives that were dealt a negative."""
        scores, classes = block.scores[0], block.actual_class
        is_scored: Mask = np.isfinite(scores)
        is_positive = is_scored & (classes == self._plan.positive)
        own = scores[is_scored & (classes == 1 - self._plan.positive)]
        negatives = np.concatenate([self._waiting, own])
        losses = np.full(block.rows, np.nan)
        if not is_positive.any():
            self._waiting = negatives[-MOST_WAITING:]
            return losses
        self._waiting = np.empty(0)
        losses[is_positive] = deal_out(scores[is_positive], negatives)
        return losses


def ranked_measures(plan: OutcomePlan) -> tuple[str, ...]:
    """Return the measure of such losses, if the task has one."""
    return (RANKED,) if plan.task == "binary" and plan.scored else ()
