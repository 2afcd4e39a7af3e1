"""Labels on their way to the worker."""

from collections import deque
from threading import RLock

from mlmonitor.capture.host.label_entries import LabelEntry, join_entries


class LabelQueue:
    """Labels in order of arrival; when it is full the oldest make room, and are counted.

    Predictions drop out in the same order: the newest of both are there to meet. What one call
    reports is kept or dropped as a whole, and the newest call is always kept.

    Price: the labels of one call, or else `limit` of them.
    """

    __slots__ = ("_entries", "_limit", "_lock", "_rows", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everything, with a lock of its own again."""
        self._entries: deque[LabelEntry] = deque()
        self._rows = 0
        self._lock = RLock()
        self.dropped: int = 0

    def close(self) -> None:
        """Take no more: what arrives from now on is dropped, and counted."""
        with self._lock:
            self._limit = 0

    def put(self, entry: LabelEntry) -> None:
        """Keep some labels; older ones make room."""
        with self._lock:
            if self._limit == 0:
                self.dropped += len(entry.ids)
                return
            self._entries.append(entry)
            self._rows += len(entry.ids)
            while len(self._entries) > 1 and self._rows > self._limit:
                oldest = len(self._entries.popleft().ids)
                self._rows -= oldest
                self.dropped += oldest

    def __len__(self) -> int:
        return self._rows

    def drain(self) -> list[LabelEntry]:
        """Everything that is here now, in few entries."""
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
            self._rows = 0
        return join_entries(entries)
