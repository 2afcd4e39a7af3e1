"""Evidence from estimates that may be looked at any number of times."""

from math import hypot, log, log1p, log10

from mlmonitor.compare.performance.estimate import TWO_SIDED_95, Estimate
from mlmonitor.stats.sequential.normal_mixture import log_evidence

_PRIOR_ROWS = 100.0
"""Labels after which the data outweigh the prior over alternatives."""


def log10_mixture_e_value(statistic: float, count: float, *, dimensions: int = 1) -> float:
    """Return the logarithm to base 10 of the e-value of a chi-squared statistic.

    The alternatives are mixed by a normal distribution as wide as `_PRIOR_ROWS` labels make it, so
    that the probability of ever reaching `1 / a` without a change is `a`, for large counts.
    Source: Waudby-Smith et al., "Time-uniform central limit theory" (2021).
    """
    if not statistic >= 0 or count <= 0:
        return 0.0
    growth = count / _PRIOR_ROWS
    log_e = statistic / 2 * growth / (1 + growth) - dimensions / 2 * log1p(growth)
    return log_e / log(10)


def log10_excess_e_value(estimate: Estimate, limit: float, *, deviation: float = 0.0) -> float:
    """Return the evidence that the true value is above a limit; 0 if the value itself is not.

    deviation: the standard error of the limit, 0 if it is exact.
    """
    error = hypot(standard_error(estimate), deviation)
    return log_evidence(estimate.value - limit, error, estimate.count) / log(10)


def standard_error(estimate: Estimate) -> float:
    """Return the standard error behind the interval; NaN if it has none."""
    widths = (estimate.high - estimate.value, estimate.value - estimate.low)
    return max(widths) / TWO_SIDED_95


def required_log10_e_value(alpha: float) -> float:
    """Return the evidence that a probability of `alpha` requires."""
    return -log10(alpha)
