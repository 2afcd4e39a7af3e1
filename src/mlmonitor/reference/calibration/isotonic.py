"""Isotonic regression: the monotone curve that is closest to the rates of bins."""

import numpy as np

from mlmonitor.records import Counts, Floats


def monotone_rates(rows: Counts, sums: Floats) -> Floats:
    """Return the rate of each bin, `sums / rows`, pooled until the rates are monotone.

    The rates ascend, or descend if their linear trend does. A bin without rows gets the rate of its
    neighbours.
    Promise: no other curve in the same direction has a smaller sum of squares over the rows.
    Price: linear in the number of bins.
    Source: pool adjacent violators, Ayer et al., "An empirical distribution function for sampling
        with incomplete information", 1955.
    """
    if rows.sum() == 0:
        return np.full(len(rows), 0.5)
    weights, totals = rows.astype(np.float64), sums.astype(np.float64)
    if _descends(weights, totals):
        return _fit_ascending(weights[::-1], totals[::-1])[::-1].copy()
    return _fit_ascending(weights, totals)


def _descends(weights: Floats, totals: Floats) -> bool:
    places = np.arange(len(weights), dtype=np.float64)
    centre = places @ weights / weights.sum()
    return bool((places - centre) @ totals < 0)


def _fit_ascending(weights: Floats, totals: Floats) -> Floats:
    pools: list[tuple[float, float, int]] = []
    for weight, total in zip(weights.tolist(), totals.tolist(), strict=True):
        pool = weight, total, 1
        while pools and pools[-1][1] * pool[0] >= pool[1] * pools[-1][0]:
            before = pools.pop()
            pool = before[0] + pool[0], before[1] + pool[1], before[2] + pool[2]
        pools.append(pool)
    return np.repeat([total / weight for weight, total, _ in pools], [size for *_, size in pools])
