"""Quantiles of each field from a few hundred weighted points."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.centroids import Bools, Centroids, compress, cut
from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.aggregate.sketches.interpolation import ranks_at, values_at
from mlmonitor.aggregate.sketches.moments import valid_counts
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats


class TDigest:
    """A merging t-digest of each field, columnar: centroids are arrays `[fields, cells]`.

    The unit interval of ranks is cut into `cells` by the scale function k1, narrow at both ends;
    a centroid is what lies in a cell. Because the cells are fixed, all fields are compress in
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

    __slots__ = ("_known", "cells", "max", "means", "min", "points", "weights")

    def __init__(self, fields: int, *, cells: int = CELLS) -> None:
        self.cells: int = cells
        self.means: Floats = np.zeros((fields, cells))
        self.weights: Floats = np.zeros((fields, cells))
        self.points: Bools = np.zeros((fields, cells), np.bool_)
        self.min: Floats = np.full(fields, np.inf)
        self.max: Floats = np.full(fields, -np.inf)
        # Which fields have values, and their curves, from one question to the next.
        self._known: tuple[NDArray[np.intp], Floats, Floats] | None = None

    def update(self, values: Floats) -> None:
        """Add a block `[fields, rows]`."""
        self.update_sorted(np.sort(values, axis=1))

    def update_sorted(self, ordered: Floats, valid: Counts | None = None) -> None:
        """Add a block whose rows ascend, NaN last, as `np.sort` leaves them.

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
            self._absorb(cut(ordered, valid, self.cells))
        else:
            known = np.arange(rows) < valid[:, None]
            self._absorb(Centroids(ordered, known.astype(np.float64), known))

    def merge(self, other: Self) -> None:
        """Add what `other` has seen; raises IncompatibleSketch unless shapes agree."""
        if other.means.shape != self.means.shape:
            raise IncompatibleSketch(f"digest {other.means.shape} into {self.means.shape}")
        if not other.weights.any():
            return
        if self.weights.any():
            self._absorb(other._centroids())
        else:
            self.means, self.weights = other.means.copy(), other.weights.copy()
            self.points, self._known = other.points.copy(), None
        self.min, self.max = np.minimum(self.min, other.min), np.maximum(self.max, other.max)

    @property
    def count(self) -> Counts:
        """How many values each field has seen; exact up to 2**53."""
        total: Floats = self.weights.sum(axis=1)
        return total.astype(np.int64)

    def quantile(self, q: Floats) -> Floats:
        """`[fields, len(q)]`: the values below which shares `q` lie; NaN for an empty field."""
        found = np.full((len(self.means), np.size(q)), np.nan)
        known, values, ranks = self._curves()
        expected = np.asarray(q, np.float64) * ranks[:, -1:]
        found[known] = values_at(expected, ranks, values)
        return found

    def cdf(self, x: Floats) -> Floats:
        """`[fields, points]` for `x` of that shape: the share at most `x`, NaN if empty."""
        found = np.full(x.shape, np.nan)
        for field, values, ranks in zip(*self._curves(), strict=True):
            found[field] = ranks_at(x[field], values, ranks) / ranks[-1]
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
        demand(cells > 0, "means: expected a cell at least")
        found = cls(fields, cells=cells)
        for name in ("means", "weights"):
            setattr(found, name, part(state, name, np.float64, shape=(fields, cells)))
        for name in ("min", "max"):
            setattr(found, name, part(state, name, np.float64, shape=(fields,)))
        points = part(state, "points", np.uint8, shape=(fields, cells))
        demand((points <= 1).all(), "points: neither true nor false")
        found.points = points.astype(np.bool_)
        found._demand_consistent()
        return found

    def _demand_consistent(self) -> None:
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

    def _curves(self) -> tuple[NDArray[np.intp], Floats, Floats]:
        """Which fields have values, how they are distributed, and how many are at or below each.

        Side by side, `[fields, any]`: the last point of each fills up its row.
        """
        if self._known is None:
            fields = np.flatnonzero(self.max >= self.min)
            self._known = (fields, *self._draw_curves(fields))
        return self._known

    def _draw_curves(self, fields: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Values of some fields, and the ranks that they have."""
        order = np.argsort(self.weights[fields] == 0, axis=1, kind="stable")
        places = (fields[:, None], order)  # what has weight first
        means, weights, points = self.means[places], self.weights[places], self.points[places]
        held = weights > 0
        upto = np.cumsum(weights, axis=1)
        begin = np.hstack([np.zeros((len(upto), 1)), upto[:, :-1]])
        middle = (begin + upto) / 2
        whole, largest = upto[:, -1:], self.max[fields, None]
        # A point's values lie at one place from its first rank to its last, so it is listed twice.
        ranks = np.stack([np.where(points, begin, middle), np.where(points, upto, middle)], axis=2)
        ranks = np.where(held[:, :, None], ranks, whole[:, :, None])
        ranks = ranks.reshape(len(upto), 2 * upto.shape[1])
        values = np.repeat(np.where(held, means, largest), 2, axis=1)
        start = np.zeros_like(whole)
        return (
            np.hstack([self.min[fields, None], values, largest]),
            np.hstack([start, ranks, whole]),
        )

    def _centroids(self) -> Centroids:
        return Centroids(self.means, self.weights, self.points)

    def _absorb(self, others: Centroids) -> None:
        """Merge ascending centroids `[fields, any]` into those held, all fields at once."""
        self._known = None
        if self.means.size == 0:
            return
        yield_gil()
        pairs = zip(self._centroids(), others, strict=True)
        means, weights, points = (np.concatenate(pair, axis=1) for pair in pairs)
        # What has no weight goes last; two ascending runs are what a stable sort likes best.
        order = np.argsort(np.where(weights > 0, means, np.inf), axis=1, kind="stable")
        order += np.arange(len(means))[:, None] * order.shape[1]
        joined = Centroids(means.take(order), weights.take(order), points.take(order))
        yield_gil()
        self.means, self.weights, self.points = compress(joined, self.cells)
