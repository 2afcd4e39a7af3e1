"""When an alert may be cleared: a stretch of rows long enough to tell has shown nothing."""

from collections.abc import Callable

import numpy as np

from mlmonitor.records import Counts, Mask

CALM_ROWS = 200
"""Fewer rows cannot show that all is as it was."""

CALM_FACTOR = 3
"""As many rows as raised an alert might miss what raised it, three times as many hardly."""


class Recovery:
    """Stretches of each stream's rows, one after the other, longer than the one that alerted.

    shape: `[streams, bins]` of the counts; bins: how many of these, from the first, add up to the
    rows, where not all do. Price: as much as one such table.
    """

    __slots__ = ("_bins", "_checked", "_rows")

    def __init__(self, shape: tuple[int, ...], *, bins: int | None = None) -> None:
        self._bins = shape[1] if bins is None else bins
        self._checked: Counts = np.zeros(shape, np.int64)
        self._rows: Counts = np.full(shape[0], CALM_ROWS, np.int64)

    def look(self, counts: Counts, is_still: Callable[[Counts], Mask]) -> Mask:
        """Which streams have just completed a stretch that shows nothing, as `is_still` judges.

        counts: everything since the start; `is_still` is given those of the stretches.
        """
        since = counts - self._checked
        is_complete: Mask = since[:, : self._bins].sum(axis=1) >= self._rows
        if not is_complete.any():
            return is_complete
        self._checked[is_complete] = counts[is_complete]
        return is_complete & is_still(since)

    def begin(self, streams: Mask, counts: Counts, rows: Counts) -> None:
        """Begin anew for streams whose alert was raised by so many `rows`."""
        self._checked[streams] = counts[streams]
        long_enough = np.maximum(CALM_FACTOR * rows, CALM_ROWS)
        self._rows = np.where(streams, long_enough, self._rows)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._checked.nbytes + self._rows.nbytes
