"""Quantiles of each field from a few hundred weighted points."""

from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.codec import State, demand, part
from mlmonitor.aggregate.moments import valid_counts
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats

Bools = NDArray[np.bool_]

_FAR = 1e307  # four times this is no float any more


class TDigest:
    """A merging t-digest of each field, columnar: centroids are arrays `[fields, cells]`.

    The unit interval of ranks is cut into `cells` by the scale function k1, narrow at both ends;
    a centroid is what lies in a cell. Because the cells are fixed, all fields are compressed in
    one pass of numpy, and a centroid never covers more than two cells, unless it is a point: equal
    values that fill a cell are never mixed with others.

    Promise: after any number of updates and merges a quantile's rank is off by less than
        `TAIL_ERROR` at the outer 0.1 %, and by less than `MIDDLE_ERROR` elsewhere, but for those
        next to a wide gap between values: one that lies in the gap may be off by `WORST_ERROR`.
        Min and max are exact, and so is the share of a value that fills two cells. NaN is skipped.
    Price: `17 * cells` bytes a field; 25 us a field for each block or merge, and little more for a
        block of thousands.
    Source: Dunning and Ertl, "Computing extremely accurate quantiles using t-digests",
        arXiv 1902.04023, the merging form with k1.
    """

    CELLS = 200
    MIDDLE_ERROR = 0.005
    TAIL_ERROR = 0.0005
    WORST_ERROR = 1.5 * np.pi / CELLS  # three cells, where they are widest

    __slots__ = ("cells", "max", "means", "min", "points", "weights")

    def __init__(self, fields: int, *, cells: int = CELLS) -> None:
        self.cells: int = cells
        self.means: Floats = np.zeros((fields, cells))
        self.weights: Floats = np.zeros((fields, cells))
        self.points: Bools = np.zeros((fields, cells), np.bool_)
        self.min: Floats = np.full(fields, np.inf)
        self.max: Floats = np.full(fields, -np.inf)

    def update(self, values: Floats) -> None:
        """Take in a block `[fields, rows]`."""
        self.update_sorted(np.sort(values, axis=1))

    def update_sorted(self, ordered: Floats, valid: Counts | None = None) -> None:
        """Take in a block whose rows ascend, NaN last, as `np.sort` leaves them.

        valid: how many values each field has before its NaN, if that is known.
        """
        if ordered.size == 0:
            return
        fields, rows = ordered.shape
        if valid is None:
            valid = valid_counts(ordered)
        self.min = np.fmin(self.min, ordered[:, 0])
        self.max = np.fmax(self.max, ordered[np.arange(fields), np.maximum(valid - 1, 0)])
        is_whole = int(valid.min()) == rows
        if not is_whole:
            ordered = np.where(np.arange(rows) < valid[:, None], ordered, 0.0)
        if rows > self.cells:
            self._absorb(_cut(ordered, valid, self.cells))
        else:
            known = np.arange(rows) < valid[:, None]
            self._absorb(_Centroids(ordered, known.astype(np.float64), known))

    def merge(self, other: Self) -> None:
        """Take in what `other` has seen; raises IncompatibleSketch unless shapes agree."""
        if other.means.shape != self.means.shape:
            raise IncompatibleSketch(f"digest {other.means.shape} into {self.means.shape}")
        self.min, self.max = np.minimum(self.min, other.min), np.maximum(self.max, other.max)
        self._absorb(other._centroids())

    @property
    def count(self) -> Counts:
        """How many values each field has seen; exact up to 2**53."""
        total: Floats = self.weights.sum(axis=1)
        return total.astype(np.int64)

    def quantile(self, q: Floats) -> Floats:
        """`[fields, len(q)]`: the values below which shares `q` lie; NaN for an empty field."""
        wanted = np.asarray(q, np.float64)
        found = np.full((len(self.means), wanted.size), np.nan)
        for field in np.flatnonzero(self.max >= self.min).tolist():
            values, ranks = self._curve(field)
            found[field] = _values_at(wanted * ranks[-1], ranks, values)
        return found

    def cdf(self, x: Floats) -> Floats:
        """`[fields, points]` for `x` of that shape: the share at most `x`, NaN if empty."""
        found = np.full(x.shape, np.nan)
        for field in np.flatnonzero(self.max >= self.min).tolist():
            values, ranks = self._curve(field)
            found[field] = _ranks_at(x[field], values, ranks) / ranks[-1]
        return found

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays."""
        arrays = self.means, self.weights, self.points, self.min, self.max
        return sum(array.nbytes for array in arrays)

    def state(self) -> State:
        """All there is to know, as arrays."""
        floats = {name: getattr(self, name) for name in ("means", "weights", "min", "max")}
        return {**floats, "points": self.points.view(np.uint8)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The inverse of `state`; raises FormatError where the arrays contradict each other."""
        fields, cells = part(state, "means", np.float64, ndim=2).shape
        demand(cells > 0, "means: wanted a cell at least")
        found = cls(fields, cells=cells)
        for name in ("means", "weights"):
            setattr(found, name, part(state, name, np.float64, shape=(fields, cells)))
        for name in ("min", "max"):
            setattr(found, name, part(state, name, np.float64, shape=(fields,)))
        points = part(state, "points", np.uint8, shape=(fields, cells))
        demand((points <= 1).all(), "points: neither true nor false")
        found.points = points.astype(np.bool_)
        found._demand_sound()
        return found

    def _demand_sound(self) -> None:
        """Raise FormatError where the arrays contradict each other."""
        held = self.weights > 0
        demand(
            np.isfinite(self.weights).all() and (held | (self.weights == 0)).all(), "weights: bad"
        )
        is_inside = (self.min[:, None] <= self.means) & (self.means <= self.max[:, None])
        demand(np.where(held, is_inside, self.means == 0).all(), "means: beyond min or max")
        is_used = held.any(axis=1)
        has_ends = np.isfinite(self.min) & np.isfinite(self.max)
        is_empty = (self.min == np.inf) & (self.max == -np.inf)
        demand(np.where(is_used, has_ends, is_empty).all(), "min, max: of no values, or not finite")

    def _curve(self, field: int) -> tuple[Floats, Floats]:
        """The distribution's curve: values, and how many values lie at or below each."""
        held = self.weights[field] > 0
        means, points = self.means[field, held], self.points[field, held]
        upto = np.cumsum(self.weights[field, held])
        begin = np.append(0.0, upto[:-1])
        middle = (begin + upto) / 2
        # A point's values lie at one place from its first rank to its last, so it comes twice.
        ranks = np.stack([np.where(points, begin, middle), np.where(points, upto, middle)], axis=1)
        values = np.hstack([self.min[field], np.repeat(means, 2), self.max[field]])
        return values, np.hstack([0.0, ranks.ravel(), upto[-1]])

    def _centroids(self) -> "_Centroids":
        return _Centroids(self.means, self.weights, self.points)

    def _absorb(self, others: "_Centroids") -> None:
        """Merge ascending centroids `[fields, any]` into those held, all fields at once."""
        if self.means.size == 0:
            return
        pairs = zip(self._centroids(), others, strict=True)
        means, weights, points = (np.concatenate(pair, axis=1) for pair in pairs)
        # What has no weight goes last; two ascending runs are what a stable sort likes best.
        order = np.argsort(np.where(weights > 0, means, np.inf), axis=1, kind="stable")
        order += np.arange(len(means))[:, None] * order.shape[1]
        joined = _Centroids(means.take(order), weights.take(order), points.take(order))
        self.means, self.weights, self.points = _compressed(joined, self.cells)


class _Centroids(NamedTuple):
    """Ascending along each field, those of no weight last. Of a point all values are equal."""

    means: Floats
    weights: Floats
    points: Bools


def _values_at(wanted: Floats, ranks: Floats, values: Floats) -> Floats:
    """Values of a curve at some ranks. Not `np.interp`: its slopes overflow, or vanish."""
    at = np.clip(np.searchsorted(ranks, wanted, side="left"), 1, ranks.size - 1)
    low, high, begin = values[at - 1], values[at], ranks[at - 1]
    span = ranks[at] - begin
    share = np.clip((wanted - begin) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    return np.clip((1 - share) * low + share * high, low, high)


def _ranks_at(wanted: Floats, values: Floats, ranks: Floats) -> Floats:
    """Ranks of a curve at some values."""
    at = np.searchsorted(values, wanted, side="right")
    inner = np.clip(at, 1, values.size - 1)
    low, high, begin = values[inner - 1], values[inner], ranks[inner - 1]
    # In quarters where the difference is beyond all floats; not always, for a denormal has none.
    unit = np.where((high > _FAR) | (low < -_FAR), 0.25, 1.0)
    span = high * unit - low * unit
    inside = np.clip(wanted, low, high) * unit - low * unit
    share = inside / np.where(span > 0, span, 1.0)
    between = begin + share * (ranks[inner] - begin)
    found = np.where(at == 0, 0.0, np.where(at == values.size, ranks[-1], between))
    return np.where(np.isnan(wanted), np.nan, found)


def _compressed(given: _Centroids, cells: int) -> _Centroids:
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
    out = _Centroids(np.zeros(size), np.zeros(size), np.zeros(size, np.bool_))
    out.means[at] = _means(sums, held, runs.means[first], runs.means[last])
    out.weights[at] = held
    out.points[at] = runs.points[first] & (first == last)
    return _Centroids(
        out.means.reshape(fields, -1)[:, :cells],
        out.weights.reshape(fields, -1)[:, :cells],
        out.points.reshape(fields, -1)[:, :cells],
    )


class _Runs(NamedTuple):
    """Points of equal value joined, flat."""

    runs: _Centroids
    field: NDArray[np.intp]
    before: Floats
    upto: Floats
    middle: NDArray[np.intp]


def _runs(given: _Centroids, cells: int) -> _Runs:
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
    return _Runs(_Centroids(means, upto - before, points), field, before, upto, middle)


def _means(sums: Floats, weights: Floats, first: Floats, last: Floats) -> Floats:
    """Means of ascending points, between the first and the last of them whatever the rounding.

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


def _cut(ordered: Floats, valid: Counts, cells: int) -> _Centroids:
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
    found = _Centroids(_means(sums, weights, first, last), weights, points)
    # Equal values that fill a cell and go on must not be cut where the next cell begins.
    is_piled = ((first[:, 1:] == first[:, :-1]) & (counts[:, :-1] > 1)).any(axis=1)
    if is_piled.any():
        known = np.arange(rows) < valid[is_piled, None]
        piled = _Centroids(ordered[is_piled], known.astype(np.float64), known)
        for whole, part_of_it in zip(found, _compressed(piled, cells), strict=True):
            whole[is_piled] = part_of_it
    return found
