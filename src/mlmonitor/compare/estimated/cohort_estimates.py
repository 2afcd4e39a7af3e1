"""Estimated performance by the time of prediction."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS
from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.records import Counts, Floats

MOST_BYTES: Final = 512 * 1024
"""Memory of the sums of all periods; wide tables, of many classes, are kept for fewer periods."""

ESTIMATES_BYTES: Final = 2_048
"""Memory of the estimates of one period: eight measures at most."""

Compute = Callable[[ExpectedSums], Mapping[str, Estimate]]


class CohortEstimates:
    """Expected outcomes of the predictions made in each period of `seconds`.

    The periods are those of `CohortTable`. compute: returns the estimates of some sums.
    Promise: an estimate is that of the period's rows alone, for the newest `most` periods; older
        rows are not counted.
    Price: one `ExpectedSums` of `nbytes_each` a period, from its first row on, at most 512 KB for
        all, or one period if that is more. Estimates are computed again only for periods that had
        rows since.
    """

    __slots__ = ("_compute", "_estimates", "_nbytes_each", "_seconds", "_sums", "most")

    def __init__(self, seconds: float, nbytes_each: int, compute: Compute) -> None:
        self._seconds, self._nbytes_each, self._compute = seconds, nbytes_each, compute
        self.most: int = max(min(MOST_COHORTS, MOST_BYTES // nbytes_each), 1)
        """The number of periods that are kept."""
        self._sums: dict[int, ExpectedSums] = {}
        self._estimates: dict[int, Mapping[str, Estimate]] = {}

    def split(self, times: Floats | None, *, now: float) -> Iterator[tuple[int, Counts | slice]]:
        """Yield each period with the places of its rows.

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
        """Add rows of a period; `sums` are not kept."""
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
        """Return the estimates by period, counted in `seconds` from 1970."""
        for period in self._sums.keys() - self._estimates.keys():
            estimates = self._compute(self._sums[period])
            self._estimates[period] = {
                name: estimate._replace(basis="estimated") for name, estimate in estimates.items()
            }
        return dict(self._estimates)

    @property
    def nbytes(self) -> int:
        """Memory held once all periods have had rows."""
        return self.most * (self._nbytes_each + ESTIMATES_BYTES)
