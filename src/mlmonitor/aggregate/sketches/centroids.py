"""The centroids of a t-digest: built from sorted values, and compressed into cells."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats

Bools = NDArray[np.bool_]


class Centroids(NamedTuple):
    """Centroids, ascending in each field, empty ones last; a point stands for equal values only."""

    means: Floats
    weights: Floats
    points: Bools


def compress(given: Centroids, cells: int) -> Centroids:
    """Merge centroids whose middles fall into the same cell; at most one per cell remains."""
    return _fill_cells(_join_runs(given, cells), len(given.means), cells)


def compress_sorted(ordered: Floats, valid: Counts, cells: int) -> Centroids:
    """Compress the first `valid` values of each field of a sorted block; each has at least one.

    The result is the same, bit for bit, as that of compressing one centroid per value.
    """
    return _fill_cells(_find_runs(ordered, valid, cells), len(ordered), cells)


def _fill_cells(joined: "_Runs", fields: int, cells: int) -> Centroids:
    """Merge the runs whose middles fall into the same cell."""
    runs, field, before, upto, middle = joined
    cell = np.minimum(middle, cells - 1, out=middle)
    # A point that covers a cell is alone in it: no other centroid can have its middle there.
    # Centroids without weight go into an extra cell, which is dropped.
    cell[upto == before] = cells
    cell += field * (cells + 1)
    first = np.append(0, np.flatnonzero(cell[1:] != cell[:-1]) + 1)
    last = np.append(first[1:], cell.size) - 1
    weights = upto[last] - before[first]  # exact, because weights are whole numbers
    cells_in_use, size = cell[first], fields * (cells + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # Three times as fast as `np.add.reduceat`, which makes a call for each segment.
        sums = np.bincount(cell, runs.weights * runs.means, size)[cells_in_use]
    out = Centroids(np.zeros(size), np.zeros(size), np.zeros(size, np.bool_))
    out.means[cells_in_use] = _compute_means(sums, weights, runs.means[first], runs.means[last])
    out.weights[cells_in_use] = weights
    out.points[cells_in_use] = runs.points[first] & (first == last)
    return Centroids(
        out.means.reshape(fields, -1)[:, :cells],
        out.weights.reshape(fields, -1)[:, :cells],
        out.points.reshape(fields, -1)[:, :cells],
    )


class _Runs(NamedTuple):
    """Centroids of all fields in one flat array, with points of equal value joined.

    field: the field of each centroid. before, upto: the ranks at which it begins and ends. middle:
    the cell of its middle.
    """

    runs: Centroids
    field: NDArray[np.intp]
    before: Floats
    upto: Floats
    middle: NDArray[np.intp]


def _join_runs(given: Centroids, cells: int) -> _Runs:
    """Flatten the centroids and join points of equal value."""
    fields, width = given.means.shape
    weights = given.weights.ravel()
    upto = np.cumsum(given.weights, axis=1)
    right = _scale_ranks(upto / np.maximum(upto[:, -1:], 1.0), cells).ravel()
    upto, means, points = upto.ravel(), given.means.ravel(), given.points.ravel()
    is_last = np.ones(means.size, np.bool_)
    np.not_equal(means[1:], means[:-1], out=is_last[:-1])
    is_last[:-1] |= ~(points[1:] & points[:-1])
    is_last[width - 1 :: width] = True
    if is_last.all():
        field, begins = np.arange(fields).repeat(width), np.arange(fields) * width
        before, left = _shift_within_fields(upto, begins), _shift_within_fields(right, begins)
    else:
        ends = np.flatnonzero(is_last)
        field = ends // width
        begins = np.searchsorted(ends, np.arange(fields) * width)
        means, points, upto, right = means[ends], points[ends], upto[ends], right[ends]
        before, left = _shift_within_fields(upto, begins), _shift_within_fields(right, begins)
        weights = upto - before
    left += right
    left /= 2
    return _Runs(Centroids(means, weights, points), field, before, upto, left.astype(np.intp))


def _find_runs(ordered: Floats, valid: Counts, cells: int) -> _Runs:
    """Find the runs of equal values: like `_join_runs`, but with ranks only for the runs."""
    fields, rows = ordered.shape
    is_last = np.ones(ordered.shape, np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=is_last[:, :-1])
    if int(valid.min()) < rows:
        is_last &= np.arange(rows) < valid[:, None]
        is_last[np.arange(fields), valid - 1] = True
    ends = np.flatnonzero(is_last)
    field, begins = ends // rows, np.searchsorted(ends, np.arange(fields) * rows)
    upto = (ends - field * rows + 1).astype(np.float64)
    right = _scale_ranks(upto / valid[field], cells)
    before, middle = _shift_within_fields(upto, begins), _shift_within_fields(right, begins)
    middle += right
    middle /= 2
    runs = Centroids(ordered.ravel()[ends], upto - before, np.ones(ends.size, np.bool_))
    return _Runs(runs, field, before, upto, middle.astype(np.intp))


def _shift_within_fields(values: Floats, begins: NDArray[np.intp]) -> Floats:
    """Return the value before each value, and 0 for the first one of each field."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[begins] = 0.0
    return before


def _compute_means(sums: Floats, weights: Floats, first: Floats, last: Floats) -> Floats:
    """Return means of runs of ascending values, clipped to the first and the last value of a run.

    Clipping makes the mean of equal values exact, and replaces a mean that overflows by a bound.
    """
    return np.fmin(np.fmax(sums / np.maximum(weights, 1.0), first), last)


def _scale_ranks(q: Floats, cells: int) -> Floats:
    """Return the t-digest scale function k1 of each rank from 0 to 1, in cells."""
    scaled = 2 * q
    scaled -= 1
    np.arcsin(scaled, out=scaled)
    scaled *= cells / np.pi
    scaled += cells / 2
    return scaled


@lru_cache(maxsize=8)
def _compute_boundaries(cells: int) -> Floats:
    """Return the rank at which each cell begins: the inverse of `_scale_ranks`."""
    return (1 - np.cos(np.pi * np.arange(cells) / cells)) / 2


def cut(ordered: Floats, valid: Counts, cells: int) -> Centroids:
    """Convert the first `valid` values in each field of a sorted block to centroids.

    ordered: `[fields, rows]`, zeros after the valid values. A cell without values gets no weight.
    """
    fields, rows = ordered.shape
    starts = (_compute_boundaries(cells) * valid[:, None]).astype(np.intp)
    counts = np.diff(starts, axis=1, append=valid[:, None])
    starts += np.arange(fields)[:, None] * rows
    flat = ordered.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(flat, starts.ravel()).reshape(starts.shape)
    first, last = flat[starts], flat[starts + np.maximum(counts - 1, 0)]
    weights = counts.astype(np.float64)
    points = (first == last) & (counts > 0)
    centroids = Centroids(_compute_means(sums, weights, first, last), weights, points)
    # A run of equal values that fills a cell must not be split at the next cell.
    is_split = ((first[:, 1:] == first[:, :-1]) & (counts[:, :-1] > 1)).any(axis=1)
    if is_split.any():
        _rejoin_equal_values(centroids, ordered, valid, is_split)
    return centroids


def _rejoin_equal_values(
    centroids: Centroids, ordered: Floats, valid: Counts, is_split: Bools
) -> None:
    """Recompute the centroids of some fields so that no run of equal values is split."""
    ends = np.maximum(valid - 1, 0)
    is_constant = is_split & (ordered[:, 0] == ordered[np.arange(len(ends)), ends])
    for field in np.flatnonzero(is_constant):  # all values are equal, as in some predictions
        for array in centroids:
            array[field] = 0
        centroids.means[field, 0], centroids.weights[field, 0] = ordered[field, 0], valid[field]
        centroids.points[field, 0] = True
    is_split &= ~is_constant
    if is_split.any():
        cells = centroids.means.shape[1]
        parts = compress_sorted(ordered[is_split], valid[is_split], cells)
        for whole, part_of_it in zip(centroids, parts, strict=True):
            whole[is_split] = part_of_it
