"""Sums of expected outcomes, which estimate the sums over labels that have not arrived yet."""

from typing import Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats


class ExpectedSums:
    """Rows by group and bin of a score, with the sums of their expected outcomes.

    table: float64 `[3, groups, bins]`: rows, expected outcomes, variances of single outcomes.
    confusion: float64 `[classes, classes]`: expected rows by actual, then predicted class; empty
    unless there are several classes.
    Promise: additive. Any order and any split of the rows gives the same counts, and the same sums
        up to rounding. Price: 24 bytes for each group and bin.
    """

    __slots__ = ("confusion", "table")

    def __init__(self, groups: int, bins: int, classes: int = 0) -> None:
        self.table: Floats = np.zeros((3, groups, bins))
        self.confusion: Floats = np.zeros((classes, classes))

    def update(self, groups: Counts, bins: Counts, expected: Floats, variance: Floats) -> None:
        """Add rows by their group and bin."""
        _, size, width = self.table.shape
        cells = groups * width + bins
        for place, weights in enumerate((None, expected, variance)):
            added = np.bincount(cells, weights, size * width)
            self.table[place] += added.reshape(size, width)

    def update_classes(self, expected: Floats, predicted: Counts) -> None:
        """Add the class probabilities of rows, `[classes, rows]`, by predicted class."""
        for actual, chances in enumerate(expected):
            self.confusion[actual] += np.bincount(predicted, chances, len(self.confusion))

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless groups and bins agree."""
        if self.table.shape != other.table.shape or len(self.confusion) != len(other.confusion):
            raise IncompatibleSketch("expected outcomes of different calibrations cannot be merged")
        self.table += other.table
        self.confusion += other.confusion

    def copy(self) -> "ExpectedSums":
        """Return an independent copy."""
        _, groups, bins = self.table.shape
        twin = ExpectedSums(groups, bins, len(self.confusion))
        twin.merge(self)
        return twin

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.table.nbytes + self.confusion.nbytes

    def state(self) -> State:
        """Return all contents as arrays."""
        return {"table": self.table, "confusion": self.confusion}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        table, confusion = (
            part(state, name, np.float64, ndim=ndim)
            for name, ndim in (("table", 3), ("confusion", 2))
        )
        demand(table.shape[0] == 3, "table: expected rows, expected outcomes and variances")
        demand(
            confusion.shape[0] == confusion.shape[1], "confusion: expected as many rows as columns"
        )
        demand((table[[0, 2]] >= 0).all(), "table: expected counts of zero or more")
        sums = cls(table.shape[1], table.shape[2], len(confusion))
        sums.table, sums.confusion = table, confusion
        return sums
