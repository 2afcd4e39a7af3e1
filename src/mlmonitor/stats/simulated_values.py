"""The 99% no-drift quantiles of distances, from windows simulated from the reference."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlmonitor.formats.reference import (
    CRITICAL_ROWS,
    QUANTILE_POINTS,
    CountedEntry,
    NumericReference,
)
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    kolmogorov_smirnov,
    wasserstein,
)
from mlmonitor.stats.evidence.dirichlet import PRIOR
from mlmonitor.stats.joint_distances import joint_distances
from mlmonitor.stats.reference_counts import possible_counts

if TYPE_CHECKING:
    from numpy.random import Generator

QUANTILE = 0.99
"""The share of windows without drift that stay below a critical value."""

SIMULATIONS = 2_000

_BATCH_WINDOWS = 200  # windows simulated at a time, to bound memory and the length of a step
SIMULATION_BYTES = 1_500_000
"""Temporary memory of one step of a simulation."""
_LARGEST_EXCEEDANCE = 0.015
_DIGITS = 4


def simulate_tables(entry: CountedEntry, ordered: Floats | None) -> dict[str, list[float]]:
    """Simulate the tables to save with an entry; `ordered` is a numeric field's sorted sample."""
    is_ordered = isinstance(entry, NumericReference)
    tables = simulate_distances(possible_counts(entry), is_ordered=is_ordered)
    if isinstance(entry, NumericReference) and ordered is not None and ordered.size:
        tables |= simulate_wasserstein(ordered, entry.stddev)
    return tables


def simulate_distances(counts: Counts, *, is_ordered: bool) -> dict[str, list[float]]:
    """Simulate the 99% no-drift quantile of distances of counts, for the sizes `CRITICAL_ROWS`.

    counts: the reference's counts by bin, `[bins]`, missing values last, see `possible_counts`.
    is_ordered: whether the other bins have an order. Windows are drawn from the posterior of the
    reference: its counts plus half a count a bin. Distances in `OF_VALUES` use windows without
    missing values.
    Promise: without drift, 0.3 to 2% of windows of 20 to 10,000 rows exceed it, for references of
        1,000 rows or more (`pytest -m '' tests/statistical`).
    Price: 2,000 draws a size, about 60 ms for ten bins; cached by counts.
    """
    key = tuple(counts.tolist())
    names = [name for name in MEASURES if is_ordered or name not in ORDERED]
    if not any(key):  # no row has a value that a window could be compared with
        return {name: [0.0] * len(CRITICAL_ROWS) for name in names}
    points = [_simulated(key, size) for size in CRITICAL_ROWS]
    return {name: [by_name[name] for by_name in points] for name in names}


def _draw_points(counts: tuple[int, ...], size: int) -> dict[str, float]:
    """Simulate the 99% quantile of every distance for windows of one size."""
    rng = np.random.default_rng([len(counts), size])
    reference = np.array([counts], np.int64)
    belief = reference + PRIOR
    belief[0, -1] *= (
        counts[-1] > 0
    )  # without missing values in the reference there are none in a window
    distances: dict[str, list[Floats]] = {name: [] for name in MEASURES}
    for _ in range(SIMULATIONS // _BATCH_WINDOWS):
        weights = rng.standard_gamma(belief, (_BATCH_WINDOWS, len(counts)))
        windows = _draw_windows(rng, size, weights)
        against = np.broadcast_to(reference, windows.shape)
        for name, drawn in joint_distances(reference[0], windows).items():
            distances[name].append(drawn)
        weights[:, -1] = 0
        if counts[-1]:
            windows = _draw_windows(rng, size, weights)
        # Without values in the reference the distance is 0.
        distances["ks"].append(np.nan_to_num(kolmogorov_smirnov(against, windows)))
    return {name: _find_point(np.concatenate(drawn)) for name, drawn in distances.items()}


def _draw_windows(rng: "Generator", size: int, weights: Floats) -> Counts:
    """Draw the counts of one window per row of weights.

    A row of zero weights yields a window of missing values, which are in the last bin.
    """
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    windows: Counts = rng.multinomial(size, shares)
    return windows


_simulated = lru_cache(maxsize=512)(_draw_points)


def simulate_wasserstein(ordered: Floats, stddev: float | None) -> dict[str, list[float]]:
    """Simulate the 99% no-drift quantile of the Wasserstein distance, for sizes `CRITICAL_ROWS`.

    ordered: the sorted sample of a numeric field. Quantiles of a sample are the field's quantiles
    at random ranks, for every field. The ranks are therefore drawn once for each size and cached.
    """
    if stddev is None or stddev <= 0 or not np.isfinite(stddev):
        return {}

    with np.errstate(over="ignore", invalid="ignore"):
        scaled = ordered / stddev
        then = scaled[_choose_quantile_rows(ordered.size, 1, ordered.size)]
        points = []
        for size in CRITICAL_ROWS:
            moved = scaled[_choose_quantile_rows(size, 0, ordered.size)]
            moved -= then
            points.append(_find_point(np.abs(moved, out=moved).mean(axis=1)))
    return {WASSERSTEIN: points}


@lru_cache(maxsize=len(CRITICAL_ROWS) + 1)
def _choose_quantile_rows(size: int, stream: int, rows: int) -> NDArray[np.int32]:
    """Return the indices of random windows' quantiles in `rows` sorted values, `[draws, ranks]`."""
    return np.minimum((_draw_window_ranks(size, stream) * rows).astype(np.int32), rows - 1)


@lru_cache(maxsize=len(CRITICAL_ROWS) + 1)
def _draw_window_ranks(size: int, stream: int) -> Floats:
    return _draw_ranks(size, SIMULATIONS, np.random.default_rng([size, stream]))


def _draw_ranks(size: int, draws: int, rng: "Generator") -> Floats:
    """Draw the quantiles of `size` uniform values, `[draws, ranks]`, by their spacings."""
    order = np.minimum(np.ceil(size * WASSERSTEIN_RANKS), size)
    steps = np.diff(order, prepend=0.0, append=size + 1.0)
    gammas = rng.standard_gamma(steps, (draws, steps.size))
    ranks: Floats = np.cumsum(gammas[:, :-1], axis=1) / gammas.sum(axis=1, keepdims=True)
    return ranks


def _find_point(distances: Floats) -> float:
    """Return the 99% quantile, rounded up, so that a distance equal to it does not exceed it.

    For a discrete distance, choose the value whose probability of being exceeded is closest to 1%,
    and at most 1.5%.
    """
    ordered, draws = np.sort(distances), distances.size
    point = float(ordered[math.ceil(QUANTILE * (draws - 1))])
    first, last = np.searchsorted(ordered, point), np.searchsorted(ordered, point, side="right")
    most, least = 1 - first / draws, 1 - last / draws
    if first and most <= _LARGEST_EXCEEDANCE and most * least < (1 - QUANTILE) ** 2:
        point = float(ordered[first - 1])
    if point == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(point))) - _DIGITS + 1)
    return float(f"{math.ceil(point / step) * step:.{_DIGITS}g}")


def simulate_points(entry: CountedEntry, size: int) -> dict[str, float]:
    """Simulate the 99% no-drift quantile of each distance of counts for one window size."""
    return _draw_points(tuple(possible_counts(entry).tolist()), size)


def simulate_wasserstein_point(entry: CountedEntry, size: int) -> float:
    """Simulate the Wasserstein quantile for one size, from saved quantiles instead of a sample."""
    if not isinstance(entry, NumericReference) or not entry.stddev:
        return 0.0
    rng, scale = np.random.default_rng([size, entry.rows]), np.full(_BATCH_WINDOWS, entry.stddev)
    grid, quantiles = np.linspace(0, 1, QUANTILE_POINTS), np.array(entry.quantiles)
    distances = []
    for _ in range(SIMULATIONS // _BATCH_WINDOWS):
        now, then = (
            np.interp(_draw_ranks(rows, _BATCH_WINDOWS, rng).ravel(), grid, quantiles)
            for rows in (size, entry.rows - entry.missing)
        )
        shape = _BATCH_WINDOWS, WASSERSTEIN_RANKS.size
        distances.append(wasserstein(then.reshape(shape), now.reshape(shape), scale))
    return _find_point(np.concatenate(distances))
