"""Draw a uniform sample from a stream of rows; all fields use the same rows."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmonitor.records import Counts

if TYPE_CHECKING:
    from numpy.random import Generator


class Reservoir:
    """Draws a uniform sample of at most `limit` rows, chunk by chunk; None keeps all rows.

    Source: Vitter, "Random sampling with a reservoir", 1985, algorithm R.
    """

    def __init__(self, limit: int | None, rng: "Generator") -> None:
        self.limit: int | None = limit
        self._rng = rng
        self.seen: int = 0
        self.kept: int = 0
        self.fresh: int = 0
        """Number of rows, from the start of the chunk, that fill free slots."""
        self.replaced: Counts = np.empty(0, np.int64)
        self.replaced_by: Counts = np.empty(0, np.int64)
        """Replaced slots, and the rows of the chunk that replace them, in order."""

    def next_chunk(self, rows: int) -> None:
        """Draw which of the next `rows` rows are sampled, and into which slots, for all fields."""
        limit = self.seen + rows if self.limit is None else self.limit
        self.fresh = min(limit - self.kept, rows)
        late = np.arange(self.fresh, rows)
        drawn = self._rng.integers(0, self.seen + late + 1) if late.size else late
        chosen = drawn < limit
        self.replaced, self.replaced_by = drawn[chosen], late[chosen]
        self.kept += self.fresh
        self.seen += rows


class Sample:
    """The sampled values of one field, by slot; `blank` if a row's chunk did not have the field.

    Price: memory grows by doubling, up to the limit; each stored value is copied once.
    """

    def __init__(self, blank: object) -> None:
        self._blank = blank
        self._held: np.ndarray[Any, Any] = self._make_blanks(0)

    def ingest(self, column: np.ndarray[Any, Any], slots: Reservoir) -> None:
        """Store the values of a chunk's column; `slots` must have been drawn for this chunk."""
        self._make_room(slots)
        self._held[slots.kept - slots.fresh : slots.kept] = column[: slots.fresh]
        self._held[slots.replaced] = column[slots.replaced_by]

    def rows(self, slots: Reservoir) -> Any:
        """Return the values in all slots that are in use."""
        self._make_room(slots)
        return self._held[: slots.kept]

    def _make_room(self, slots: Reservoir) -> None:
        short = slots.kept - len(self._held)
        if short <= 0:
            return
        size = max(slots.kept, 2 * len(self._held))
        if slots.limit is not None:
            size = min(size, slots.limit)
        self._held = np.concatenate([self._held, self._make_blanks(size - len(self._held))])

    def _make_blanks(self, rows: int) -> np.ndarray[Any, Any]:
        return np.full(rows, self._blank, np.float64 if self._blank is not None else object)
