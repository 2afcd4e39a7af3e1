"""Compare each positive of the training rows with some negatives, for the ROC AUC."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Floats

RANKED: Final = "roc_auc"
"""The measure: one minus the mean loss of the positives."""


def deal_out(positives: Floats, negatives: Floats) -> Floats:
    """Deal negatives to the positives in turn; return each positive's share of higher negatives.

    Arguments are scores. Ties count half. A positive without negatives gets NaN.
    """
    owners = np.arange(negatives.size) % positives.size
    above = (negatives > positives[owners]) + 0.5 * (negatives == positives[owners])
    dealt = np.bincount(owners, minlength=positives.size)
    with np.errstate(invalid="ignore"):
        shares: Floats = np.bincount(owners, above, positives.size) / dealt
    return shares


def pair_training_rows(plan: OutcomePlan, block: OutcomeBlock) -> Floats:
    """Return the loss of each positive, in a binary task with scores; empty for other tasks.

    The loss is the share of negatives with a higher score. No two positives share a negative, so
    that their losses are independent.
    """
    if plan.task != "binary" or not plan.scored:
        return np.empty(0)
    scores, classes = block.scores[0], block.actual_class
    is_scored = np.isfinite(scores)
    positives = scores[is_scored & (classes == plan.positive)]
    negatives = scores[is_scored & (classes == 1 - plan.positive)]
    if not positives.size:
        return np.empty(0)
    losses = deal_out(positives, negatives)
    return losses[np.isfinite(losses)]
