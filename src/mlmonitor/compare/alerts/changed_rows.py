"""The rows since the change behind each firing alert, of which its current value is measured."""

import numpy as np

from mlmonitor.records import Counts, Mask


class ChangedRows:
    """Counts of the rows since the change of each stream.

    shape: `[streams, counts]` of the totals. bins: number of leading counts that add up to the
    rows. Price: one such table.
    """

    __slots__ = ("_bins", "before")

    def __init__(self, shape: tuple[int, ...], *, bins: int | None = None) -> None:
        self._bins = shape[1] if bins is None else bins
        self.before: Counts = np.zeros(shape, np.int64)

    def continue_from(self, other: "ChangedRows") -> None:
        """Keep the changes of another object over the same totals."""
        self.before = other.before.copy()

    def begin(self, fired: Mask, total: Counts, changed: Counts) -> None:
        """Begin with the rows `changed`, the newest of `total`, for streams that have fired."""
        self.before[fired] = (total - changed)[fired]

    def count(self, total: Counts, window: Counts) -> Counts:
        """Return the counts since each change, or those of the window if these are fewer rows.

        Once the change is older than the window, its rows show whether it is over.
        """
        since = total - self.before
        bins = self._bins
        is_older = since[:, :bins].sum(axis=1) > window[:, :bins].sum(axis=1)
        counts: Counts = np.where(is_older[:, None], window, since)
        return counts

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.before.nbytes
