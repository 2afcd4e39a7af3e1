"""Sums of prediction errors by bucket: additive, so a backend can compute MAE, RMSE and bias."""

from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats


class ErrorMeans(NamedTuple):
    """The errors of labelled predictions. `bias` is the mean of predicted minus actual."""

    count: int  # type: ignore[assignment]  # no one counts a tuple's elements here
    mae: float
    rmse: float
    bias: float


class ErrorSums:
    """The number of labelled predictions and the sums of their errors, by bucket of the prediction.

    Promise: exact up to rounding, in any order of merging. A sum that overflows is infinite, or NaN
        if errors of both signs overflow; no warning is issued.
    Price: 32 bytes a bucket.
    """

    __slots__ = ("absolute", "count", "edges", "signed", "squared")

    def __init__(self, edges: Floats) -> None:
        self.edges: Floats = edges
        self.count: Counts = np.zeros(len(edges) + 1, np.int64)
        self.absolute: Floats = np.zeros(len(edges) + 1)
        self.squared: Floats = np.zeros(len(edges) + 1)
        self.signed: Floats = np.zeros(len(edges) + 1)

    def update(self, predicted: Floats, actual: Floats) -> None:
        """Add pairs, except those in which either value is NaN."""
        has_both = ~(np.isnan(predicted) | np.isnan(actual))
        predicted, actual = predicted[has_both], actual[has_both]
        bucket = np.searchsorted(self.edges, predicted, side="left")
        size = len(self.count)
        with np.errstate(over="ignore", invalid="ignore"):
            error = predicted - actual
            self.count += np.bincount(bucket, minlength=size)
            self.absolute += np.bincount(bucket, np.abs(error), size)
            self.squared += np.bincount(bucket, error * error, size)
            self.signed += np.bincount(bucket, error, size)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless the buckets agree."""
        if not np.array_equal(self.edges, other.edges):
            raise IncompatibleSketch("error sums over different buckets cannot be merged")
        self.count += other.count
        with np.errstate(over="ignore", invalid="ignore"):
            self.absolute += other.absolute
            self.squared += other.squared
            self.signed += other.signed

    def performance(self) -> ErrorMeans | None:
        """Return the errors over all buckets, or None before the first labelled prediction."""
        n = int(self.count.sum())
        if n == 0:
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is inf, or NaN
            sums = self.absolute.sum(), self.squared.sum(), self.signed.sum()
        mae, mse, bias = (float(total) / n for total in sums)
        return ErrorMeans(n, mae, float(np.sqrt(mse)), bias)

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes."""
        return 4 * self.count.nbytes + self.edges.nbytes

    def state(self) -> State:
        """Return all contents as arrays."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        edges = part(state, "edges", np.float64, ndim=1)
        demand(
            (edges[:-1] < edges[1:]).all() and not np.isnan(edges).any(),
            "edges: expected them to ascend",
        )
        sums = cls(edges)
        shape = sums.count.shape
        sums.count = part(state, "count", np.int64, shape=shape)
        for name in ("absolute", "squared", "signed"):
            setattr(sums, name, part(state, name, np.float64, shape=shape))
        is_sound = (sums.count >= 0) & (sums.absolute >= 0) & (sums.squared >= 0)
        demand(is_sound.all(), "count, absolute, squared: expected zero or more")
        return sums
