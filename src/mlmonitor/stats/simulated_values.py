"""The 99 % no-drift quantiles of distances, from windows drawn out of the reference."""

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
from mlmonitor.stats.eprocess import PRIOR
from mlmonitor.stats.joint_distances import joint_distances
from mlmonitor.stats.reference_counts import possible_counts

if TYPE_CHECKING:
    from numpy.random import Generator

QUANTILE = 0.99
"""Critical values are what this share of windows without drift stays below."""

SIMULATIONS = 2_000

_BATCH_WINDOWS = 200  # windows drawn at a time, so that little memory is taken, and not for long
SIMULATION_BYTES = 1_500_000
"""Memory that a step of a simulation takes for a moment."""
_LARGEST_EXCEEDANCE = 0.015
_DIGITS = 4


def simulate_tables(entry: CountedEntry, ordered: Floats | None) -> dict[str, list[float]]:
    """The tables to save with an entry; `ordered` is the sorted sample of a numeric field."""
    is_ordered = isinstance(entry, NumericReference)
    tables = simulate_distances(possible_counts(entry), is_ordered=is_ordered)
    if isinstance(entry, NumericReference) and ordered is not None and ordered.size:
        tables |= simulate_wasserstein(ordered, entry.stddev)
    return tables


def simulate_distances(counts: Counts, *, is_ordered: bool) -> dict[str, list[float]]:
    """The 99 % no-drift quantile of each distance of counts, by `CRITICAL_ROWS`.

    counts: the reference's `[bins]`, missing values last, see `possible_counts`; is_ordered:
    whether the bins before them have an order. Windows are drawn from the reference's posterior:
    its counts, and half a count a bin. Those of distances `OF_VALUES` have no missing values.
    Promise: of windows of 20 to 10,000 rows 0.3 to 2 % exceed it, over references of 1,000 rows or
        more (`pytest -m '' tests/statistical`).
    Price: 2,000 draws a size, about 60 ms for ten bins; nothing for counts seen before.
    """
    key = tuple(counts.tolist())
    names = [name for name in MEASURES if is_ordered or name not in ORDERED]
    points = [_simulated(key, size) for size in CRITICAL_ROWS]
    return {name: [by_name[name] for by_name in points] for name in names}


def _draw_points(counts: tuple[int, ...], size: int) -> dict[str, float]:
    """The 99 % point of every distance for windows of one size."""
    rng = np.random.default_rng([len(counts), size])
    reference = np.array([counts], np.int64)
    belief = reference + PRIOR
    belief[0, -1] *= counts[-1] > 0  # where nothing was missing, nothing will be
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
        # Without any value in the reference there is nothing to differ from.
        distances["ks"].append(np.nan_to_num(kolmogorov_smirnov(against, windows)))
    return {name: _point(np.concatenate(drawn)) for name, drawn in distances.items()}


def _draw_windows(rng: "Generator", size: int, weights: Floats) -> Counts:
    """Counts of one window for each row of weights; without any weight all rows are missing."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    windows: Counts = rng.multinomial(size, shares)
    return windows


_simulated = lru_cache(maxsize=512)(_draw_points)


def simulate_wasserstein(ordered: Floats, stddev: float | None) -> dict[str, list[float]]:
    """The same for the Wasserstein distance of a numeric field, from its sorted sample.

    The quantiles of a sample are the field's own at random ranks, for any field, so the
    ranks are drawn once for each size, and looked up.
    """
    if stddev is None or stddev <= 0 or not np.isfinite(stddev):
        return {}

    with np.errstate(over="ignore", invalid="ignore"):
        scaled = ordered / stddev
        then = scaled[_quantile_rows(ordered.size, 1, ordered.size)]
        points = []
        for size in CRITICAL_ROWS:
            moved = scaled[_quantile_rows(size, 0, ordered.size)]
            moved -= then
            points.append(_point(np.abs(moved, out=moved).mean(axis=1)))
    return {WASSERSTEIN: points}


@lru_cache(maxsize=len(CRITICAL_ROWS) + 1)
def _quantile_rows(size: int, stream: int, rows: int) -> NDArray[np.int32]:
    """`[draws, ranks]`: which of `rows` sorted values the quantiles of `size` values are."""
    return np.minimum((_ranks(size, stream) * rows).astype(np.int32), rows - 1)


@lru_cache(maxsize=len(CRITICAL_ROWS) + 1)
def _ranks(size: int, stream: int) -> Floats:
    return _draw_ranks(size, SIMULATIONS, np.random.default_rng([size, stream]))


def _draw_ranks(size: int, draws: int, rng: "Generator") -> Floats:
    """`[draws, ranks]`: where the quantiles of `size` uniform values lie, drawn by spacings."""
    at = np.minimum(np.ceil(size * WASSERSTEIN_RANKS), size)
    steps = np.diff(at, prepend=0.0, append=size + 1.0)
    gammas = rng.standard_gamma(steps, (draws, steps.size))
    ranks: Floats = np.cumsum(gammas[:, :-1], axis=1) / gammas.sum(axis=1, keepdims=True)
    return ranks


def _point(distances: Floats) -> float:
    """The 99 % point, rounded up: a distance of few values may lie on it, and has not passed it.

    Of two values that such a distance takes, the one that closer to 1 % pass, or 1.5 % at most.
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
    """The 99 % no-drift quantile of each distance of counts, for one size of window."""
    return _draw_points(tuple(possible_counts(entry).tolist()), size)


def simulate_wasserstein_point(entry: CountedEntry, size: int) -> float:
    """The Wasserstein distance's point for one size; the quantiles stand for the sample."""
    if not isinstance(entry, NumericReference) or not entry.stddev:
        return 0.0
    rng, scale = np.random.default_rng([size, entry.rows]), np.full(_BATCH_WINDOWS, entry.stddev)
    grid, quantiles = np.linspace(0, 1, QUANTILE_POINTS), np.array(entry.quantiles)
    found = []
    for _ in range(SIMULATIONS // _BATCH_WINDOWS):
        now, then = (
            np.interp(_draw_ranks(rows, _BATCH_WINDOWS, rng).ravel(), grid, quantiles)
            for rows in (size, entry.rows - entry.missing)
        )
        shape = _BATCH_WINDOWS, WASSERSTEIN_RANKS.size
        found.append(wasserstein(then.reshape(shape), now.reshape(shape), scale))
    return _point(np.concatenate(found))
