"""Critical values of each distance from its moments and limit law, without simulation."""

import math
from functools import lru_cache

import numpy as np

from mlmonitor.formats.reference import CRITICAL_ROWS, CountedEntry, NumericReference
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import (
    MEASURES,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    chi_square_point,
    sampling_noise,
)
from mlmonitor.stats.evidence.dirichlet import PRIOR
from mlmonitor.stats.reference_counts import possible_counts
from mlmonitor.stats.special import log_gamma

_NODES = 31  # nodes of the Gauss-Hermite rule
_DEGREES = 8  # degrees of Hermite polynomials in the expansion
_SUPPORT = 48  # counts at which a bin's law is evaluated
_REACH = 6.0  # standard deviations of a bin's count, beyond which its law is cut off
_ONE_IN_A_HUNDRED = 0.01
_KOLMOGOROV = 1.6276  # sqrt(ln(2 / 0.01) / 2), the 99% point of Kolmogorov's law
_FLAT = 1e-300
_LEAST_FREEDOM = 0.125  # below it Wilson and Hilferty's formula fails


def asymptotic_tables(entry: CountedEntry, ordered: Floats | None) -> dict[str, list[float]]:
    """Compute the 99% no-drift quantile of each distance for the window sizes `CRITICAL_ROWS`.

    ordered: the sorted sample of a numeric field.
    Promise: within 25% of the simulated value, for windows of 100 rows or more and bins that
        expect ten rows or more (`pytest -m '' tests/statistical`); in smaller windows, in rarer
        bins and for the Wasserstein distance of heavy tails the two may differ by more.
    Price: 1 to 10 ms a field; all but the Wasserstein distance are cached by counts.
    Source: `asymptotic` for distances of counts, `asymptotic_wasserstein` for Wasserstein.
    """
    is_ordered = isinstance(entry, NumericReference)
    points = asymptotic(possible_counts(entry), is_ordered=is_ordered)
    if isinstance(entry, NumericReference) and ordered is not None and ordered.size:
        points |= asymptotic_wasserstein(ordered, entry.stddev)
    return points


def asymptotic(counts: Counts, *, is_ordered: bool) -> dict[str, list[float]]:
    """Compute the 99% no-drift quantile of distances of counts, for the sizes `CRITICAL_ROWS`.

    counts: the reference's counts by bin, `[bins]`, missing values last, see `possible_counts`. All
    distances but `ks` are sums over bins, in the limit weighted sums of chi-squares. Each is
    approximated by a gamma law with the same mean and variance. The moments are those of
    beta-binomial counts, which include the reference's own noise. `ks` uses Kolmogorov's quantile,
    or the union bound over the edges' normal tails if that is smaller.
    Source: Haldane, "The mean and variance of chi-square", 1940, for moments in place of the limit;
    Satterthwaite, "An approximate distribution of estimates of variance components", 1946, for the
    gamma law; Smirnov, "Table for estimating the goodness of fit", 1948, for `ks`.
    """
    if np.count_nonzero(counts) < 2:
        points = {name: (0.0,) * len(CRITICAL_ROWS) for name in MEASURES}
    else:
        points = _compute_points(tuple(counts.tolist()))
    return {name: list(points[name]) for name in MEASURES if is_ordered or name != "ks"}


@lru_cache(maxsize=512)
def _compute_points(counts: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    sizes = np.array(CRITICAL_ROWS, np.float64)
    values = np.array(counts[:-1], np.float64)
    reference = np.array(counts if counts[-1] else counts[:-1], np.float64)
    rows = reference.sum()
    noise = sampling_noise(sizes, np.full(sizes.size, rows))
    noise_of_values = sampling_noise(sizes, np.full(sizes.size, values.sum()))
    posterior = reference + PRIOR
    count, weight = _tabulate_beta_binomial(sizes[:, None, None], posterior, posterior.sum())
    points = {
        name: _compute_gamma_points(term, count, weight, posterior / posterior.sum())
        for name, term in _compute_terms(reference, count, sizes[:, None, None]).items()
    }
    # A bin without rows on either side does not count as a degree of freedom.
    absent = ((count == 0) * weight).sum(axis=2) * (reference == 0)
    points["psi_debiased"] = points["psi"] - noise * (reference.size - 1 - absent.sum(axis=1))
    points["js"] = np.minimum(np.sqrt(points["js"]), 1.0)
    points["hellinger"] = np.minimum(np.sqrt(points["hellinger"]), 1.0)
    points["tv"] = np.minimum(points["tv"], 1.0)
    edges = np.cumsum(values)[:-1] / max(values.sum(), 1.0)
    points["ks"] = np.minimum(_find_kolmogorov_point(edges) * noise_of_values**0.5, 1)
    return {name: tuple(values.tolist()) for name, values in points.items()}


def _tabulate_beta_binomial(sizes: Floats, alpha: Floats, total: float) -> tuple[Floats, Floats]:
    """Return the possible counts of bins and their probabilities, `[sizes, bins, support]`."""
    shape, rest = alpha[None, :, None], (total - alpha)[None, :, None]
    share = shape / total
    mean = sizes * share
    spread = np.sqrt(mean * (1 - share) * (1 + (sizes - 1) / (total + 1)))
    low = np.maximum(np.floor(mean - _REACH * spread), 0.0)
    high = np.minimum(np.ceil(mean + _REACH * spread + _REACH), sizes)
    stride = np.maximum(np.ceil((high - low) / (_SUPPORT - 1)), 1.0)
    wanted = low + stride * np.arange(_SUPPORT)
    count = np.minimum(wanted, sizes)
    logarithm = log_gamma(count + shape) + log_gamma(sizes - count + rest)
    logarithm -= log_gamma(count + 1) + log_gamma(sizes - count + 1)
    logarithm[wanted > sizes] = -np.inf
    weight = np.exp(logarithm - logarithm.max(axis=2, keepdims=True))
    return count, weight / weight.sum(axis=2, keepdims=True)


def _compute_terms(reference: Floats, count: Floats, sizes: Floats) -> dict[str, Floats]:
    """Return what a bin with each of these counts adds to each distance or its square."""
    bins, rows = reference.size, reference.sum()
    r = reference[None, :, None]
    p, q = r / rows, count / sizes
    p_smooth = (r + 0.5) / (rows + bins / 2)
    q_smooth = (count + 0.5) / (sizes + bins / 2)
    has_rows = r + count > 0
    middle = np.where(has_rows, (p + q) / 2, 1.0)
    entropy = q * np.log2(np.where(count > 0, q, 1.0) / middle)
    entropy += p * np.log2(np.where(r > 0, p, 1.0) / middle)
    ratio = np.sqrt(rows / sizes)
    return {
        "psi": has_rows * (q_smooth - p_smooth) * np.log(q_smooth / p_smooth),
        "js": entropy / 2,
        "hellinger": (np.sqrt(p) - np.sqrt(q)) ** 2 / 2,
        "tv": np.abs(p - q) / 2,
        "chi2": (ratio * count - r / ratio) ** 2 / np.where(has_rows, r + count, 1.0),
    }


def _compute_gamma_points(term: Floats, count: Floats, weight: Floats, shares: Floats) -> Floats:
    """Return the 99% quantile of the sum of `term` over bins, for each size.

    term: `[sizes, bins, support]`. The counts of two bins are a Lancaster pair: their orthogonal
    polynomials of degree k correlate by `(-sqrt(odds * odds)) ** k`. The terms are expanded to
    degree 2.
    """
    mean = (term * weight).sum(axis=2)
    around = (term - mean[:, :, None]) * weight
    variance = (around * (term - mean[:, :, None])).sum(axis=2)
    place = count - (count * weight).sum(axis=2, keepdims=True)
    place /= np.sqrt(np.maximum((place**2 * weight).sum(axis=2, keepdims=True), _FLAT))
    skew = (place**3 * weight).sum(axis=2, keepdims=True)
    bend = place**2 - skew * place - 1
    bend /= np.sqrt(np.maximum((bend**2 * weight).sum(axis=2, keepdims=True), _FLAT))
    odds = np.sqrt(shares / (1 - shares))
    total = variance.sum(axis=1)
    for degree, polynomial in enumerate((place, bend), start=1):
        scaled = (around * polynomial).sum(axis=2) * odds**degree
        total += (-1) ** degree * (scaled.sum(axis=1) ** 2 - (scaled**2).sum(axis=1))
    return _find_gamma_point(mean.sum(axis=1), np.maximum(total, _FLAT))


def _find_gamma_point(mean: Floats, variance: Floats) -> Floats:
    """Return the 99% quantile of gamma distributions; deviations above four means are capped."""
    freedom = np.maximum(2 * mean**2 / variance, _LEAST_FREEDOM)
    points: Floats = chi_square_point(freedom) * mean / freedom
    return points


def _find_kolmogorov_point(shares: Floats) -> float:
    """Return the smaller of Kolmogorov's 99% quantile and the union bound over the edges.

    It is in units of the root of `sampling_noise`. shares: the shares of rows below each edge.
    Bisection solves the union bound.
    """
    spreads = [spread for spread in np.sqrt(shares * (1 - shares)).tolist() if spread > 0]
    if not spreads:  # one bin holds every value
        return 0.0
    low, high = 0.0, _KOLMOGOROV
    for _ in range(30):
        middle = (low + high) / 2
        if sum(math.erfc(middle / (s * math.sqrt(2))) for s in spreads) > _ONE_IN_A_HUNDRED:
            low = middle
        else:
            high = middle
    return high


def by_law(reference: Table, current: Table) -> dict[str, Floats]:
    """Compute the 99% no-drift quantile of each distance, `[fields]`, from its limit law.

    PSI, chi-square, Jensen-Shannon and Hellinger follow a chi-square law with `bins - 1` degrees of
    freedom. Kolmogorov's law is an upper bound for `ks`, and total variation follows a slightly
    skewed sum of half-normals.
    """
    n, m = reference.sum(axis=1).astype(np.float64), current.sum(axis=1).astype(np.float64)
    noise = sampling_noise(n, m)
    noise_of_values = sampling_noise(reference[:, :-1].sum(axis=1), current[:, :-1].sum(axis=1))
    freedom = np.maximum(np.count_nonzero(reference + current, axis=1) - 1.0, 1.0)
    point = chi_square_point(freedom)
    shares = (reference + current) / np.maximum(n + m, 1.0)[:, None]
    spread = np.sqrt(shares * (1 - shares) * noise[:, None])
    middle = np.sqrt(2 / np.pi) * spread.sum(axis=1) / 2
    around = np.sqrt((1 - 2 / np.pi) * (spread**2).sum(axis=1)) / 2
    return {
        "psi": point * noise,
        "psi_debiased": (point - freedom) * noise,
        "js": np.minimum(np.sqrt(point * noise / (8 * np.log(2))), 1.0),
        "hellinger": np.minimum(np.sqrt(point * noise / 8), 1.0),
        "tv": np.minimum(middle + 2.5 * around, 1.0),
        "ks": np.minimum(_KOLMOGOROV * np.sqrt(noise_of_values), 1.0),
        "chi2": point,
    }


def asymptotic_wasserstein(ordered: Floats, stddev: float | None) -> dict[str, list[float]]:
    """Compute the 99% no-drift quantile of the Wasserstein distance, for sizes `CRITICAL_ROWS`.

    The ranks of a window's quantiles deviate from their expected ranks like a Brownian bridge; the
    field's quantile function maps ranks to values. The distance is approximated by a gamma law with
    the same mean and variance.
    Source: del Barrio, Gine and Utzet, "Asymptotics for L2 functionals of the empirical quantile
    process", 2005, for the bridge; Mehler, 1866, for covariances of functions of two normals.
    """
    if stddev is None or stddev <= 0 or not np.isfinite(stddev):
        return {}
    return {WASSERSTEIN: [_find_wasserstein_point(ordered, stddev, size) for size in CRITICAL_ROWS]}


def _find_wasserstein_point(ordered: Floats, stddev: float, size: int) -> float:
    places = _place_quantiles(size, ordered.size)
    with np.errstate(over="ignore", invalid="ignore"):
        start = _pick_quantiles(ordered, WASSERSTEIN_RANKS)[:, None]
        moved = np.abs(_pick_quantiles(ordered, places) / stddev - start / stddev)
        middle = moved @ _WEIGHTS
        coefficients = _HERMITE @ (moved * _WEIGHTS).T
        variances = (moved - middle[:, None]) ** 2 @ _WEIGHTS
        # The remainder beyond the expansion is uncorrelated between ranks.
        total = float(np.maximum(variances - (coefficients**2).sum(axis=0), 0.0).sum())
        total += float(((coefficients[:, None] @ _tabulate_bridges())[:, 0] * coefficients).sum())
    mean, variance = float(middle.mean()), total / middle.size**2
    if mean == 0 or variance <= 0 or not np.isfinite(mean + variance):
        return mean if np.isfinite(mean) else 0.0
    return float(_find_gamma_point(np.array([mean]), np.array([variance]))[0])


@lru_cache(maxsize=2 * len(CRITICAL_ROWS))
def _place_quantiles(size: int, rows: int) -> Floats:
    """Return the ranks that a window's quantiles may have, `[ranks, nodes]`.

    The bridge is on the scale of log-odds, so that every rank is between 0 and 1.
    """
    noise = float(sampling_noise(np.array([size]), np.array([rows]))[0])
    ranks = WASSERSTEIN_RANKS[:, None]
    odds = np.log(ranks / (1 - ranks)) + np.sqrt(noise / (ranks * (1 - ranks))) * _NORMALS
    return 1 / (1 + np.exp(-odds))


def _pick_quantiles(ordered: Floats, ranks: Floats) -> Floats:
    quantiles: Floats = ordered[
        np.minimum((ranks * ordered.size).astype(np.intp), ordered.size - 1)
    ]
    return quantiles


@lru_cache(maxsize=1)
def _tabulate_bridges() -> Floats:
    """Return powers of a Brownian bridge's correlation at two ranks, `[degrees, ranks, ranks]`."""
    odds = np.sqrt(WASSERSTEIN_RANKS / (1 - WASSERSTEIN_RANKS))
    correlation = np.minimum.outer(odds, odds) / np.maximum.outer(odds, odds)
    return np.stack([correlation**degree for degree in range(1, _DEGREES + 1)])


def _tabulate_hermite() -> Floats:
    """Return the normalised Hermite polynomials from degree 1, `[degrees, nodes]`."""
    rows = [np.ones_like(_NORMALS), _NORMALS]
    for degree in range(2, _DEGREES + 1):
        rows.append((_NORMALS * rows[-1] - math.sqrt(degree - 1) * rows[-2]) / math.sqrt(degree))
    return np.stack(rows[1:])


_NORMALS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(_NODES)
_WEIGHTS /= _WEIGHTS.sum()
_HERMITE = _tabulate_hermite()
