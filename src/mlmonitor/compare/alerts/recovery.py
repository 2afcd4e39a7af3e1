"""Decide when an alert may resolve: after enough consecutive rows without a change."""

from collections.abc import Callable

import numpy as np

from mlmonitor.records import Counts, Mask

RECOVERY_ROWS = 200
"""The minimum number of rows that can show that a stream has recovered."""

RECOVERY_FACTOR = 3
"""Recovery takes three times the rows that fired the alert; fewer could miss the change."""


class Recovery:
    """Splits each stream's rows into consecutive stretches, to see whether its alert may resolve.

    A stretch has `RECOVERY_FACTOR` times the rows that fired the alert, and at least
    `RECOVERY_ROWS`.
    shape: `[streams, bins]` of the counts. bins: how many leading bins add up to the number of
    rows; all by default. Price: one table of this shape.
    """

    __slots__ = ("_bins", "_checked", "_needed_rows")

    def __init__(self, shape: tuple[int, ...], *, bins: int | None = None) -> None:
        self._bins = shape[1] if bins is None else bins
        self._checked: Counts = np.zeros(shape, np.int64)
        self._needed_rows: Counts = np.full(shape[0], RECOVERY_ROWS, np.int64)

    def evaluate(self, counts: Counts, shows_nothing: Callable[[Counts], Mask]) -> Mask:
        """Return a mask of the streams that have just completed a stretch without a change.

        counts: totals since the start. shows_nothing: takes the counts of the stretches, returns
        the mask of streams without a change.
        """
        since = counts - self._checked
        is_complete: Mask = since[:, : self._bins].sum(axis=1) >= self._needed_rows
        if not is_complete.any():
            return is_complete
        self._checked[is_complete] = counts[is_complete]
        return is_complete & shows_nothing(since)

    def restart(self, streams: Mask, counts: Counts, rows: Counts) -> None:
        """Begin a new stretch for streams whose alert has just fired on this many `rows`."""
        self._checked[streams] = counts[streams]
        long_enough = np.maximum(RECOVERY_FACTOR * rows, RECOVERY_ROWS)
        self._needed_rows = np.where(streams, long_enough, self._needed_rows)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self._checked.nbytes + self._needed_rows.nbytes
