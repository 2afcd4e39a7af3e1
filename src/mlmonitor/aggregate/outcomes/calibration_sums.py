"""Moments of predictions and actuals, for the line that best recalibrates predictions."""

from typing import ClassVar

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets, PairSums
from mlmonitor.records import Floats


class CalibrationSums(PairSums):
    """Sums over pairs of numbers that determine the regression of actuals on predictions.

    For a classifier, a pair is the score of a class, and 1 if the actual is this class, else 0.
    table: float64 `[terms, buckets]`, in the order of `TERMS`. With p = predicted - center,
    y = actual - center and e = p - y: `pp` sums p squared, `py` p times y, and `e2pp` e squared
    times p squared.

    Promise: merging is addition. A sum that overflows is infinite or NaN; no warning is issued.
    Price: 72 bytes a bucket.
    """

    TERMS: ClassVar[tuple[str, ...]] = ("n", "p", "y", "pp", "py", "yy", "e2", "e2p", "e2pp")

    __slots__ = ()

    def update(self, predicted: Floats, actual: Floats, buckets: Buckets) -> None:
        """Add pairs, except those in which either value is not finite."""
        is_counted = np.isfinite(predicted) & np.isfinite(actual) & (buckets >= 0)
        p, y = predicted[is_counted] - self.center, actual[is_counted] - self.center
        buckets = buckets[is_counted]
        with np.errstate(all="ignore"):
            e2 = (p - y) ** 2
            terms = (np.ones_like(p), p, y, p * p, p * y, y * y, e2, e2 * p, e2 * p * p)
            self._add(terms, buckets)
