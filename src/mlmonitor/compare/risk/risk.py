"""The risk of a live model: a mean loss with a confidence sequence, beside that at training."""

from typing import Literal, NamedTuple

RiskBasis = Literal["reference", "training_metrics", "first_labels", "objective"]


class Risk(NamedTuple):
    """A measure over the newest labels, with bounds that are valid at any time.

    Losses beyond `clip` count as `clip`, here and in `reference`, so that one wild error decides
    nothing; for accuracy, recall, precision and Brier score there are none.

    value: over the `count` newest labels, at least 500 if there are that many; while the alert
    fires, over those since the change. low, high: a 95% confidence sequence for its mean.
    reference: the measure at training, which `basis` names: the reference's own losses, the
    `training_metrics` that it was given, or the first labels of this process. tolerance: relative
    growth of the loss that is ignored. limit: the measure beyond which it is not. log10_e_value:
    the evidence that the limit is exceeded. is_firing: whether its alert is firing. waiting: labels
    of cohorts that are not mature enough to count; see `Config.performance_maturity`.
    """

    measure: str
    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # no one counts a tuple's elements here
    reference: float
    tolerance: float
    limit: float
    clip: float
    log10_e_value: float
    basis: RiskBasis
    is_firing: bool
    waiting: int = 0
