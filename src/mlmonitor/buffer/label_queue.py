"""The queue of labels from the host to the worker."""

from collections import deque
from threading import RLock

from mlmonitor.capture.host.label_entries import LabelEntry, join_entries


class LabelQueue:
    """Labels in order of arrival; a full queue drops the oldest and counts them.

    Predictions are evicted in the same order, so the newest labels can still be joined. The labels
    of one call are queued or dropped as a whole, and those of the newest call are never dropped.

    Price: memory for the labels of one call or for `limit` labels, whichever is more.
    """

    __slots__ = ("_entries", "_limit", "_lock", "_rows", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Drop everything and make a new lock, as a forked child must."""
        self._entries: deque[LabelEntry] = deque()
        self._rows = 0
        self._lock = RLock()
        self.dropped: int = 0

    def close(self) -> None:
        """Drop and count every label from now on."""
        with self._lock:
            self._limit = 0

    def put(self, entry: LabelEntry) -> None:
        """Add labels; drop and count the oldest ones beyond the limit."""
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

    def remove_first(self, count: int) -> list[LabelEntry]:
        """Remove and return the oldest entries, which together hold at most `count` labels."""
        removed: list[LabelEntry] = []
        with self._lock:
            while self._entries and len(self._entries[0].ids) <= count:
                count -= len(self._entries[0].ids)
                removed.append(self._entries.popleft())
            self._rows = sum(len(entry.ids) for entry in self._entries)
        return removed

    def restore(self, entries: list[LabelEntry]) -> None:
        """Put removed entries back as the oldest ones."""
        with self._lock:
            self._entries.extendleft(entry for entry in reversed(entries) if entry.ids)
            self._rows = sum(len(entry.ids) for entry in self._entries)

    def __len__(self) -> int:
        return self._rows

    def drain(self) -> list[LabelEntry]:
        """Remove and return all labels, in as few entries as possible."""
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
            self._rows = 0
        return join_entries(entries)
