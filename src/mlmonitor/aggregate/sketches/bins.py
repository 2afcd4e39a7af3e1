"""Counts over bins fixed by the reference, so that counts of several processes can be added.

Bin `b` of a field holds the values in `(edges[b - 1], edges[b]]`, like Prometheus' `le`. The first
bin starts at minus infinity, and the last ends at infinity.
"""

from typing import NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats

FLOAT32_TOLERANCE = 2.0**-22
"""Numbers within this relative difference count as one value: four roundings of float32."""

FLOAT64_TOLERANCE = 2.0**-50
"""The tolerance for numbers that float32 cannot distinguish, such as seconds since 1970."""

_EXACT_INTEGER = 2.0**53
_MOST_PER_VALUE = 4  # different floats that rounding can produce from one value
_LEAST_SHARE = (
    0.75  # an edge is the shortest decimal between this share of the tolerance and all of it
)
_MOST_ABSORBED = 0.1  # maximum rows of other values around a point mass, as a share of a bin's rows
_HALVINGS = 60
_LARGEST = np.finfo(np.float64).max


def quantile_edges(
    ordered: Floats, *, bins: int = 10, tolerance: float = FLOAT32_TOLERANCE
) -> Floats:
    """Return the inner edges that split ascending values into about `bins` bins of equal mass.

    Numbers within the relative `tolerance` count as one value. An edge lies about one tolerance
    above a value, so that rounding never moves the value into the next bin. A value with at least a
    bin's share of the rows is a point mass; if there are at most `bins` distinct values, all are
    point masses. A point mass has an edge on either side, so it has its own bin, and the bins
    between two point masses may be empty. Numbers closer than the tolerance stay distinct if there
    are more of them than rounding could produce from one value.

    Promise: at most `4 * bins + 1` bins; `2 * bins + 1` if there are at most `bins` distinct
        values, and 3 for a constant. Without point masses no bin is empty.
    """
    if ordered.size == 0:
        return np.empty(0)
    with np.errstate(over="ignore", under="ignore"):
        values = _find_distinct(ordered, tolerance)
        is_mass = (values.counts * bins >= ordered.size) | (values.counts.size <= bins)
        masses = np.flatnonzero(is_mass)
        most = int(_MOST_ABSORBED * ordered.size / bins)
        low, high = _bound_masses(values, masses, tolerance, ordered, most)
        cuts = _place_cuts(values.counts, is_mass, parts=bins - masses.size)
        spread = _place_upper_edges(values, cuts, tolerance)
    if masses.size:  # an edge inside a point mass's window would split the value
        place = np.searchsorted(low, spread, side="right") - 1
        spread = spread[(place < 0) | (spread > high[place])]
    edges: Floats = np.unique(np.concatenate([low, high, spread]))
    return edges


class _DistinctValues(NamedTuple):
    """Distinct values, ascending: the lowest and highest number that counts as each; its rows."""

    first: Floats
    last: Floats
    counts: Counts


def _find_distinct(ordered: Floats, tolerance: float) -> _DistinctValues:
    first_rows = np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    numbers, counts = ordered[first_rows], np.diff(first_rows, append=ordered.size)
    is_whole = bool((np.abs(numbers) <= _EXACT_INTEGER).all() and (numbers % 1 == 0).all())
    starts = np.arange(numbers.size)
    if not is_whole:
        fine = _find_run_starts(numbers, min(FLOAT64_TOLERANCE, tolerance))
        coarse = _find_run_starts(numbers, tolerance)
        is_start = np.zeros(numbers.size, np.bool_)
        is_start[coarse] = True
        in_coarse = np.cumsum(is_start)[fine] - 1
        is_dense = np.bincount(in_coarse) > _MOST_PER_VALUE
        is_start[fine[is_dense[in_coarse]]] = True
        starts = np.flatnonzero(is_start)
    ends = np.append(starts[1:], numbers.size) - 1
    return _DistinctValues(numbers[starts], numbers[ends], np.add.reduceat(counts, starts))


def _find_run_starts(numbers: Floats, tolerance: float) -> Counts:
    """Return where each run of numbers starts; neighbours in a run differ within the tolerance."""
    size = np.minimum(np.abs(numbers[1:]), np.abs(numbers[:-1]))
    starts: Counts = np.append(0, np.flatnonzero(np.diff(numbers) > tolerance * size) + 1)
    return starts


def _bound_masses(
    values: _DistinctValues, masses: Counts, tolerance: float, ordered: Floats, most: int
) -> tuple[Floats, Floats]:
    """Return the edges below and above each point mass; two neighbours may share an edge.

    most: how many rows of other values may lie between the two edges of a point mass.
    """
    first, last = values.first[masses], values.last[masses]
    middle = _find_midpoints(last[:-1], first[1:])
    floors, ceilings = np.append(-np.inf, middle), np.append(middle, np.inf)
    # Zero has no relative neighbourhood: its scale is that of the nearest value, or 1.
    nonzero = np.abs(values.first[values.first != 0])
    scale = float(nonzero.min()) if nonzero.size else 1.0
    size = np.maximum(np.abs(first), np.abs(last))
    reach = tolerance * np.where(size == 0, scale, size)
    for _ in range(_HALVINGS):
        upto = np.searchsorted(ordered, last + reach, side="right")
        inside = upto - np.searchsorted(ordered, first - reach, side="left")
        is_crowded = inside - values.counts[masses] > most
        if not is_crowded.any():
            break
        reach = np.where(is_crowded, reach / 2, reach)
    low = _shorten(first - reach, first - _LEAST_SHARE * reach)
    high = _shorten(last + _LEAST_SHARE * reach, last + reach)
    below = np.nextafter(first, -np.inf)
    low, high = np.maximum(np.minimum(low, below), floors), np.clip(high, last, ceilings)
    return np.maximum(low, -_LARGEST), np.minimum(high, _LARGEST)


def _place_cuts(counts: Counts, is_mass: np.ndarray, *, parts: int) -> Counts:
    """Return the index of the last value of each bin, except that of the last bin.

    There are `parts` bins of equal mass; point masses are left out.
    """
    spread = np.flatnonzero(~is_mass)
    if spread.size == 0 or parts <= 1:
        return np.empty(0, np.int64)
    upto = np.cumsum(counts[spread])
    expected = upto[-1] * np.arange(1, parts) / parts
    cuts = np.unique(spread[np.searchsorted(upto, expected)])
    inner: Counts = cuts[cuts < counts.size - 1]
    return inner


def _place_upper_edges(values: _DistinctValues, cuts: Counts, tolerance: float) -> Floats:
    """Return an edge above each of these values and below the next one."""
    last, following = values.last[cuts], values.first[cuts + 1]
    ceilings = _find_midpoints(last, following)
    reach = tolerance * np.abs(last)
    edges = _shorten(last + _LEAST_SHARE * reach, last + reach)
    return np.clip(edges, last, ceilings)


def _find_midpoints(low: Floats, high: Floats) -> Floats:
    """Return the midpoints, which are always less than `high`."""
    middle = low / 2 + high / 2
    between: Floats = np.where((middle >= low) & (middle < high), middle, low)
    return between


def _shorten(low: Floats, high: Floats) -> Floats:
    """Return the number with the fewest decimal digits between each pair of limits."""
    return np.array(
        [_find_shortest(*pair) for pair in zip(low.tolist(), high.tolist(), strict=True)]
    )


def _find_shortest(low: float, high: float) -> float:
    middle = low / 2 + high / 2
    for digits in range(1, 17):
        number = float(f"{middle:.{digits}g}")
        if low <= number <= high:
            return number
    return middle


def widen(low: float, high: float, tolerance: float = FLOAT32_TOLERANCE) -> tuple[float, float]:
    """Widen a range by the relative tolerance, so that rounding does not move values out of it."""
    return low - tolerance * abs(low), high + tolerance * abs(high)


def counts_up_to(ordered: Floats, probes: Floats) -> Counts:
    """Count the values of each field that are at most each probe: int64 `[fields, probes]`.

    ordered: `[fields, rows]`, ascending, NaN last. probes: `[fields, probes]`, in any order.
    Price: one binary search per probe, 0.2 ns a value in blocks of thousands of rows.
    """
    upto = np.empty(probes.shape, np.int64)
    for field, values in enumerate(ordered):
        upto[field] = values.searchsorted(probes[field], side="right")
    return upto


def bin_counts(upto: Counts, valid: Counts) -> Counts:
    """Return counts by bin, `[fields, edges + 1]`, from the counts up to each edge and in total."""
    return np.diff(upto, axis=1, prepend=0, append=valid[:, None])


def pad_edges(edges: list[Floats]) -> Floats:
    """Return the edges of all fields as one array, padded with infinity to make empty bins."""
    width = max((len(inner) for inner in edges), default=0)
    table = np.full((len(edges), width), np.inf)
    for field, inner in enumerate(edges):
        table[field, : len(inner)] = inner
    return table
