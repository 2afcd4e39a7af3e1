"""Proportions of invalid values: their critical value, and a lower bound of their growth."""

import numpy as np

from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.special import ONE_IN_A_HUNDRED, ONE_IN_TEN, log_gamma

_EXACT = 64  # counts that are added up one by one; beyond, their law is smooth enough
_EXACT_ROWS = 1e9  # beyond, the difference of two logarithms of gamma loses its digits


def critical_share(belief: Floats, rows: Counts) -> Floats:
    """The share that at most one window in a hundred of this many rows exceeds.

    belief: `[streams, 2]`, what is known of bad and good values, in counts: the number of bad ones
    is then beta-binomial. Exact up to 64 of them; beyond by a beta law of the same mean and
    variance. NaN without rows.
    Source: for the beta law Paulson, "An approximate normalization of the analysis of variance
        distribution", 1942, which rests on Wilson and Hilferty.
    """
    n = np.maximum(rows.astype(np.float64), 1.0)
    exact, is_exact = _exact_point(belief, np.minimum(n, _EXACT_ROWS))
    whole = belief.sum(axis=1)
    share = belief[:, 0] / whole
    # The variance of a share of n values is that of their law's, and of the draw from it.
    trust = np.maximum(n * (whole + 1) / (whole + n) - 1, 1e-3)
    smooth = np.ceil(_beta_point(share * trust, (1 - share) * trust) * n)
    return np.where(rows > 0, np.where(is_exact & (n <= _EXACT_ROWS), exact, smooth) / n, np.nan)


def _beta_point(bad: Floats, good: Floats) -> Floats:
    """The 99 % point of beta laws."""
    a, b, z = 1 / (9 * good), 1 / (9 * bad), ONE_IN_A_HUNDRED
    below = (1 - a) ** 2 - a * z**2
    inside = (1 - a) ** 2 * b + (1 - b) ** 2 * a - a * b * z**2
    root = (1 - a) * (1 - b) + z * np.sqrt(np.maximum(inside, 0.0))
    odds = bad / good * np.maximum(root / np.where(below > 0, below, 1.0), 0.0) ** 3
    return np.where(below > 0, odds / (1 + odds), 1.0)


def _exact_point(belief: Floats, n: Floats) -> tuple[Floats, Mask]:
    """The 99 % point of each beta-binomial law, and where it was met within `_EXACT`."""
    bad, good = belief[:, 0], belief[:, 1]
    none = log_gamma(good + n) - log_gamma(bad + good + n) - log_gamma(good) + log_gamma(bad + good)
    k = np.arange(_EXACT, dtype=np.float64)[None, :]
    left = np.maximum(n[:, None] - k, 0.0)
    # Where none is left the chance of one more is 0, for any denominator.
    below = np.maximum((k + 1) * (good[:, None] + n[:, None] - k - 1), 1e-300)
    steps = left * (bad[:, None] + k) / below
    chances = np.exp(none)[:, None] * np.cumprod(np.hstack([np.ones((len(n), 1)), steps]), axis=1)
    is_beyond = np.cumsum(chances, axis=1) >= 0.99
    is_met: Mask = np.any(is_beyond, axis=1)
    return is_beyond.argmax(axis=1).astype(np.float64), is_met


def growth_lower_bound(belief: Floats, bad: Counts, rows: Counts) -> Floats:
    """A lower confidence bound, at 90 %, of how much a share of bad values has grown.

    From the variances of both shares, half a count added to the newer; below zero where it may as
    well have shrunk.
    """
    n = rows + 1.0
    now, whole = (bad + 0.5) / n, belief.sum(axis=1)
    before = belief[:, 0] / whole
    variance = now * (1 - now) / n + before * (1 - before) / (whole + 1)
    low: Floats = now - before - ONE_IN_TEN * np.sqrt(np.maximum(variance, 0.0))
    return np.where(rows > 0, low, -1.0)
