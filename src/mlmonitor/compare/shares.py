"""Shares of bad values: what chance makes of them at so many rows, and what they surely are."""

import numpy as np

from mlmonitor.compare.alarm import Mask
from mlmonitor.compare.special import log_gamma
from mlmonitor.records import Counts, Floats

_EXACT = 64  # counts that are added up one by one; beyond, their law is smooth enough
_ONE_IN_A_HUNDRED = 2.3263478740408408  # of the normal distribution
_ONE_IN_TEN = 1.2815515655446004


def critical_share(belief: Floats, rows: Counts) -> Floats:
    """The share that one window in a hundred of so many rows passes, or fewer.

    belief: `[streams, 2]`, what is known of bad and good values, in counts: the number of bad ones
    is then beta-binomial. Exact up to 64 of them; beyond by a gamma law of the same mean and
    variance, after Wilson and Hilferty. NaN without rows.
    """
    n = np.maximum(rows.astype(np.float64), 1.0)
    exact, is_exact = _exact_point(belief, n)
    whole = belief.sum(axis=1)
    share = belief[:, 0] / whole
    mean = n * share
    variance = mean * (1 - share) * (whole + n) / (whole + 1)
    shape = np.maximum(mean**2 / np.maximum(variance, 1e-300), 1e-300)
    root = 1 - 1 / (9 * shape) + _ONE_IN_A_HUNDRED / (3 * np.sqrt(shape))
    smooth = np.ceil(np.minimum(mean * np.maximum(root, 0.0) ** 3, n))
    return np.where(rows > 0, np.where(is_exact, exact, smooth) / n, np.nan)


def _exact_point(belief: Floats, n: Floats) -> tuple[Floats, Mask]:
    """The 99 % point of each beta-binomial law, and where it was met within `_EXACT`."""
    bad, good = belief[:, 0], belief[:, 1]
    none = log_gamma(good + n) - log_gamma(bad + good + n) - log_gamma(good) + log_gamma(bad + good)
    k = np.arange(_EXACT, dtype=np.float64)[None, :]
    left = np.maximum(n[:, None] - k, 0.0)
    # Where none is left the chance of one more is 0, whatever stands below the line.
    below = np.maximum((k + 1) * (good[:, None] + n[:, None] - k - 1), 1e-300)
    steps = left * (bad[:, None] + k) / below
    chances = np.exp(none)[:, None] * np.cumprod(np.hstack([np.ones((len(n), 1)), steps]), axis=1)
    is_beyond = np.cumsum(chances, axis=1) >= 0.99
    is_met: Mask = np.any(is_beyond, axis=1)
    return is_beyond.argmax(axis=1).astype(np.float64), is_met


def growth_low(belief: Floats, bad: Counts, rows: Counts) -> Floats:
    """A lower confidence bound, at 90 %, of how much a share of bad values has grown.

    From the variances of both shares, half a count added to the newer; below zero where it may as
    well have shrunk.
    """
    n = rows + 1.0
    now, whole = (bad + 0.5) / n, belief.sum(axis=1)
    before = belief[:, 0] / whole
    variance = now * (1 - now) / n + before * (1 - before) / (whole + 1)
    low: Floats = now - before - _ONE_IN_TEN * np.sqrt(np.maximum(variance, 0.0))
    return np.where(rows > 0, low, -1.0)
