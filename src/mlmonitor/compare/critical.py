"""What chance alone makes of each distance, at the window's actual number of rows."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from mlmonitor.compare.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    chi_square_point,
    wasserstein,
)
from mlmonitor.compare.evidence import PRIOR
from mlmonitor.records import Counts, Floats
from mlmonitor.reference_format import CRITICAL_ROWS, CategoricalReference, NumericReference

LEVEL = 0.99
DRAWS = 2_000

_POWERS = {"psi": 1.0, "psi_debiased": 1.0, "chi2": 0.0}
"""How a distance shrinks with `1/n + 1/m`; where it is not said, as its root."""

_DIGITS = 4
_DKW = 1.6276  # sqrt(ln(2 / 0.01) / 2)


def tables(
    entry: NumericReference | CategoricalReference, ordered: Floats | None
) -> dict[str, list[float]]:
    """What is to be kept with an entry; `ordered` is the sorted sample of a numeric field."""
    if isinstance(entry, CategoricalReference):
        return simulated(np.array(entry.expected, np.int64), is_ordered=False)
    counts = np.array([*entry.counts, entry.missing], np.int64)
    found = simulated(counts, is_ordered=True)
    if ordered is not None and ordered.size and entry.stddev is not None:
        found |= simulated_wasserstein(ordered, entry.stddev)
    return found


def simulated(counts: Counts, *, is_ordered: bool) -> dict[str, list[float]]:
    """What each distance passes in one window in a hundred without drift, by `CRITICAL_ROWS`.

    counts: the reference's `[bins]`, missing values last; is_ordered: whether the bins before them
    have an order. Windows are drawn from the reference's posterior: its counts, and half a count a
    bin. A bin it has never seen stays empty: how often chance would fill it, nobody knows, and
    the evidence (`Evidence`) judges those.
    Promise: of windows of 20 to 10,000 rows 0.3 to 2 % pass (`pytest tests/statistical`).
    Price: 2,000 draws a size, about 25 ms for ten bins; nothing for counts met before.
    """
    counts = counts[counts > 0]
    found = _simulated(tuple(counts.tolist()), is_ordered)
    return {name: list(values) for name, values in found.items()}


@lru_cache(maxsize=1_024)
def _simulated(counts: tuple[int, ...], is_ordered: bool) -> dict[str, tuple[float, ...]]:  # noqa: FBT001 - a cached function's key
    rng = np.random.default_rng(len(counts))
    reference = np.array([counts], np.int64)
    names = [name for name in MEASURES if is_ordered or name not in ORDERED]
    found: dict[str, list[float]] = {name: [] for name in names}
    for size in CRITICAL_ROWS:
        shares = rng.standard_gamma(reference + PRIOR, (DRAWS, len(counts)))
        windows = rng.multinomial(size, shares / shares.sum(axis=1, keepdims=True))
        against = np.broadcast_to(reference, windows.shape)
        for name in names:
            found[name].append(_point(MEASURES[name](against, windows)))
    return {name: tuple(values) for name, values in found.items()}


def simulated_wasserstein(ordered: Floats, stddev: float) -> dict[str, list[float]]:
    """The same for the Wasserstein distance of a numeric field, from its sorted sample.

    The quantiles of a sample are the field's own at random ranks, whatever the field: so the
    ranks are drawn once for each size, and looked up.
    """
    if stddev <= 0 or not np.isfinite(stddev):
        return {}
    scale = np.full(DRAWS, stddev)
    found = []
    for size in CRITICAL_ROWS:
        drawn, drawn_then = _ranks(size, 0), _ranks(ordered.size, 1)
        now, then = (
            ordered[np.minimum((ranks * ordered.size).astype(np.intp), ordered.size - 1)]
            for ranks in (drawn, drawn_then)
        )
        found.append(_point(wasserstein(then, now, scale)))
    return {WASSERSTEIN: found}


@lru_cache(maxsize=16)
def _ranks(size: int, stream: int) -> Floats:
    """`[draws, ranks]`: where the quantiles of `size` uniform values lie, drawn by spacings."""
    rng = np.random.default_rng([size, stream])
    at = np.minimum(np.ceil(size * WASSERSTEIN_RANKS), size)
    steps = np.diff(at, prepend=0.0, append=size + 1.0)
    gammas = rng.standard_gamma(steps, (DRAWS, steps.size))
    ranks: Floats = np.cumsum(gammas[:, :-1], axis=1) / gammas.sum(axis=1, keepdims=True)
    return ranks


def _point(distances: Floats) -> float:
    """The 99 % point, rounded up: a distance of few values may lie on it, and has not passed it."""
    point = float(np.quantile(distances, LEVEL))
    if point == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(point))) - _DIGITS + 1)
    return float(f"{math.ceil(point / step) * step:.{_DIGITS}g}")


class Critical:
    """The critical values of some fields' distances, at any number of rows.

    tables: what was simulated for each field, by measure, at `CRITICAL_ROWS`; empty where nothing
    was: then the laws for many rows stand in. reference: counts `[fields, bins]`.
    """

    def __init__(self, tables: Sequence[Mapping[str, Sequence[float]]], reference: Counts) -> None:
        self._reference = reference
        self._rows = reference.sum(axis=1).astype(np.float64)
        names = (*MEASURES, WASSERSTEIN)
        self._tables: dict[str, Floats] = {
            name: np.array(
                [_scaled(name, t.get(name), m) for t, m in zip(tables, self._rows, strict=True)]
            )
            for name in names
        }

    def at(self, current: Counts, against: Table | None = None) -> dict[str, Floats]:
        """By measure, `[fields]`: what a window with the number of rows of `current` may show.

        NaN where there are no rows, and where a measure has no meaning. against: what the window
        is compared with where that is not the whole reference.
        """
        reference = self._reference if against is None else against
        rows = current.sum(axis=1).astype(np.float64)
        noise = _noise(rows, reference.sum(axis=1).astype(np.float64))
        found = by_law(reference, current)
        for name, table in self._tables.items():
            known = _interpolated(table, rows) * noise ** _POWERS.get(name, 0.5)
            found[name] = np.where(np.isnan(known), found.get(name, np.nan), known)
        empty = (rows == 0) | (self._rows == 0)
        return {name: np.where(empty, np.nan, values) for name, values in found.items()}


def by_law(reference: Table, current: Table) -> dict[str, Floats]:
    """The same where nothing was simulated, from the laws for many rows.

    PSI, chi-square, Jensen-Shannon and Hellinger follow a chi-square of `bins - 1` degrees of
    freedom; the difference of distribution functions Kolmogorov's, an upper bound for bins; total
    variation a sum of half-normals, which is a little skewed.
    """
    n, m = reference.sum(axis=1).astype(np.float64), current.sum(axis=1).astype(np.float64)
    noise = _noise(n, m)
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
        "ks": np.minimum(_DKW * np.sqrt(noise), 1.0),
        "chi2": point,
    }


def _scaled(name: str, values: Sequence[float] | None, reference_rows: float) -> Floats:
    """A field's row of a table, freed of its dependence on the number of rows."""
    if not values or reference_rows == 0:
        return np.full(len(CRITICAL_ROWS), np.nan)
    noise = _noise(np.array(CRITICAL_ROWS, np.float64), np.full(len(CRITICAL_ROWS), reference_rows))
    scaled: Floats = np.asarray(values, np.float64) / noise ** _POWERS.get(name, 0.5)
    return scaled


def _interpolated(table: Floats, rows: Floats) -> Floats:
    """Between the columns of a table, linear in the logarithm of the rows."""
    grid = np.log(CRITICAL_ROWS)
    place = np.interp(np.log(np.maximum(rows, 1.0)), grid, np.arange(len(CRITICAL_ROWS)))
    low = np.minimum(place.astype(np.intp), len(CRITICAL_ROWS) - 2)
    at, weight = np.arange(len(rows)), place - low
    between: Floats = (1 - weight) * table[at, low] + weight * table[at, low + 1]
    return between


def _noise(n: Floats, m: Floats) -> Floats:
    noise: Floats = 1 / np.maximum(n, 1.0) + 1 / np.maximum(m, 1.0)
    return noise
