"""Sums of prediction errors by bucket: additive, so a backend can form MAE, RMSE and bias."""

from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats


class ErrorMeans(NamedTuple):
    """How far labelled predictions were off. `bias` is the mean of predicted minus actual."""

    count: int  # type: ignore[assignment]  # no one counts a tuple's elements here
    mae: float
    rmse: float
    bias: float


class ErrorSums:
    """Per bucket of the prediction: how many were labelled, and the sums of their errors.

    Promise: exact but for rounding, under any merging. A sum beyond all floats is infinite, and
        NaN where such errors had both signs; nothing warns.
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
        """Take in pairs; one with a NaN on either side says nothing about the error."""
        known = ~(np.isnan(predicted) | np.isnan(actual))
        predicted, actual = predicted[known], actual[known]
        bucket = np.searchsorted(self.edges, predicted, side="left")
        size = len(self.count)
        with np.errstate(over="ignore", invalid="ignore"):
            error = predicted - actual
            self.count += np.bincount(bucket, minlength=size)
            self.absolute += np.bincount(bucket, np.abs(error), size)
            self.squared += np.bincount(bucket, error * error, size)
            self.signed += np.bincount(bucket, error, size)

    def merge(self, other: Self) -> None:
        """Take in what `other` has seen; raises IncompatibleSketch unless the buckets agree."""
        if not np.array_equal(self.edges, other.edges):
            raise IncompatibleSketch("error sums over different buckets cannot be merged")
        self.count += other.count
        with np.errstate(over="ignore", invalid="ignore"):
            self.absolute += other.absolute
            self.squared += other.squared
            self.signed += other.signed

    def performance(self) -> ErrorMeans | None:
        """Over all buckets; None before the first labelled prediction."""
        n = int(self.count.sum())
        if n == 0:
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # beyond all floats: inf, or NaN
            sums = self.absolute.sum(), self.squared.sum(), self.signed.sum()
        mae, mse, bias = (float(each) / n for each in sums)
        return ErrorMeans(n, mae, float(np.sqrt(mse)), bias)

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays."""
        return 4 * self.count.nbytes + self.edges.nbytes

    def state(self) -> State:
        """All there is to know, as arrays."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The inverse of `state`; raises FormatError where the arrays contradict each other."""
        edges = part(state, "edges", np.float64, ndim=1)
        demand((edges[:-1] < edges[1:]).all() and not np.isnan(edges).any(), "edges: must ascend")
        found = cls(edges)
        shape = found.count.shape
        found.count = part(state, "count", np.int64, shape=shape)
        for name in ("absolute", "squared", "signed"):
            setattr(found, name, part(state, name, np.float64, shape=shape))
        is_sound = (found.count >= 0) & (found.absolute >= 0) & (found.squared >= 0)
        demand(is_sound.all(), "count, absolute, squared: expected none below zero")
        return found
