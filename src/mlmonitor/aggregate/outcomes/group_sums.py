"""Sums of rows by group, in constant memory, from which cluster-robust variances follow."""

from typing import Self

import numpy as np

from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Floats

_WIDTH_BITS = 12
_NOISE_ERRORS = 3.0  # exceeded by chance in one of a thousand sketches


class GroupSums:
    """Estimates the design effect on sums over rows in independent groups.

    Each group adds the terms of its rows to one of `WIDTH` counters, with a random sign. For a
    weighted sum of the terms, the squared counters add up, in expectation, to the squared totals of
    the groups: the cluster-robust variance. The variance of independent rows follows exactly from
    `products`.
    terms: the number of terms of a row; the first term is 1 if the row counts.
    Promise: merging is addition, and weights can be chosen after the rows were added. The standard
        error of the variance is at most `sqrt(2 / WIDTH)`, 2.2%.
    Price: 32 KiB a term.
    Source: Alon, Matias and Szegedy, "The space complexity of approximating the frequency moments",
        1996; Liang and Zeger, "Longitudinal data analysis using generalized linear models", 1986.
    """

    WIDTH = 1 << _WIDTH_BITS

    __slots__ = ("counters", "products")

    def __init__(self, terms: int) -> None:
        self.counters: Floats = np.zeros((terms, self.WIDTH))
        self.products: Floats = np.zeros((terms, terms))

    def update(self, terms: Floats, groups: Hashes) -> None:
        """Add rows: their terms `[terms, rows]`, zero where they do not count, and their groups."""
        buckets = (groups >> np.uint64(40)).astype(np.int64) & (self.WIDTH - 1)
        signs = (groups >> np.uint64(63)).astype(np.float64) * 2 - 1
        with np.errstate(all="ignore"):
            self.products += terms @ terms.T
            for place, term in enumerate(terms):
                self.counters[place] += np.bincount(buckets, term * signs, self.WIDTH)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless the terms agree."""
        if self.counters.shape != other.counters.shape:
            raise IncompatibleSketch("sums by group of different terms cannot be merged")
        self.counters += other.counters
        self.products += other.products

    def copy(self) -> "GroupSums":
        """Return an independent copy."""
        twin = GroupSums(len(self.products))
        twin.merge(self)
        return twin

    @property
    def totals(self) -> Floats:
        """The sum of each term over the rows that count."""
        totals: Floats = self.products[0]
        return totals

    def mean_size(self) -> float:
        """Return the mean group size, averaged over rows; 1 if not significantly above 1."""
        rows = float(self.products[0, 0])
        size = float(self.counters[0] @ self.counters[0]) / max(rows, 1.0)
        return min(_without_noise(size), max(rows, 1.0))

    def effect(self, weights: Floats) -> float:
        """Return the variance of a weighted sum of the terms, relative to independent rows.

        It is at least 1; an excess over 1 within the error of the sketch is ignored. If all
        rows have the same value, it is the mean group size, averaged over rows. NaN if a sum
        overflowed.
        """
        with np.errstate(all="ignore"):
            parts = np.outer(weights, weights) * self.products
            own, scale = float(parts.sum()), float(np.abs(parts).sum())
            if own <= 1e-12 * scale:
                return self.mean_size()
            by_group = weights @ self.counters
            return _without_noise(float(by_group @ by_group) / own)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.counters.nbytes + self.products.nbytes


def _without_noise(effect: float) -> float:
    """Return `effect`, or 1 if its excess over 1 is within the error of the sketch."""
    noise = 1 + _NOISE_ERRORS * float(np.sqrt(2 / GroupSums.WIDTH))
    return 1.0 if effect <= noise else effect
