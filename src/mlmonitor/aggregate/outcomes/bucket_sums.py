"""Sums by bucket that merge by addition: the states from which performance is computed."""

from collections.abc import Iterable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats

Buckets = NDArray[np.int64]
"""The bucket of each row; a row with a negative bucket is not counted."""

Range = slice | int | list[int]


class PairSums:
    """Sums of terms over pairs of numbers, by bucket; `table` is float64 `[terms, buckets]`.

    A subclass defines the `TERMS`, which of them are `COUNTS`, and how a pair is added.
    Promise: merging is addition. A sum that overflows is infinite or NaN; no warning is issued.
    """

    TERMS: ClassVar[tuple[str, ...]]
    COUNTS: ClassVar[tuple[str, ...]] = ("n",)

    __slots__ = ("center", "table")

    def __init__(self, buckets: int, center: float = 0.0) -> None:
        self.center: float = center
        self.table: Floats = np.zeros((len(self.TERMS), buckets))

    def _add(self, terms: Iterable[Floats], buckets: Buckets) -> None:
        size = self.table.shape[1]
        for row, term in enumerate(terms):  # for one bucket a sum is faster and more exact
            self.table[row] += term.sum() if size == 1 else np.bincount(buckets, term, size)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless buckets and center agree."""
        if self.table.shape != other.table.shape or self.center != other.center:
            raise IncompatibleSketch("sums of pairs over different buckets cannot be merged")
        with np.errstate(all="ignore"):
            self.table += other.table

    def reset(self, bucket: int) -> None:
        """Set one bucket to zero."""
        self.table[:, bucket] = 0.0

    def terms(self, bucket: Range = slice(None)) -> dict[str, float]:
        """Return the sum of each term over some buckets, by default all, and the center."""
        chosen = self.table[:, bucket].reshape(len(self.TERMS), -1).sum(axis=1)
        return {"center": self.center, **dict(zip(self.TERMS, chosen.tolist(), strict=True))}

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.table.nbytes

    def state(self) -> State:
        """Return all contents as arrays."""
        return {"center": np.array([self.center]), "table": self.table}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        table = part(state, "table", np.float64, ndim=2)
        demand(table.shape[0] == len(cls.TERMS), "table: expected a row for each term")
        counts = table[[cls.TERMS.index(term) for term in cls.COUNTS]]
        demand((counts >= 0).all(), "table: expected counts of zero or more")
        sums = cls(table.shape[1], float(part(state, "center", np.float64, shape=(1,))[0]))
        sums.table = table
        return sums


class RegressionSums(PairSums):
    """Sums over pairs of numbers that give all regression measures and their intervals.

    table: float64 `[terms, buckets]`, in the order of `TERMS`. With e = predicted - actual and
    d = actual - center: `n` counts pairs, `e2` sums e squared, `e2d` e squared times d, `over2` the
    squares of positive errors, `a` |actual|, `ea` |e| |actual|, `r` the ratio |e| / |actual| over
    the `nonzero` pairs whose actual is not zero, and `r2` the square of that ratio.

    Promise: merging is addition. A sum that overflows is infinite or NaN; no warning is issued.
    Price: 136 bytes a bucket.
    """

    TERMS: ClassVar[tuple[str, ...]] = (
        *("n", "abs", "e", "e2", "e4", "over2", "d", "d2", "d3", "d4", "e2d", "e2d2"),
        *("a", "ea", "nonzero", "r", "r2"),
    )

    COUNTS: ClassVar[tuple[str, ...]] = ("n", "nonzero")

    __slots__ = ()

    def update(self, predicted: Floats, actual: Floats, buckets: Buckets) -> None:
        """Add pairs, except those in which either value is NaN."""
        is_counted = ~(np.isnan(predicted) | np.isnan(actual)) & (buckets >= 0)
        if not is_counted.all():
            predicted, actual = predicted[is_counted], actual[is_counted]
            buckets = buckets[is_counted]
        with np.errstate(all="ignore"):
            self._add(self._compute_terms(predicted, actual), buckets)

    def _compute_terms(self, predicted: Floats, actual: Floats) -> list[Floats]:
        e, d = predicted - actual, actual - self.center
        size, e2, d2, a = np.abs(e), e * e, d * d, np.abs(actual)
        is_nonzero = a > 0
        ratio = np.where(is_nonzero, size / np.where(is_nonzero, a, 1.0), 0.0)
        over = np.maximum(e, 0.0) ** 2
        errors = [np.ones_like(e), size, e, e2, e2 * e2, over, d, d2, d2 * d, d2 * d2]
        return [*errors, e2 * d, e2 * d2, a, size * a, is_nonzero * 1.0, ratio, ratio * ratio]


class MeanSums:
    """Counts, sums and sums of squares by bucket, which give means and their intervals.

    table: float64 `[3, names, buckets]`. A row whose value is NaN is left out.
    Promise: merging is addition. Price: 24 bytes for each name in each bucket.
    """

    __slots__ = ("names", "table")

    def __init__(self, names: tuple[str, ...], buckets: int) -> None:
        self.names: tuple[str, ...] = names
        self.table: Floats = np.zeros((3, len(names), buckets))

    def update(self, name: str, values: Floats, buckets: Buckets) -> None:
        """Add the values of one name."""
        is_counted = np.isfinite(values) & (buckets >= 0)
        values, buckets = values[is_counted], buckets[is_counted]
        place, size = self.names.index(name), self.table.shape[2]
        with np.errstate(over="ignore"):
            self.table[0, place] += np.bincount(buckets, minlength=size)
            self.table[1, place] += np.bincount(buckets, values, size)
            self.table[2, place] += np.bincount(buckets, values * values, size)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless names and buckets agree."""
        if self.names != other.names or self.table.shape != other.table.shape:
            raise IncompatibleSketch("sums of different measures cannot be merged")
        self.table += other.table

    def reset(self, bucket: int) -> None:
        """Set one bucket to zero."""
        self.table[:, :, bucket] = 0.0

    def terms(self, name: str, bucket: Range = slice(None)) -> tuple[float, float, float]:
        """Return the count, the sum and the sum of squares of one name over some buckets."""
        chosen = self.table[:, self.names.index(name), bucket].reshape(3, -1).sum(axis=1)
        count, total, squares = chosen.tolist()
        return count, total, squares

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.table.nbytes

    def state(self) -> State:
        """Return all contents but the names, as arrays."""
        return {"table": self.table}

    @classmethod
    def from_state(cls, state: State, names: tuple[str, ...]) -> Self:
        """Rebuild from a `state`; raise FormatError for arrays that do not fit the names."""
        table = part(state, "table", np.float64, ndim=3)
        demand(table.shape[:2] == (3, len(names)), "table: expected three rows for each name")
        demand((table[[0, 2]] >= 0).all(), "table: expected counts of zero or more")
        sums = cls(names, table.shape[2])
        sums.table = table
        return sums


class ConfusionMatrix:
    """How often each class was predicted for each true class, by bucket.

    counts: int64 `[buckets, classes, classes]`, actual before predicted.
    Promise: exact; merging is addition. Price: 8 bytes for each pair of classes in each bucket.
    """

    __slots__ = ("counts",)

    def __init__(self, buckets: int, classes: int) -> None:
        self.counts: Counts = np.zeros((buckets, classes, classes), np.int64)

    def update(self, predicted: Buckets, actual: Buckets, buckets: Buckets) -> None:
        """Add pairs of class codes, except those in which either code is negative."""
        is_counted = (predicted >= 0) & (actual >= 0) & (buckets >= 0)
        size = self.counts.shape[1]
        cells = (buckets[is_counted] * size + actual[is_counted]) * size + predicted[is_counted]
        added = np.bincount(cells, minlength=self.counts.size)
        self.counts += added.reshape(self.counts.shape)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless classes and buckets agree."""
        if self.counts.shape != other.counts.shape:
            raise IncompatibleSketch("confusion matrices of different classes cannot be merged")
        self.counts += other.counts

    def reset(self, bucket: int) -> None:
        """Set one bucket to zero."""
        self.counts[bucket] = 0

    def matrix(self, bucket: Range = slice(None)) -> Counts:
        """Return the matrix `[actual, predicted]` over some buckets, by default all."""
        size = self.counts.shape[1]
        if not size:
            return np.zeros((0, 0), np.int64)
        matrix: Counts = self.counts[bucket].reshape(-1, size, size).sum(axis=0)
        return matrix

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.counts.nbytes

    def state(self) -> State:
        """Return all contents but the names of the classes, as arrays."""
        return {"counts": self.counts}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        counts = part(state, "counts", np.int64, ndim=3)
        demand(counts.shape[1] == counts.shape[2], "counts: expected as many rows as columns")
        demand((counts >= 0).all(), "counts: expected counts of zero or more")
        matrix = cls(counts.shape[0], counts.shape[1])
        matrix.counts = counts
        return matrix
