"""Losses of a ranking by scores: how often negatives have a higher score than a positive."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Floats, Mask
from mlmonitor.reference.training_losses.rank_pairs import RANKED, deal_out

MOST_WAITING: Final = 1_000
"""Maximum number of negatives that wait for the next positive; older ones are dropped."""


class RankLosses:
    """The loss of each positive: the share of its negatives that have a higher score.

    The negatives of a block, and those that wait, are dealt in turn to its positives. No two losses
    share a row, so they are as independent as the rows. Their mean is one minus ROC AUC. Price: 8
    kB.
    """

    def __init__(self, plan: OutcomePlan) -> None:
        self._plan = plan
        self._waiting: Floats = np.empty(0)

    def measure(self, block: OutcomeBlock) -> Floats:
        """Return the loss of each row; NaN for negatives, and for positives without a negative."""
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
    """Return the measures computed from rank losses: one for scores of two classes, or none."""
    return (RANKED,) if plan.task == "binary" and plan.scored else ()
