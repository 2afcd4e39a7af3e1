"""Estimated performance by the time of prediction."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS
from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.records import Counts, Floats

MOST_BYTES: Final = 512 * 1024
"""Memory limit of the sums of all periods; with many classes, fewer periods fit in it."""

ESTIMATES_BYTES: Final = 2_048
"""Memory of the estimates of one period, which has at most eight measures."""

Compute = Callable[[ExpectedSums], Mapping[str, Estimate]]


class CohortEstimates:
    """Expected outcomes of the predictions made in each period of `seconds`.

    The periods are those of `CohortTable`. compute: returns the estimates of some sums.
    Promise: each estimate covers only the rows of its period. The newest `most` periods are kept;
        rows of older ones are not counted.
    Price: one `ExpectedSums` of `nbytes_each` for each period with rows, at most 512 KB in all, or
        one period if that is more. Estimates are recomputed only for periods with new rows.
    """

    __slots__ = ("_compute", "_estimates", "_nbytes_each", "_seconds", "_sums", "most")

    def __init__(self, seconds: float, nbytes_each: int, compute: Compute) -> None:
        self._seconds, self._nbytes_each, self._compute = seconds, nbytes_each, compute
        self.most: int = max(min(MOST_COHORTS, MOST_BYTES // nbytes_each), 1)
        """The number of periods that are kept."""
        self._sums: dict[int, ExpectedSums] = {}
        self._estimates: dict[int, Mapping[str, Estimate]] = {}

    def split(self, times: Floats | None, *, now: float) -> Iterator[tuple[int, Counts | slice]]:
        """Yield each period with the indices of its rows.

        times: when each row was predicted, NaN where that is unknown; None if all were `now`.
        """
        if times is None:
            yield int(now // self._seconds), slice(None)
            return
        times_or_now = np.where(np.isnan(times), now, times)
        periods = np.floor(times_or_now / self._seconds).astype(np.int64)
        for period in np.unique(periods).tolist():
            yield period, np.flatnonzero(periods == period)

    def update(self, period: int, sums: ExpectedSums) -> None:
        """Add the sums of some rows of a period; `sums` is copied."""
        oldest = max((period, *self._sums)) - self.most
        if period <= oldest:
            return
        for old in [start for start in self._sums if start <= oldest]:
            del self._sums[old]
            self._estimates.pop(old, None)
        self._estimates.pop(period, None)
        if period in self._sums:
            self._sums[period].merge(sums)
        else:
            self._sums[period] = sums.copy()

    def estimates(self) -> Mapping[int, Mapping[str, Estimate]]:
        """Return the estimates by period, numbered from 1970 in units of `seconds`."""
        for period in self._sums.keys() - self._estimates.keys():
            estimates = self._compute(self._sums[period])
            self._estimates[period] = {
                name: estimate._replace(basis="estimated") for name, estimate in estimates.items()
            }
        return dict(self._estimates)

    @property
    def nbytes(self) -> int:
        """Memory used once all periods have rows, in bytes."""
        return self.most * (self._nbytes_each + ESTIMATES_BYTES)
