"""Evidence that more calls fail than among the first calls, with allowance for bursts."""

from typing import Final

import numpy as np

from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts, ProportionEvaluation
from mlmonitor.records import Counts, Mask
from mlmonitor.stats.dependence.burst_sizes import BurstSizes
from mlmonitor.stats.evidence.dirichlet import PRIOR

_BURST_GROWTH: Final = 2.0


class FailureEvidence:
    """Evidence that more calls fail than among the first ones.

    Failures are counted in units of the mean size of a burst. If bursts turn out to be at least
    twice as large as among the first calls, the evidence starts again with the new size: first
    calls with no failure or a single burst say little about bursts.
    Promise: bursts at a steady rate fire no alert; for other failures, as for `ProportionAlerts`.
    """

    def __init__(self, has_failed: Mask, significance: Significance) -> None:
        self._significance = significance
        self._bursts = BurstSizes()
        self._bursts.update(has_failed)
        self._first = _count_failures(has_failed)
        self._new: Counts = np.zeros_like(self._first)
        self._assumed_size = 1.0
        self._alerts = self._begin()

    def ingest(self, has_failed: Mask) -> None:
        """Add calls in the order in which they ended."""
        self._bursts.update(has_failed)
        self._new += _count_failures(has_failed)

    def evaluate(self, *, now: float) -> ProportionEvaluation:
        """Evaluate the calls since the last evaluation."""
        has_learned = self._bursts.mean_size() >= _BURST_GROWTH * self._assumed_size
        if has_learned and not self.is_firing:
            self._alerts = self._begin()
        new, self._new = self._new, np.zeros_like(self._new)
        return self._alerts.evaluate(new, now=now)

    def threshold(self, rows: Counts) -> float:
        """Return the critical value of the share of failures among this many calls."""
        return float(self._alerts.thresholds(rows)[0])

    @property
    def first_share(self) -> float:
        """The share of the first calls that failed."""
        return float(self._first[0, 0] / self._first.sum())

    @property
    def is_firing(self) -> bool:
        """Whether the alert is firing."""
        return bool(self._alerts.is_firing[0])

    def _begin(self) -> ProportionAlerts:
        self._assumed_size = self._bursts.mean_size()
        return ProportionAlerts(
            self._first.astype(np.float64) + PRIOR,
            threshold=self._significance.service_threshold,
            tolerance=self._significance.quality_tolerance,
            min_rows=self._significance.min_rows,
            dependence=self._bursts.design_effects(),
        )


def _count_failures(has_failed: Mask) -> Counts:
    """Return the numbers of failed calls and of others, `[1, 2]`."""
    failed = int(np.count_nonzero(has_failed))
    return np.array([[failed, has_failed.size - failed]], np.int64)
