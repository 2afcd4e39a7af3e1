"""Weighted points of a t-digest, cut from sorted values and gathered into its cells."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats

Bools = NDArray[np.bool_]


class Centroids(NamedTuple):
    """Ascending along each field, those of no weight last. Of a point all values are equal."""

    means: Floats
    weights: Floats
    points: Bools


def compress(given: Centroids, cells: int) -> Centroids:
    """Centroids gathered into the cells their middle falls in, at most one a cell."""
    fields = len(given.means)
    runs, field, before, upto, middle = _runs(given, cells)
    cell = np.minimum(middle, cells - 1, out=middle)
    # A point that covers a cell has its middle there, and no other's middle is in it: it is alone.
    # What has no weight is gathered in a cell of its own, which is dropped.
    cell[upto == before] = cells
    cell += field * (cells + 1)
    first = np.append(0, np.flatnonzero(cell[1:] != cell[:-1]) + 1)
    last = np.append(first[1:], cell.size) - 1
    held = upto[last] - before[first]  # of whole numbers: exact
    at, size = cell[first], fields * (cells + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # a third of the time of `np.add.reduceat`, for which every segment is a call
        sums = np.bincount(cell, runs.weights * runs.means, size)[at]
    out = Centroids(np.zeros(size), np.zeros(size), np.zeros(size, np.bool_))
    out.means[at] = _means(sums, held, runs.means[first], runs.means[last])
    out.weights[at] = held
    out.points[at] = runs.points[first] & (first == last)
    return Centroids(
        out.means.reshape(fields, -1)[:, :cells],
        out.weights.reshape(fields, -1)[:, :cells],
        out.points.reshape(fields, -1)[:, :cells],
    )


class _Runs(NamedTuple):
    """Points of equal value joined, flat."""

    runs: Centroids
    field: NDArray[np.intp]
    before: Floats
    upto: Floats
    middle: NDArray[np.intp]


def _runs(given: Centroids, cells: int) -> _Runs:
    """Points of equal value joined, flat: where each begins and ends, and the cell it lies in."""
    fields, width = given.means.shape
    upto = np.cumsum(given.weights, axis=1)
    right = _scale(upto / np.maximum(upto[:, -1:], 1.0), cells).ravel()
    upto, means, points = upto.ravel(), given.means.ravel(), given.points.ravel()
    is_last = np.ones(means.size, np.bool_)
    np.not_equal(means[1:], means[:-1], out=is_last[:-1])
    is_last[:-1] |= ~(points[1:] & points[:-1])
    is_last[width - 1 :: width] = True
    if is_last.all():
        field, begins = np.arange(fields).repeat(width), np.arange(fields) * width
    else:
        ends = np.flatnonzero(is_last)
        field = ends // width
        begins = np.searchsorted(ends, np.arange(fields) * width)
        means, points, upto, right = means[ends], points[ends], upto[ends], right[ends]
    before, left = np.roll(upto, 1), np.roll(right, 1)
    before[begins], left[begins] = 0.0, 0.0
    middle = ((left + right) / 2).astype(np.intp)
    return _Runs(Centroids(means, upto - before, points), field, before, upto, middle)


def _means(sums: Floats, weights: Floats, first: Floats, last: Floats) -> Floats:
    """Means of ascending points, always between the first and the last of them.

    So equal values stay what they are. Where a sum is beyond all floats, a bound has to do.
    """
    return np.fmin(np.fmax(sums / np.maximum(weights, 1.0), first), last)


def _scale(q: Floats, cells: int) -> Floats:
    """k1 of each rank, in cells."""
    return np.arcsin(2 * q - 1) * (cells / np.pi) + cells / 2


@lru_cache(maxsize=8)
def _boundaries(cells: int) -> Floats:
    """The rank at which each cell begins: the inverse of `_scale`."""
    return (1 - np.cos(np.pi * np.arange(cells) / cells)) / 2


def cut(ordered: Floats, valid: Counts, cells: int) -> Centroids:
    """A sorted block `[fields, rows]` as centroids: the first `valid` of each field; zeros after.

    A field with few values has cells without any; they get no weight.
    """
    fields, rows = ordered.shape
    starts = (_boundaries(cells) * valid[:, None]).astype(np.intp)
    counts = np.diff(starts, axis=1, append=valid[:, None])
    starts += np.arange(fields)[:, None] * rows
    flat = ordered.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(flat, starts.ravel()).reshape(starts.shape)
    first, last = flat[starts], flat[starts + np.maximum(counts - 1, 0)]
    weights = counts.astype(np.float64)
    points = (first == last) & (counts > 0)
    found = Centroids(_means(sums, weights, first, last), weights, points)
    # Equal values that fill a cell and go on must not be cut where the next cell begins.
    is_piled = ((first[:, 1:] == first[:, :-1]) & (counts[:, :-1] > 1)).any(axis=1)
    if is_piled.any():
        _pile_up(found, ordered, valid, is_piled)
    return found


def _pile_up(found: Centroids, ordered: Floats, valid: Counts, is_piled: Bools) -> None:
    """Replace the centroids of some fields of a sorted block by such as cut no pile of values."""
    ends = np.maximum(valid - 1, 0)
    is_constant = is_piled & (ordered[:, 0] == ordered[np.arange(len(ends)), ends])
    for at in np.flatnonzero(is_constant):  # a pile and nothing else, as predictions may be
        for array in found:
            array[at] = 0
        found.means[at, 0], found.weights[at, 0] = ordered[at, 0], valid[at]
        found.points[at, 0] = True
    is_piled &= ~is_constant
    if is_piled.any():
        known = np.arange(ordered.shape[1]) < valid[is_piled, None]
        piled = Centroids(ordered[is_piled], known.astype(np.float64), known)
        for whole, part_of_it in zip(found, compress(piled, found.means.shape[1]), strict=True):
            whole[is_piled] = part_of_it
