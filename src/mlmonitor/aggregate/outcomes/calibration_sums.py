"""Moments of predictions and actuals: whether a line would correct the predictions."""

from typing import ClassVar, Self

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets, Range
from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Floats


class CalibrationSums:
    """Sums over pairs of numbers, from which the regression of actuals on predictions follows.

    For a classifier a pair is the score of a class, and 1 if it was the class or else 0.
    table: float64 `[terms, buckets]`, in the order of `TERMS`. With p = predicted - center,
    y = actual - center and e = p - y: `pp` sums p squared, `py` p times y, and `e2pp` e squared
    times p squared.

    Promise: merging is addition. A sum that overflows is infinite or NaN; no warning is issued.
    Price: 72 bytes a bucket.
    """

    TERMS: ClassVar[tuple[str, ...]] = ("n", "p", "y", "pp", "py", "yy", "e2", "e2p", "e2pp")

    __slots__ = ("center", "table")

    def __init__(self, buckets: int, center: float = 0.0) -> None:
        self.center: float = center
        self.table: Floats = np.zeros((len(self.TERMS), buckets))

    def update(self, predicted: Floats, actual: Floats, buckets: Buckets) -> None:
        """Add pairs; one that is not finite on either side is left out."""
        is_counted = np.isfinite(predicted) & np.isfinite(actual) & (buckets >= 0)
        p, y = predicted[is_counted] - self.center, actual[is_counted] - self.center
        buckets = buckets[is_counted]
        with np.errstate(all="ignore"):
            e2 = (p - y) ** 2
            terms = (np.ones_like(p), p, y, p * p, p * y, y * y, e2, e2 * p, e2 * p * p)
            for row, term in enumerate(terms):
                self.table[row] += np.bincount(buckets, term, self.table.shape[1])

    def merge(self, other: Self) -> None:
        """Add what `other` has seen; raises IncompatibleSketch unless buckets and center agree."""
        if self.table.shape != other.table.shape or self.center != other.center:
            raise IncompatibleSketch("calibration sums over different buckets cannot be merged")
        with np.errstate(all="ignore"):
            self.table += other.table

    def reset(self, bucket: int) -> None:
        """Set one bucket to zero."""
        self.table[:, bucket] = 0.0

    def terms(self, bucket: Range = slice(None)) -> dict[str, float]:
        """Each sum over some buckets, all unless one is named; and the center."""
        chosen = self.table[:, bucket].reshape(len(self.TERMS), -1).sum(axis=1)
        return {"center": self.center, **dict(zip(self.TERMS, chosen.tolist(), strict=True))}

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.table.nbytes

    def state(self) -> State:
        """Return all contents as arrays."""
        return {"center": np.array([self.center]), "table": self.table}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Read back a `state`; raise FormatError if its arrays contradict each other."""
        table = part(state, "table", np.float64, ndim=2)
        demand(table.shape[0] == len(cls.TERMS), "table: expected a row for each term")
        demand((table[0] >= 0).all(), "table: expected counts of zero or more")
        sums = cls(table.shape[1], float(part(state, "center", np.float64, shape=(1,))[0]))
        sums.table = table
        return sums
