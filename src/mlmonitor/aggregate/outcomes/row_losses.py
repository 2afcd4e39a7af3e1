"""Losses of single rows, and the bins in which they are counted."""

from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Counts, Floats

LOSS_BINS = 40
"""Bins of a loss that is a number; a loss that is 0 or 1 has two."""

REVERSED = frozenset({"accuracy", "recall", "precision", "roc_auc", "ndcg", "mrr"})
"""Measures for which higher is better; the loss is one minus the measure."""

BOUNDED = REVERSED | {"brier"}
"""Measures whose loss lies between 0 and 1."""

_ZERO_OR_ONE = frozenset({"accuracy", "recall", "precision", "error_rate"})


def measure_losses(plan: OutcomePlan, block: OutcomeBlock) -> dict[str, Floats]:
    """Return the loss of each row by measure, NaN where a row does not count.

    The mean loss is the measure itself, or one minus the measure if higher is better. Recall counts
    the rows of the positive class, precision the rows predicted as this class.
    """
    if plan.task == "regression":
        with np.errstate(all="ignore"):
            return {"mae": np.abs(block.predicted - block.actual)}
    if plan.task == "ranking":
        return {name: 1.0 - block.means[name] for name in ("ndcg", "mrr")}
    predicted, actual = block.predicted_class, block.actual_class
    is_unknown = (predicted == len(plan.classes)) & (actual == len(plan.classes))
    is_pair = (predicted >= 0) & (actual >= 0) & ~is_unknown
    is_wrong = np.where(is_pair, predicted != actual, np.nan)
    losses = {"accuracy": is_wrong}
    if plan.task == "binary":
        losses["recall"] = np.where(actual == plan.positive, is_wrong, np.nan)
        losses["precision"] = np.where(predicted == plan.positive, is_wrong, np.nan)
    if "brier" in block.means:
        # Over several classes a Brier score lies between 0 and 2.
        losses["brier"] = block.means["brier"] / (1.0 if plan.task == "binary" else 2.0)
    return losses


def loss_measures(plan: OutcomePlan) -> tuple[str, ...]:
    """Return the measures that `measure_losses` returns for this plan."""
    if plan.task == "regression":
        return ("mae",)
    if plan.task == "ranking":
        return ("ndcg", "mrr")
    binary = ("recall", "precision") if plan.task == "binary" else ()
    return ("accuracy", *binary, *(("brier",) if "brier" in plan.mean_names else ()))


class LossBins(NamedTuple):
    """The bins of one measure's loss: of equal width up to `scale`; larger losses count as `scale`.

    is_floor: whether a loss counts as the lower end of its bin instead of the middle. The mean is
    then never overstated, so it can be compared with a mean that was not computed from bins.
    """

    measure: str
    scale: float
    is_floor: bool = False

    @property
    def values(self) -> Floats:
        """The value that stands for the losses in each bin, as a share of `scale`."""
        if self.measure in _ZERO_OR_ONE:
            return np.array([0.0, 1.0])
        values: Floats = (np.arange(LOSS_BINS) + (0.0 if self.is_floor else 0.5)) / LOSS_BINS
        values[-1] = 1.0
        return values

    def count_losses(self, losses: Floats) -> Floats:
        """Return the counts of losses by bin, then the sum of all losses; NaN does not count."""
        whole: Floats = self.count_parts(losses, max(losses.size, 1))[0]
        return whole

    def count_parts(self, losses: Floats, rows: int) -> Floats:
        """Return `count_losses` of every `rows` consecutive losses, `[parts, bins + 1]`."""
        size = 2 if self.measure in _ZERO_OR_ONE else LOSS_BINS
        is_counted = ~np.isnan(losses)
        part, losses = (np.arange(losses.size) // rows)[is_counted], losses[is_counted]
        parts = max(-(-is_counted.size // rows), 1)
        totals = np.empty((parts, size + 1))
        with np.errstate(over="ignore"):
            shares = np.minimum(losses / self.scale, 1.0)
            neighbours = np.split(losses, np.searchsorted(part, np.arange(1, parts)))
            totals[:, -1] = [losses_of_part.sum() for losses_of_part in neighbours]
        places = np.minimum((shares * size).astype(np.int64), size - 1)
        counts = np.bincount(part * size + places, minlength=parts * size)
        totals[:, :-1] = counts.reshape(parts, size)
        return totals

    @classmethod
    def fit(cls, measure: str, losses: Floats) -> "LossBins":
        """Return the bins of a measure; `scale` is the 99% quantile if losses are unbounded."""
        losses = losses[np.isfinite(losses)]
        if measure in BOUNDED or not losses.size:
            return cls(measure, 1.0)
        scale = float(np.quantile(losses, 0.99))
        return cls(measure, scale if scale > 0 else float(losses.max()) or 1.0)

    def mean_loss(self, counts: Counts) -> float:
        """Return the mean of counted losses, in the unit of the loss."""
        return self.scale * float(self.values @ counts) / max(int(counts.sum()), 1)


def to_measure(measure: str, loss: float) -> float:
    """Convert a mean loss to its measure, or a measure to its mean loss."""
    return 1.0 - loss if measure in REVERSED else loss
