"""Whether labels depend on predictions at all, in any unit and under any class names."""

from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Counts, Floats

_LEAST_EACH = 10  # minimum rows of each of two classes
_BY_CHANCE = 2.0  # standard errors up to which an association may be due to chance
_ERRORS = 3.0  # standard errors by which the association may exceed its estimate


class Association(NamedTuple):
    """How closely labels follow predictions, from 0 to 1.

    error: the standard error if labels and predictions are independent.
    """

    value: float
    error: float

    @property
    def may_be_none(self) -> bool:
        """Whether the value is no larger than in most samples of independent pairs."""
        return self.value <= _BY_CHANCE * self.error

    @property
    def high(self) -> float:
        """An upper bound of the true value, which is exceeded once in a thousand samples."""
        return self.value + _ERRORS * self.error


def measure_association(plan: OutcomePlan, block: OutcomeBlock) -> Association | None:
    """Return the association of some pairs; None if they cannot show any.

    Numbers: Spearman's correlation. Scores of two classes: Somers' D, which is twice the area under
    the ROC curve minus one. Classes: Cramer's V, corrected for bias. None of them changes if labels
    have another unit or level, and all stay large if classes are exchanged.
    """
    if plan.task == "regression":
        return _correlate_ranks(block)
    if plan.task == "binary" and plan.has_scores:
        return _compare_scores(plan, block)
    return _associate_classes(plan, block)


def _correlate_ranks(block: OutcomeBlock) -> Association | None:
    is_pair = np.isfinite(block.predicted) & np.isfinite(block.actual)
    predicted, actual = _rank(block.predicted[is_pair]), _rank(block.actual[is_pair])
    if predicted.size <= _LEAST_EACH or predicted.std() == 0 or actual.std() == 0:
        return None
    value = abs(float(np.corrcoef(predicted, actual)[0, 1]))
    return Association(value, predicted.size**-0.5)


def _rank(values: Floats) -> Floats:
    """Return the rank of each value; equal values get the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: Floats = np.cumsum(counts) - (counts - 1) / 2
    return means[places]


def _compare_scores(plan: OutcomePlan, block: OutcomeBlock) -> Association | None:
    scores, actual = block.scores[0], block.actual_class
    is_scored = np.isfinite(scores) & ((actual == plan.positive) | (actual == 1 - plan.positive))
    ranks, is_positive = _rank(scores[is_scored]), actual[is_scored] == plan.positive
    positives = int(is_positive.sum())
    negatives = is_positive.size - positives
    if min(positives, negatives) < _LEAST_EACH or ranks.std() == 0:
        return None
    above = float(ranks[is_positive].sum()) - positives * (positives + 1) / 2
    value = abs(2 * above / (positives * negatives) - 1)
    error = ((is_positive.size + 1) / (3 * positives * negatives)) ** 0.5
    return Association(value, error)


def _associate_classes(plan: OutcomePlan, block: OutcomeBlock) -> Association | None:
    table = count_classes(plan, block).astype(np.float64)
    table = table[np.ix_(table.sum(axis=1) > 0, table.sum(axis=0) > 0)]
    rows, most = float(table.sum()), min(table.shape) - 1
    if most < 1 or rows - table.sum(axis=1).max() < _LEAST_EACH:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    excess = float(((table - expected) ** 2 / expected).sum())
    freedom = float((table.shape[0] - 1) * (table.shape[1] - 1))
    # The statistic has a standard deviation of sqrt(2 freedom) if the classes are independent.
    deviation = (2 * freedom) ** 0.5 / (rows * most)
    share = max(excess - freedom, 0.0) / (rows * most)
    if share <= _BY_CHANCE * deviation:
        return Association(0.0, ((share + _ERRORS * deviation) ** 0.5) / _ERRORS)
    high = share + _ERRORS * deviation
    return Association(share**0.5, (high**0.5 - share**0.5) / _ERRORS)


def count_classes(plan: OutcomePlan, block: OutcomeBlock) -> Counts:
    """Return counts of pairs `[actual class, predicted class]`, by code."""
    size = len(plan.classes) + 1
    is_pair = (block.actual_class >= 0) & (block.predicted_class >= 0)
    codes = block.actual_class[is_pair] * size + block.predicted_class[is_pair]
    return np.bincount(codes, minlength=size * size).reshape(size, size).astype(np.int64)


def imply_association(loss: float, chance_loss: float, *, measure: str) -> float:
    """Return a lower bound of the association between labels and predictions with this loss.

    chance_loss: the loss of the same predictions paired with actuals of other rows. For normal
    numbers the squared ratio of both losses is `1 - 2 r a b / (a^2 + b^2)`, with standard
    deviations `a` and `b`, so one minus it is at most the correlation `r`.
    """
    if not 0 < chance_loss < np.inf:
        return 0.0
    ratio = min(loss / chance_loss, 1.0)
    return 1.0 - (ratio**2 if measure == "mae" else ratio)
