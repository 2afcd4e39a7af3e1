"""Proportions of invalid values: their critical value, and a lower bound of their growth."""

import numpy as np

from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.special import ONE_IN_A_HUNDRED, ONE_IN_TEN, log_gamma

_EXACT = 64  # counts that are summed exactly; beyond, a smooth law is accurate enough
_EXACT_ROWS = 1e9  # beyond, the difference of two log-gamma values loses its digits


def critical_share(belief: Floats, rows: Counts) -> Floats:
    """Return the share of invalid values that at most 1% of windows with `rows` rows exceed.

    belief: `[streams, 2]`, prior counts of invalid and valid values, so the number of invalid
    values is beta-binomial. The result is exact up to 64 invalid values; beyond, a beta
    distribution of the same mean and variance is used. NaN if there are no rows.
    Source: Paulson, "An approximate normalization of the analysis of variance distribution", 1942,
        for the beta distribution; it uses Wilson and Hilferty's approximation.
    """
    streams = np.array([*belief.T, rows])
    order = np.lexsort(streams)  # most streams are alike: each kind is computed once
    streams = streams[:, order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (streams[:, 1:] != streams[:, :-1]).any(axis=0)
    kinds = streams[:, is_first]
    shares = np.empty(len(order))
    shares[order] = _find_critical_share(kinds[:2].T, kinds[2])[np.cumsum(is_first) - 1]
    return shares


def _find_critical_share(belief: Floats, rows: Floats) -> Floats:
    n = np.maximum(rows, 1.0)
    exact, is_exact = _find_exact_point(belief, np.minimum(n, _EXACT_ROWS))
    whole = belief.sum(axis=1)
    share = belief[:, 0] / whole
    # The variance of a share of n values: that of the beta law plus that of the draw.
    trust = np.maximum(n * (whole + 1) / (whole + n) - 1, 1e-3)
    smooth = np.ceil(_find_beta_point(share * trust, (1 - share) * trust) * n)
    return np.where(rows > 0, np.where(is_exact & (n <= _EXACT_ROWS), exact, smooth) / n, np.nan)


def _find_beta_point(invalid: Floats, valid: Floats) -> Floats:
    """Return the 99% quantile of beta distributions."""
    a, b, z = 1 / (9 * valid), 1 / (9 * invalid), ONE_IN_A_HUNDRED
    below = (1 - a) ** 2 - a * z**2
    inside = (1 - a) ** 2 * b + (1 - b) ** 2 * a - a * b * z**2
    root = (1 - a) * (1 - b) + z * np.sqrt(np.maximum(inside, 0.0))
    odds = invalid / valid * np.maximum(root / np.where(below > 0, below, 1.0), 0.0) ** 3
    return np.where(below > 0, odds / (1 + odds), 1.0)


def _find_exact_point(belief: Floats, n: Floats) -> tuple[Floats, Mask]:
    """Return the 99% quantile of beta-binomial distributions, and whether it is below `_EXACT`."""
    invalid, valid = belief[:, 0], belief[:, 1]
    none = (
        log_gamma(valid + n)
        - log_gamma(invalid + valid + n)
        - log_gamma(valid)
        + log_gamma(invalid + valid)
    )
    k = np.arange(_EXACT, dtype=np.float64)[None, :]
    left = np.maximum(n[:, None] - k, 0.0)
    # Once all rows are invalid, the probability of one more is 0.
    below = np.maximum((k + 1) * (valid[:, None] + n[:, None] - k - 1), 1e-300)
    steps = left * (invalid[:, None] + k) / below
    probabilities = np.exp(none)[:, None] * np.cumprod(
        np.hstack([np.ones((len(n), 1)), steps]), axis=1
    )
    is_beyond = np.cumsum(probabilities, axis=1) >= 0.99
    is_within: Mask = np.any(is_beyond, axis=1)
    return is_beyond.argmax(axis=1).astype(np.float64), is_within


def growth_lower_bound(belief: Floats, invalid: Counts | Floats, rows: Counts | Floats) -> Floats:
    """Return a lower 90% confidence bound of the growth of a share of invalid values.

    It uses the variances of both shares; half a count is added to the newer count. The bound is
    negative if the share may not have grown, and -1 if there are no rows.
    """
    n = rows + 1.0
    now, whole = (invalid + 0.5) / n, belief.sum(axis=1)
    before = belief[:, 0] / whole
    variance = now * (1 - now) / n + before * (1 - before) / (whole + 1)
    low: Floats = now - before - ONE_IN_TEN * np.sqrt(np.maximum(variance, 0.0))
    return np.where(rows > 0, low, -1.0)
