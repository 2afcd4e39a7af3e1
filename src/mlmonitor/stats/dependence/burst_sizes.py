"""The size of bursts of rare events, such as failing calls, learned as they arrive."""

from typing import Final

import numpy as np

from mlmonitor.records import Floats, Mask
from mlmonitor.stats.dependence.design_effects import DesignEffects

GAP: Final = 3
"""Events with fewer than this many calls between them belong to one burst."""

LARGEST: Final = 50.0
"""Bursts count as at most this size, so that a long outage does not hide the next one."""


class BurstSizes:
    """Estimates the mean burst size, averaged over events, from bursts that have ended.

    A burst in progress is not counted: it may be an outage, which must not be explained by its own
    size. Independent failures are bursts of about one event.
    Promise: if bursts arrive independently, the mean size is the design effect of the number of
        events (a compound Poisson law).
    Price: a few numbers; one pass over the events of a block.
    Source: Leadbetter, "Extremes and local dependence in stationary sequences", 1983, for runs
        separated by gaps.
    """

    __slots__ = ("_events", "_open", "_since", "_squares")

    def __init__(self) -> None:
        self._events, self._squares = 0.0, 0.0
        self._open, self._since = 0, 0  # size of the burst in progress; calls since its last event

    def update(self, is_event: Mask) -> None:
        """Add calls in order, True where one is an event."""
        places = np.flatnonzero(is_event)
        if not places.size:
            self._since += is_event.size
            self._end_open()
            return
        gaps = np.diff(places, prepend=-1) - 1
        gaps[0] += self._since
        starts = np.flatnonzero(gaps >= GAP)
        sizes = np.diff(np.concatenate([[0], starts, [places.size]])).astype(np.float64)
        sizes[0] += self._open
        ended, self._open = sizes[:-1], int(sizes[-1])
        self._count(ended[ended > 0])
        self._since = int(is_event.size - 1 - places[-1])
        self._end_open()

    def mean_size(self) -> float:
        """Return the mean burst size, averaged over events; 1 before a burst has ended."""
        return max(self._squares / self._events, 1.0) if self._events else 1.0

    def design_effects(self) -> DesignEffects:
        """Return the design effects of calls, for use by an e-process.

        The effect of past calls is fixed; the effect of later calls changes as bursts end.
        """
        alone = np.ones(1)
        return DesignEffects(
            alone,
            alone[None],
            alone,
            group_size=self._of_rows,
            reference_group_size=self.mean_size(),
        )

    def _of_rows(self, rows: Floats) -> Floats:
        return np.minimum(np.maximum(rows, 1.0), self.mean_size())

    def _end_open(self) -> None:
        if self._open and self._since >= GAP:
            self._count(np.array([float(self._open)]))
            self._open = 0

    def _count(self, sizes: Floats) -> None:
        bounded = np.minimum(sizes, LARGEST)
        self._events += float(bounded.sum())
        self._squares += float((bounded**2).sum())
