"""The risk of a live model: a mean loss with a confidence sequence, and its baseline."""

from typing import Literal, NamedTuple

RiskBasis = Literal["reference", "training_metrics", "first_labels", "objective"]


class Risk(NamedTuple):
    """A measure over the newest labels, with bounds that are valid at any time.

    Losses larger than `clip` count as `clip`, in `reference` as well, so that a single extreme
    error has little effect. Accuracy, recall, precision and Brier score have no losses beyond it.

    value: the measure over the `count` newest labels, at least 500 if there are that many; while
        the alert is firing, over those since the change.
    low, high: a 95% confidence sequence of the measure.
    reference: the measure at training, from the source in `basis`: the reference's own losses, the
        `training_metrics` that it was given, or the first labels of this process.
    tolerance: relative growth of the loss that is ignored.
    limit: the measure at which the tolerance ends.
    log10_e_value: the evidence that the limit is exceeded.
    is_firing: whether its alert is firing.
    waiting: labels of cohorts that are not mature enough to count; see
        `Config.performance_maturity`.
    """

    measure: str
    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    reference: float
    tolerance: float
    limit: float
    clip: float
    log10_e_value: float
    basis: RiskBasis
    is_firing: bool
    waiting: int = 0
