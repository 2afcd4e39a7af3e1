"""Counts of the rows since each firing alert's change, for the alert's current value."""

import numpy as np

from mlmonitor.records import Counts, Mask


class ChangedRows:
    """Counts of the rows since the change of each stream.

    shape: `[streams, counts]` of the totals. bins: how many leading counts add up to the number of
    rows; all by default. Price: one table of this shape.
    """

    __slots__ = ("_bins", "before")

    def __init__(self, shape: tuple[int, ...], *, bins: int | None = None) -> None:
        self._bins = shape[1] if bins is None else bins
        self.before: Counts = np.zeros(shape, np.int64)

    def continue_from(self, other: "ChangedRows") -> None:
        """Take over the changes of another object, which must have the same totals."""
        self.before = other.before.copy()

    def begin(self, fired: Mask, total: Counts, changed: Counts) -> None:
        """Begin to count for the streams that fired.

        total: the counts of all rows. changed: the counts of the rows since the change.
        """
        self.before[fired] = (total - changed)[fired]

    def count(self, total: Counts, window: Counts) -> Counts:
        """Return the counts since each change, or those of the window if it has fewer rows.

        Once the change is older than the window, the window shows whether it is over.
        """
        since = total - self.before
        bins = self._bins
        is_older = since[:, :bins].sum(axis=1) > window[:, :bins].sum(axis=1)
        counts: Counts = np.where(is_older[:, None], window, since)
        return counts

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self.before.nbytes
