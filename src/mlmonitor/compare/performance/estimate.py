"""Estimate: the value of a measure with its confidence interval, and intervals of all kinds."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor.by_name import describe_unknown
from mlmonitor.errors import UnknownName

NAN = float("nan")
Basis = Literal["realised", "estimated", "reference"]

TWO_SIDED_95 = 1.959963984540054
"""The two-sided 5% critical value of the standard normal distribution."""


_LOSSES = frozenset({"mae", "rmse", "mape", "wape", "pinball", "log_loss"})
_SHARES = frozenset(
    {
        *("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy"),
        *("roc_auc", "pr_auc", "ece", "brier", "ndcg", "mrr"),
    }
)


class Estimate(NamedTuple):
    """The value of a measure with its 95% confidence interval.

    count: the number of labelled predictions. basis: `realised` from labels, `estimated` without
    them, or `reference` for a value measured at training. low, high: NaN if there are too few
    labels for an interval.
    """

    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    basis: Basis = "realised"


def estimate(value: float, variance: float, count: float, *, low: float, high: float) -> Estimate:
    """Return a value with a normal interval, clipped to the bounds of its measure.

    variance: the variance of the value, not of a row. The interval is NaN below two rows.
    """
    if count < 2 or not np.isfinite(variance):
        return Estimate(float(value), NAN, NAN, int(count))
    value, half = float(value), TWO_SIDED_95 * float(np.sqrt(max(variance, 0.0)))
    return _cover(Estimate(value, value - half, value + half, int(count)), float(low), float(high))


def bounds_of(measure: str, task: str = "binary") -> tuple[float, float]:
    """Return the smallest and the largest value of a measure; infinite if it has no bound.

    task: decides the bound of the Brier score, which reaches 2 for several classes and 1 for two.
    """
    if measure == "brier" and task == "multiclass":
        return 0.0, 2.0
    if measure in _SHARES:
        return 0.0, 1.0
    return 0.0 if measure in _LOSSES else -np.inf, 1.0 if measure == "r2" else np.inf


def clip_interval(estimate: Estimate, measure: str, task: str = "binary") -> Estimate:
    """Clip the interval of an estimate to the bounds of its measure; NaN stays NaN."""
    least, most = bounds_of(measure, task)
    return _cover(estimate, least, most)


def estimate_on_scale(
    value: float, deviation: float, count: int, bounds: tuple[float, float]
) -> Estimate:
    """Return a value with its interval, on the logit scale, or on the log scale if unbounded above.

    The interval never leaves the bounds, and a value beyond them is set to the bound. deviation:
    the standard error of the value; NaN for no interval. bounds: the lower one must be 0.
    """
    least, most = bounds
    value, half = float(np.clip(value, least, most)), TWO_SIDED_95 * deviation
    sides = np.array([-half, half])
    if not least < value < most:
        ends = value + sides
    else:
        with np.errstate(over="ignore", divide="ignore"):
            if np.isfinite(most):
                slope = most / (value * (most - value))
                odds = value / (most - value) * np.exp(sides * slope)
                ends = most / (1.0 + 1.0 / odds)
            else:
                ends = value * np.exp(sides / value)
    return _cover(Estimate(value, float(ends[0]), float(ends[1]), count), least, most)


def _cover(estimate: Estimate, least: float, most: float) -> Estimate:
    """Clip an interval to bounds, and extend it to the value if rounding had excluded it."""
    low, high = (float(np.clip(end, least, most)) for end in (estimate.low, estimate.high))
    return estimate._replace(low=min(low, estimate.value), high=max(high, estimate.value))


def estimate_mean(
    count: float, total: float, squares: float, *, low: float = -np.inf, high: float = np.inf
) -> Estimate:
    """Return the mean of row values with its interval, from their count, sum and sum of squares."""
    if count == 0:
        return Estimate(NAN, NAN, NAN, 0)
    with np.errstate(all="ignore"):
        mean = total / count
        variance = max(squares / count - mean * mean, 0.0) / max(count - 1, 1)
    return estimate(mean, variance, count, low=low, high=high)


def estimate_proportion(successes: float, trials: float) -> Estimate:
    """Return a proportion with Wilson's interval. Source: Wilson (1927)."""
    if trials == 0:
        return Estimate(NAN, NAN, NAN, 0)
    trials = float(trials)
    share, z2 = float(successes) / trials, TWO_SIDED_95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = share * (1 - share) / trials + z2 / (4 * trials * trials)
    half = TWO_SIDED_95 * float(np.sqrt(spread)) / (1 + z2 / trials)
    return _cover(Estimate(share, middle - half, middle + half, int(trials)), 0.0, 1.0)


class MeasuresByName(Mapping[str, Estimate]):
    """Measures of one model by name, each an `Estimate`. Immutable."""

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of predictions behind the measures."""

    @property
    @abstractmethod
    def _estimates(self) -> Mapping[str, Estimate]:
        """All measures that are known."""

    def __getitem__(self, measure: str) -> Estimate:
        estimates = self._estimates
        if measure not in estimates:
            raise UnknownName(describe_unknown(measure, estimates, "measure"))
        return estimates[measure]

    def __iter__(self) -> Iterator[str]:
        return iter(self._estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __repr__(self) -> str:
        pairs = (f"{name}={estimate.value:.4g}" for name, estimate in self.items())
        return f"{type(self).__name__}(count={self.count}, {', '.join(pairs)})"
