"""Lower bounds of the size of a change that are valid at all times simultaneously."""

import numpy as np

from mlmonitor.records import Floats
from mlmonitor.stats.distance import Table, psi, sampling_noise
from mlmonitor.stats.special import ONE_IN_TEN

COMMON_SHARE = 0.1
"""The share of a default bin, at which the tolerated PSI is converted to a relative change."""

_ERROR = 0.1  # probability that a bound ever exceeds the true value
_BEST_ROWS = 200.0  # rows at which the bound is narrowest


def psi_lower_sequence(reference: Table, current: Table) -> Floats:
    """Return a lower confidence bound of the PSI between the true distributions, `[fields]`.

    PSI divided by `1/n + 1/m` is approximately a non-central chi-square, whose root is nearly
    normal. The noise of the current rows is bounded at all times simultaneously, that of the
    reference only once, because the reference never changes.
    Promise: with 90% probability it never exceeds the true PSI, however often it is computed.
    Source: Patnaik, "The non-central chi-square and F distributions", 1949, for the root; Robbins,
        "Statistical methods related to the law of the iterated logarithm", 1970, for the boundary.
    """
    n, m = reference.sum(axis=1), current.sum(axis=1)
    noise = sampling_noise(n, m)
    freedom = np.maximum(np.count_nonzero(reference + current, axis=1) - 1.0, 0.0)
    ratio = psi(reference, current) / noise
    beyond = np.maximum(ratio - freedom, 0.0)
    spread = (freedom + 2 * beyond) / np.maximum(2 * (freedom + beyond), 1e-300)
    width = np.sqrt(spread * _compute_squared_widths(n, m) / noise)
    low: Floats = np.maximum(np.sqrt(np.maximum(ratio, 0.0)) - width, 0.0) ** 2 - freedom
    return np.nan_to_num(np.maximum(low, 0.0) * noise)


def bin_excess(reference: Table, current: Table, tolerance: float, least: float) -> Floats:
    """Return how far the share of any rare bin has changed beyond its tolerance, `[fields]`.

    A PSI of `tolerance` in a bin of `COMMON_SHARE` is a relative change of
    `sqrt(tolerance / COMMON_SHARE)`, which is 22% for 0.005. Rarer bins may change by the same
    relative amount, or by up to `least`. The result is positive only if a change exceeds both with
    90% confidence, for all bins and at all times simultaneously; otherwise it is 0.
    """
    n, m = reference.sum(axis=1, keepdims=True), current.sum(axis=1, keepdims=True)
    bins = np.maximum(np.count_nonzero(reference + current, axis=1, keepdims=True), 1)
    present = (reference + current) > 0
    p = (reference + 0.5 * present) / np.maximum(n + bins / 2, 1)
    q = (current + 0.5 * present) / np.maximum(m + bins / 2, 1)
    tolerated = np.maximum(np.sqrt(tolerance / COMMON_SHARE) * p, least)
    more = 2 * np.log(bins)
    variance = q * (1 - q) * (_find_uniform_boundary(m) + more) / np.maximum(m, 1)
    variance += p * (1 - p) * (ONE_IN_TEN**2 + more) / np.maximum(n, 1)
    is_rare = present & (p < COMMON_SHARE)
    beyond = np.where(is_rare, np.abs(q - p) - tolerated - np.sqrt(variance), 0.0)
    excess: Floats = np.maximum(beyond.max(axis=1, initial=0.0), 0.0)
    return np.where((n[:, 0] > 0) & (m[:, 0] > 0), excess, 0.0)


def _compute_squared_widths(n: Table, m: Table) -> Floats:
    """Return the sum of the squared boundaries of both samples, each divided by its rows."""
    current: Floats = _find_uniform_boundary(m) / np.maximum(m, 1)
    return current + ONE_IN_TEN**2 / np.maximum(n, 1)


def _find_uniform_boundary(rows: Table) -> Floats:
    """Return the squared boundary that a standardised sum crosses with probability `_ERROR`."""
    growth: Floats = np.maximum(rows, 1.0) / _BEST_ROWS
    squared: Floats = (1 + 1 / growth) * (2 * np.log(1 / (2 * _ERROR)) + np.log1p(growth))
    return squared
