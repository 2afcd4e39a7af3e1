"""Running sums for means, differences of means and their confidence sequences."""

from typing import Final

import numpy as np

from mlmonitor.compare.performance.estimate import NAN, TWO_SIDED_95, Estimate
from mlmonitor.records import Floats
from mlmonitor.stats.sequential.normal_mixture import log_evidence, widen

MOST: Final = 1e140
"""Larger numbers are ignored, because sums of their squares would not be finite."""

_LEAST_WORTH = 1.5
"""With fewer independent values, the variance is unknown."""


class RunningMean:
    """Count, sum and sum of squares around the first value, which limits rounding errors."""

    def __init__(self) -> None:
        self.count: int = 0
        self._center = 0.0
        self._total = 0.0
        self._squares = 0.0

    def update(self, values: Floats) -> None:
        """Add numbers; NaN and numbers beyond `MOST` are ignored."""
        values = values[np.abs(values) <= MOST]
        if not values.size:
            return
        if not self.count:
            self._center = float(values[0])
        own = values - self._center
        self.count += values.size
        self._total += float(own.sum())
        self._squares += float((own * own).sum())

    @property
    def mean(self) -> float:
        """The mean; NaN if there is no value."""
        return self._center + self._total / self.count if self.count else NAN

    @property
    def mean_square(self) -> float:
        """The mean of the squared values; NaN if there is no value."""
        return self.mean**2 + self._compute_variance() if self.count else NAN

    def _compute_variance(self) -> float:
        """The population variance of the values."""
        with np.errstate(all="ignore"):
            offset = self._total / self.count
            return max(self._squares / self.count - offset * offset, 0.0)

    def error_variance(self, spare: float = 0.0, effect: float = 1.0) -> float:
        """Return the variance of the mean; infinite below two independent values.

        spare: the square of one additional, imagined value. Without it, a mean of values that are
        all equal so far would count as exact. effect: the design effect, how many rows count as
        one.
        """
        if self.count < 2 or self.count < _LEAST_WORTH * effect:
            return np.inf
        return effect * (self._compute_variance() / (self.count - 1) + spare / self.count**2)

    def estimate(self, alpha: float, effect: float = 1.0) -> Estimate:
        """Return the mean with a confidence sequence, which is valid at any time."""
        variance, rows = self.error_variance(effect=effect), self.count / effect
        return bound_mean(self.mean, variance, rows, self.count, alpha)


def bound_mean(mean: float, variance: float, rows: float, count: int, alpha: float) -> Estimate:
    """Return a mean with a confidence sequence of level `1 - alpha`.

    variance: the variance of the mean. rows: the size of one sample with this precision. count: the
    number of rows to report.
    """
    if not count or not np.isfinite(variance):
        return Estimate(mean, NAN, NAN, count)
    half = widen(TWO_SIDED_95 * float(np.sqrt(variance)), rows, error=alpha)
    return Estimate(mean, mean - half, mean + half, count)


def weigh_mean(mean: float, variance: float, rows: float) -> float:
    """Return the log10 e-value against a true mean of 0, at least 0."""
    if not np.isfinite(variance):
        return 0.0
    error = float(np.sqrt(variance))
    return max(log_evidence(abs(mean), error, rows), 0.0) / float(np.log(10))


def subtract_means(
    first: RunningMean,
    second: RunningMean,
    spare: float = 0.0,
    effects: tuple[float, float] = (1.0, 1.0),
) -> tuple[float, float, float]:
    """Return the first mean minus the second, over different rows, with its variance and its rows.

    The rows are the size of one sample with the same precision. effects: the design effect of each
    mean.
    """
    if not (first.count and second.count):
        return NAN, np.inf, 0.0
    own, other = first.count / effects[0], second.count / effects[1]
    variance = first.error_variance(spare, effects[0]) + second.error_variance(spare, effects[1])
    return first.mean - second.mean, variance, own * other / (own + other)
