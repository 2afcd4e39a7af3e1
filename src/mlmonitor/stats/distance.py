"""Distances between two histograms over the same bins: pure functions of counts.

All take counts `[fields, bins]` of the reference and of the window, missing values last, and return
one number a field, or NaN if either side has no counts. A bin that is empty on both sides is
ignored, so fields with fewer bins can be padded.
"""

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.special import ONE_IN_A_HUNDRED, ONE_IN_TEN

Table = Counts | Floats
"""Counts, or expected counts."""


def psi(reference: Table, current: Table) -> Floats:
    """Population stability index: the sum of `(q - p) ln(q / p)`, in nats, from 0 upwards.

    Half a count is added to every bin, so that a bin that is empty on one side stays finite. The
    mean of PSI without drift is about `(1/n + 1/m)(bins - 1)`, not zero, so rules of thumb such as
    0.2 do not apply to small windows.
    Source: Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020.
    """
    present = (reference + current) > 0
    p = _smooth(reference, present)
    q = _smooth(current, present)
    return _keep_where_both(reference, current, ((q - p) * np.log(q / p)).sum(axis=1))


def chi_square_point(freedom: Floats) -> Floats:
    """Return the 99% quantile of chi-square distributions, after Wilson and Hilferty."""
    spread = 2 / (9 * freedom)
    point: Floats = freedom * (1 - spread + ONE_IN_A_HUNDRED * np.sqrt(spread)) ** 3
    return point


def jensen_shannon(reference: Table, current: Table) -> Floats:
    """Jensen-Shannon distance: the root of the divergence to base 2, from 0 to 1, unsmoothed.

    Source: Lin, "Divergence measures based on the Shannon entropy", 1991; Endres and Schindelin,
    "A new metric for probability distributions", 2003.
    """
    p, q = _compute_shares(reference), _compute_shares(current)
    middle = (p + q) / 2
    divergence = (_compute_relative_entropy(p, middle) + _compute_relative_entropy(q, middle)) / 2
    return _keep_where_both(reference, current, np.sqrt(np.clip(divergence, 0.0, 1.0)))


def _compute_relative_entropy(p: Floats, q: Floats) -> Floats:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    entropy: Floats = (p * np.log2(ratio)).sum(axis=1)
    return entropy


def _smooth(counts: Table, present: NDArray[np.bool_]) -> Floats:
    """Return shares with half a count added to each present bin; 1 for absent ones, so log is 0."""
    halved = np.where(present, counts + 0.5, 0.0)
    whole = np.maximum(halved.sum(axis=1, keepdims=True), 0.5)
    return np.where(present, halved / whole, 1.0)


def _compute_shares(counts: Table) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _keep_where_both(reference: Table, current: Table, distance: Floats) -> Floats:
    has_both = (reference.sum(axis=1) > 0) & (current.sum(axis=1) > 0)
    return np.where(has_both, distance, np.nan)


def psi_debiased(reference: Table, current: Table) -> Floats:
    """PSI minus its mean without drift: about zero without drift, so often negative.

    Source: Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020.
    """
    return psi(reference, current) - _compute_noise(reference, current) * _count_freedom(
        reference, current
    )


def psi_low(reference: Table, current: Table) -> Floats:
    """A lower 90% confidence bound of the PSI between the true distributions.

    PSI divided by `1/n + 1/m` is approximately a non-central chi-square, whose non-centrality is
    the true PSI divided by the same. The bound follows from its mean and variance (after Potgieter
    et al., arXiv 2307.11878).
    """
    noise, freedom = _compute_noise(reference, current), _count_freedom(reference, current)
    beyond = psi(reference, current) / noise - freedom
    spread = np.sqrt(2 * (freedom + 2 * np.maximum(beyond, 0.0)))
    low: Floats = np.maximum(beyond - ONE_IN_TEN * spread, 0.0) * noise
    return low


def hellinger(reference: Table, current: Table) -> Floats:
    """Hellinger distance, from 0 to 1, unsmoothed."""
    p, q = _compute_shares(reference), _compute_shares(current)
    square = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2
    return _keep_where_both(reference, current, np.sqrt(np.clip(square, 0.0, 1.0)))


def total_variation(reference: Table, current: Table) -> Floats:
    """The largest difference in the probability of any set of bins, from 0 to 1."""
    difference = np.abs(_compute_shares(reference) - _compute_shares(current)).sum(axis=1) / 2
    return _keep_where_both(reference, current, difference)


def kolmogorov_smirnov(reference: Table, current: Table) -> Floats:
    """The largest difference between distribution functions at the bins' edges, from 0 to 1.

    Defined for ordered bins only; the last column, missing values, is left out. It is evaluated at
    the edges only, so it never exceeds the distance between the samples.
    """
    then, now = reference[:, :-1], current[:, :-1]
    difference = np.cumsum(_compute_shares(then) - _compute_shares(now), axis=1)
    return _keep_where_both(then, now, np.abs(difference).max(axis=1, initial=0.0))


def chi_square(reference: Table, current: Table) -> Floats:
    """The two-sample chi-square statistic; it grows with the counts, unlike the distances.

    Source: Press et al., "Numerical recipes", section 14.3, for samples of unequal size.
    """
    n, m = (table.sum(axis=1, keepdims=True).astype(np.float64) for table in (reference, current))
    ratio = np.sqrt(np.maximum(n, 1) / np.maximum(m, 1))
    both = np.maximum(reference + current, 1)
    terms = (ratio * current - reference / ratio) ** 2 / both
    return _keep_where_both(reference, current, terms.sum(axis=1))


def sampling_noise(n: Table, m: Table) -> Floats:
    """Return `1/n + 1/m`, the scale of random differences between samples of `n` and `m` rows."""
    noise: Floats = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    return noise


def _compute_noise(reference: Table, current: Table) -> Floats:
    return sampling_noise(reference.sum(axis=1), current.sum(axis=1))


def _count_freedom(reference: Table, current: Table) -> Floats:
    freedom: Floats = np.maximum(np.count_nonzero(reference + current, axis=1) - 1.0, 0.0)
    return freedom


def wasserstein(reference: Floats, current: Floats, stddev: Floats) -> Floats:
    """Wasserstein-1 distance in standard deviations of the reference, from 0 upwards.

    It is the mean distance between quantiles, `[fields, ranks]` at `WASSERSTEIN_RANKS`, so a shift
    by one standard deviation gives 1. The outer half percent on either side is left out, because a
    single value would dominate it. NaN if quantiles are unknown or the reference does not vary.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        moved = np.abs(current / stddev[:, None] - reference / stddev[:, None]).mean(axis=1)
    return np.where(stddev > 0, moved, np.nan)


WASSERSTEIN = "wasserstein"
WASSERSTEIN_RANKS: Floats = np.arange(1, 100) / 100

MEASURES = {
    "psi": psi,
    "psi_debiased": psi_debiased,
    "js": jensen_shannon,
    "hellinger": hellinger,
    "tv": total_variation,
    "ks": kolmogorov_smirnov,
    "chi2": chi_square,
}
"""Every distance of counts by its exported name."""

ORDERED = frozenset({"ks"})
"""Distances that need ordered bins, so they do not apply to categories."""

OF_VALUES = frozenset({"ks", WASSERSTEIN})
"""Distances that ignore missing values."""
