"""Counts predictions by time of arrival, for the current rate and earlier days."""

from typing import Final

import numpy as np

from mlmonitor.records import Counts

SLOT_SECONDS: Final = 300.0
DAY_SLOTS: Final = 288
DAYS: Final = 8
COMPARED_SLOTS: Final = 6
"""The number of slots that are compared with earlier days: half an hour."""


class TrafficCounts:
    """The number of predictions in each slot of five minutes of the last eight days.

    Slots are in UTC; a slot without predictions counts zero.
    Price: 18 kB.
    """

    def __init__(self, *, now: float) -> None:
        self.started_at: float = now
        self._newest = int(now // SLOT_SECONDS)
        self._counts: Counts = np.zeros(DAYS * DAY_SLOTS, np.int64)

    def advance(self, now: float) -> None:
        """Start all slots up to `now`, in seconds since 1970."""
        slot = int(now // SLOT_SECONDS)
        passed = min(slot - self._newest, self._counts.size)
        if passed > 0:
            self._counts[np.arange(slot - passed + 1, slot + 1) % self._counts.size] = 0
            self._newest = slot

    def ingest(self, predictions: int, *, now: float) -> None:
        """Count predictions made at about `now`."""
        self.advance(now)
        self._counts[self._newest % self._counts.size] += predictions

    @property
    def newest_slot(self) -> int:
        """The current slot, counted from 1970."""
        return self._newest

    @property
    def oldest_slot(self) -> int:
        """The oldest slot that was counted from its start and is still stored."""
        first = int(np.ceil(self.started_at / SLOT_SECONDS))
        return max(first, self._newest - self._counts.size + 1)

    def total(self, start: int, stop: int) -> int:
        """Return the number of predictions in the slots `start:stop`."""
        return int(self._counts[np.arange(start, stop) % self._counts.size].sum())

    def dispersion(self) -> float:
        """Return the index of dispersion of slots, from the steps between neighbours; at least 1.

        The number of independent predictions has a variance equal to its mean, so the mean squared
        step between neighbouring slots equals the mean of their sum. Slow cycles add little to a
        step of five minutes. The newest half hour, which is compared, is left out.
        Source: Cox and Lewis, "The statistical analysis of series of events", 1966.
        """
        stop = self._newest - COMPARED_SLOTS
        start = max(self.oldest_slot, stop - DAY_SLOTS)
        if stop - start < COMPARED_SLOTS:
            return 1.0
        counts = self._counts[np.arange(start, stop) % self._counts.size]
        sums = float((counts[1:] + counts[:-1]).sum())
        squares = float((np.diff(counts).astype(np.float64) ** 2).sum())
        return max(squares / sums, 1.0) if sums else 1.0

    def rate(self, *, now: float) -> tuple[float, int] | None:
        """Return predictions per second over the last five to ten minutes, and their number.

        None if they have not been counted for that long.
        """
        self.advance(now)
        start = self._newest - 1
        if start < self.oldest_slot:
            return None
        count = self.total(start, self._newest + 1)
        return count / (now - start * SLOT_SECONDS), count

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self._counts.nbytes
