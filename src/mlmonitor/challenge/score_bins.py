"""Predictions of two models in common bins, to compare their distributions without labels."""

import numpy as np

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import psi

_EDGE_VALUES = 500
"""The number of the champion's first values whose deciles become the bins."""

_MOST_WAITING = 10_000
"""The number of values of each model that are stored until the bins are known."""


class ScoreBins:
    """Counts predictions by class, or by deciles of the champion's first predictions."""

    def __init__(self, *, has_classes: bool) -> None:
        self._has_classes = has_classes
        self._edges: Floats | None = None
        self._waiting: tuple[list[Floats], list[Floats]] = [], []
        self._sizes = [0, 0]
        self.counts: Counts = np.zeros((2, 0), np.int64)

    def update(self, side: int, values: Floats) -> None:
        """Add predictions of the champion (0) or of the challenger (1)."""
        values = values[np.isfinite(values)]
        if self._has_classes:
            self._count_classes(side, values)
        elif self._edges is not None:
            places = np.searchsorted(self._edges, values, side="left")
            self.counts[side] += np.bincount(places, minlength=self.counts.shape[1])
        elif values.size and self._sizes[side] < _MOST_WAITING:
            self._waiting[side].append(values[: _MOST_WAITING - self._sizes[side]])
            self._sizes[side] += len(self._waiting[side][-1])
            if self._sizes[0] >= _EDGE_VALUES:
                self._begin()

    def _begin(self) -> None:
        first = np.concatenate(self._waiting[0])
        self._edges = np.unique(np.quantile(first, np.arange(1, 10) / 10))
        self.counts = np.zeros((2, len(self._edges) + 1), np.int64)
        waiting, self._waiting = self._waiting, ([], [])
        for side, parts in enumerate(waiting):
            for values in parts:
                self.update(side, values)

    def _count_classes(self, side: int, codes: Floats) -> None:
        counts = np.bincount(codes.astype(np.int64), minlength=self.counts.shape[1])
        missing = len(counts) - self.counts.shape[1]
        self.counts = np.pad(self.counts, ((0, 0), (0, missing)))
        self.counts[side] += counts

    def distance(self) -> float | None:
        """Return the PSI between both models' predictions; None if either has none in bins."""
        if not self.counts.size or not self.counts.sum(axis=1).all():
            return None
        return float(psi(self.counts[:1], self.counts[1:])[0])
