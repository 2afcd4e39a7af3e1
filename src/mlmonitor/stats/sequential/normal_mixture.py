"""Anytime-valid evidence that an asymptotically normal estimate is beyond a bound."""

from typing import Final

import numpy as np

_TUNED_ROWS: Final = 500.0  # rows at which the boundary is tightest
_TUNED_LOG = 9.0  # the logarithm of 1 / alpha for which it is tightest


def log_evidence(distance: float, error: float, rows: float) -> float:
    """Return the log e-value of an estimate that is `distance` beyond its bound.

    distance: negative while the estimate is within its bound. error: the standard error.
    The evidence is that of Robbins' normal mixture; as the number of rows grows, the probability
    that it ever exceeds `ln(1 / alpha)` while the bound holds tends to at most `alpha`.
    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and
        asymptotic confidence sequences" (2024).
    """
    if not (distance > 0 and rows > 1 and np.isfinite(error)):
        return 0.0
    spread = rows * _choose_variance()
    z2 = min((distance / error) ** 2 if error > 0 else np.inf, 1e6)
    return float(z2 * spread / (2 * (spread + 1)) - np.log(spread + 1) / 2)


def widen(half_width: float, rows: float, *, error: float = 0.05) -> float:
    """Return the half width of a confidence sequence, given the half width of a 95% interval.

    error: the probability that the sequence ever misses the true value.
    """
    if rows < 1:
        return np.inf
    spread = rows * _choose_variance()
    factor = np.sqrt(2 * (spread + 1) / spread * np.log(np.sqrt(spread + 1) / error))
    return float(half_width * factor / 1.959963984540054)


def _choose_variance() -> float:
    """Return the mixture's variance per row that makes the boundary tightest at `_TUNED_ROWS`."""
    return float(2 * _TUNED_LOG + np.log(2 * _TUNED_LOG + 1)) / _TUNED_ROWS
