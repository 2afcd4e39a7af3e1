"""E-values of estimates, valid however often they are read."""

from math import hypot, log, log1p, log10

from mlmonitor.compare.performance.estimate import TWO_SIDED_95, Estimate
from mlmonitor.stats.sequential.normal_mixture import log_evidence

_PRIOR_ROWS = 100.0
"""Number of labels that weigh as much as the prior over alternatives."""


def log10_mixture_e_value(statistic: float, count: float, *, dimensions: int = 1) -> float:
    """Return the log10 e-value of a chi-squared statistic; 0 if there are no labels.

    The alternatives have a normal prior that weighs as much as `_PRIOR_ROWS` labels. For large
    counts, the probability that the e-value ever reaches `1 / a` without a change is at most `a`.
    count: the labels behind the statistic. dimensions: its degrees of freedom.
    Source: Waudby-Smith et al., "Time-uniform central limit theory" (2021).
    """
    if not statistic >= 0 or count <= 0:
        return 0.0
    growth = count / _PRIOR_ROWS
    log_e = statistic / 2 * growth / (1 + growth) - dimensions / 2 * log1p(growth)
    return log_e / log(10)


def log10_excess_e_value(estimate: Estimate, limit: float, *, deviation: float = 0.0) -> float:
    """Return the log10 e-value for a true value above `limit`; 0 if the estimate is not above it.

    deviation: the standard error of the limit, 0 if it is exact.
    """
    error = hypot(standard_error(estimate), deviation)
    return log_evidence(estimate.value - limit, error, estimate.count) / log(10)


def standard_error(estimate: Estimate) -> float:
    """Return the standard error that the 95% interval implies; NaN if there is no interval."""
    widths = (estimate.high - estimate.value, estimate.value - estimate.low)
    return max(widths) / TWO_SIDED_95


def required_log10_e_value(alpha: float) -> float:
    """Return the log10 e-value that keeps the probability of a false decision at most `alpha`."""
    return -log10(alpha)
