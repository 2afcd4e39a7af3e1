"""Predictions in order of arrival, in flat arrays that are indexed by the hash of the id."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmonitor.buffer.id_index import Hashes, IdIndex, Positions

Column = np.ndarray[Any, Any]

_FREE, WAITING, LABELLED = 0, 1, 2
_SPARE = 8  # one extra position per eight rows, so that old rows are cleared rarely


class WaitingRows:
    """The newest `limit` waiting predictions, and labelled ones while there is room.

    A ring buffer: a new row is written at its end and evicts the oldest waiting one if needed. A
    labelled row stays until its place is needed, so that a second label is recognised.

    columns: name to dtype of the values stored for each row.
    Price: `nbytes_of`, from the first row on.
    """

    __slots__ = ("_capacity", "_head", "_index", "_limit", "_state", "_tail", "columns", "waiting")

    def __init__(self, limit: int, columns: Mapping[str, str]) -> None:
        self._limit = limit
        self._capacity = limit + limit // _SPARE + 1
        self._index = IdIndex(self._capacity)
        self._state: NDArray[np.uint8] = np.zeros(self._capacity, np.uint8)
        self.columns: dict[str, Column] = {
            name: np.empty(self._capacity, dtype) for name, dtype in columns.items()
        }
        self._head, self._tail = 0, 0
        self.waiting: int = 0

    @staticmethod
    def nbytes_of(limit: int, columns: Mapping[str, str]) -> int:
        """Return the bytes that `limit` predictions need, including temporary arrays."""
        row_bytes = sum(np.dtype(dtype).itemsize for dtype in columns.values())
        moving = 16
        return (limit + limit // _SPARE + 1) * (IdIndex.bytes_each + 1 + row_bytes + moving) + 8_000

    def find(self, hashes: Hashes) -> tuple[Positions, NDArray[np.uint8]]:
        """Return the position of each hash, or -1, and its state: waiting, labelled or free."""
        positions = self._index.find(hashes)
        return positions, np.where(positions < 0, _FREE, self._state[positions]).astype(np.uint8)

    def append(self, hashes: Hashes, columns: Mapping[str, Column]) -> int:
        """Store rows with distinct ids; return how many waiting or new rows this evicted.

        A row whose id is stored already replaces the older row.
        """
        surplus = max(len(hashes) - self._limit, 0)
        hashes, columns = hashes[surplus:], {name: c[surplus:] for name, c in columns.items()}
        old_positions = self._index.find(hashes)
        self._release(old_positions[old_positions >= 0])
        evicted = self._evict(max(self.waiting + len(hashes) - self._limit, 0))
        self._make_room(len(hashes))
        positions = (self._tail + np.arange(len(hashes))) % self._capacity
        is_kept = self._index.add(hashes, positions)
        for name, column in columns.items():
            self.columns[name][positions] = column
        self._state[positions] = np.where(is_kept, WAITING, _FREE)
        self._tail += len(hashes)
        count = int(np.count_nonzero(is_kept))
        self.waiting += count
        return surplus + evicted + len(hashes) - count

    def settle(self, positions: Positions) -> None:
        """Mark waiting rows as labelled; no position may repeat."""
        self._state[positions] = LABELLED
        self.waiting -= len(positions)

    def evict_before(self, name: str, least: float) -> int:
        """Evict the oldest rows whose value in column `name` is below `least`; return how many."""
        oldest = self.oldest(name)
        if oldest is None or oldest >= least:
            return 0
        order = self._list_in_order()
        is_late = self.columns[name][order] < least
        stop = order.size if is_late.all() else int(np.argmin(is_late))
        return self._evict(int(np.count_nonzero(self._state[order[:stop]] == WAITING)))

    def oldest(self, name: str) -> float | None:
        """The value in column `name` of the row that has waited longest; None if none waits."""
        if self.waiting == 0:
            return None
        self._skip_free()
        for start in range(self._head, self._tail, 1_024):
            order = np.arange(start, min(start + 1_024, self._tail)) % self._capacity
            waiting = np.flatnonzero(self._state[order] == WAITING)
            if waiting.size:
                return float(self.columns[name][order[waiting[0]]])
        return None

    def _list_in_order(self) -> Positions:
        """All positions in use, oldest first."""
        return np.arange(self._head, self._tail) % self._capacity

    def _release(self, positions: Positions) -> None:
        """Free the positions of rows in any state."""
        if positions.size:
            self.waiting -= int(np.count_nonzero(self._state[positions] == WAITING))
            self._index.remove(positions)
            self._state[positions] = _FREE

    def _evict(self, count: int) -> int:
        """Evict the `count` oldest waiting rows."""
        left = count
        start = self._head
        while left > 0:
            stop = min(start + max(2 * left, 256), self._tail)
            order = np.arange(start, stop) % self._capacity
            oldest = order[self._state[order] == WAITING][:left]
            self._release(oldest)
            left -= oldest.size
            start = stop
        self._skip_free()
        return count

    def _skip_free(self) -> None:
        """Move the head to the first row in use."""
        while self._head < self._tail:
            stop = min(self._head + 1_024, self._tail)
            used = np.flatnonzero(self._state[np.arange(self._head, stop) % self._capacity])
            if used.size:
                self._head += int(used[0])
                return
            self._head = stop

    def _make_room(self, count: int) -> None:
        """Compact the ring until `count` more rows fit; drop the oldest labelled rows if needed."""
        if self._tail - self._head + count <= self._capacity:
            return
        order = self._list_in_order()
        state = self._state[order]
        spare = max(self._capacity - self.waiting - max(count, self._capacity // _SPARE), 0)
        labelled = np.flatnonzero(state == LABELLED)
        is_dropped = np.zeros(len(order), np.bool_)
        is_dropped[labelled[: max(len(labelled) - spare, 0)]] = True
        self._release(order[is_dropped])
        old = order[~is_dropped & (state != _FREE)]
        kept, new = self._state[old], np.arange(len(old))
        self._index.move(old, new)
        for column in self.columns.values():
            column[new] = column[old]
        self._state[:] = _FREE
        self._state[new] = kept
        self._head, self._tail = 0, len(old)
