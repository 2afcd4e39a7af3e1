"""Sums from which means, differences and their confidence sequences follow."""

import numpy as np

from mlmonitor.compare.performance.estimate import NAN, Estimate, estimate_mean
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import psi
from mlmonitor.stats.sequential.normal_mixture import widen

_EDGE_VALUES = 500
"""First values of the champion, whose deciles are the bins of the predictions."""


class RunningMean:
    """Count, sum and sum of squares around the first value, which keeps them exact."""

    def __init__(self) -> None:
        self.count: int = 0
        self._center = 0.0
        self._total = 0.0
        self._squares = 0.0

    def update(self, values: Floats) -> None:
        """Add numbers; NaN counts as none."""
        values = values[np.isfinite(values)]
        if not values.size:
            return
        if not self.count:
            self._center = float(values[0])
        own = values - self._center
        self.count += values.size
        self._total += float(own.sum())
        self._squares += float((own * own).sum())

    def estimate(self, alpha: float) -> Estimate:
        """Return the mean with a confidence sequence: it may be read at any time."""
        plain = estimate_mean(self.count, self._total, self._squares)
        half = widen(plain.high - plain.value, self.count, error=alpha)
        value = float(plain.value) + self._center
        if not np.isfinite(half):
            return Estimate(value, NAN, NAN, self.count)
        return Estimate(value, value - half, value + half, self.count)


def subtract_means(first: RunningMean, second: RunningMean, alpha: float) -> Estimate:
    """Return the first mean minus the second, of different rows, with a confidence sequence."""
    one, two = first.estimate(alpha), second.estimate(alpha)
    if not (first.count and second.count):
        return Estimate(NAN, NAN, NAN, 0)
    rows = first.count * second.count / (first.count + second.count)
    plain = [estimate_mean(m.count, m._total, m._squares) for m in (first, second)]  # noqa: SLF001 - of this module
    half = float(np.hypot(plain[0].high - plain[0].value, plain[1].high - plain[1].value))
    half = widen(half, rows, error=alpha)
    value = one.value - two.value
    low, high = (value - half, value + half) if np.isfinite(half) else (NAN, NAN)
    return Estimate(value, low, high, min(first.count, second.count))


class ScoreBins:
    """Counts of both models' predictions over the deciles of the champion's first ones."""

    def __init__(self, *, has_classes: bool) -> None:
        self._has_classes = has_classes
        self._edges: Floats | None = None
        self._waiting: list[tuple[int, Floats]] = []
        self.counts: Counts = np.zeros((2, 0), np.int64)

    def update(self, side: int, values: Floats) -> None:
        """Add predictions of the champion (0) or of the challenger (1)."""
        values = values[np.isfinite(values)]
        if self._has_classes:
            self._count_classes(side, values)
            return
        if self._edges is None:
            self._waiting.append((side, values))
            first = [part for of, part in self._waiting if of == 0]
            if sum(map(len, first)) >= _EDGE_VALUES:
                self._begin(np.concatenate(first))
            return
        places = np.searchsorted(self._edges, values, side="left")
        self.counts[side] += np.bincount(places, minlength=self.counts.shape[1])

    def _begin(self, first: Floats) -> None:
        self._edges = np.unique(np.quantile(first, np.arange(1, 10) / 10))
        self.counts = np.zeros((2, len(self._edges) + 1), np.int64)
        waiting, self._waiting = self._waiting, []
        for side, values in waiting:
            self.update(side, values)

    def _count_classes(self, side: int, codes: Floats) -> None:
        counts = np.bincount(codes.astype(np.int64), minlength=self.counts.shape[1])
        missing = len(counts) - self.counts.shape[1]
        self.counts = np.pad(self.counts, ((0, 0), (0, missing)))
        self.counts[side] += counts

    def distance(self) -> float | None:
        """Return the PSI from the champion's predictions to the challenger's; None if too few."""
        if not self.counts.sum(axis=1).all() or not self.counts.size:
            return None
        return float(psi(self.counts[:1], self.counts[1:])[0])
