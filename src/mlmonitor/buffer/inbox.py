"""Everything the host hands over, in one place that a forked child can empty."""

from collections import deque
from collections.abc import Iterable
from threading import RLock
from typing import Generic, TypeVar

from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.calls import Entry
from mlmonitor.capture.guard import Guard

Named = tuple[str, object]
Item = TypeVar("Item")


class Queue(Generic[Item]):
    """Items in order of arrival; a full queue drops what comes next, and counts it."""

    __slots__ = ("_items", "_limit", "_lock", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everything, with a lock of its own again."""
        self._items: deque[Item] = deque()
        self._lock = RLock()
        self.dropped: int = 0

    def close(self) -> None:
        """Take no more: what comes from now on is dropped, and counted."""
        with self._lock:
            self._limit = 0

    def put(self, items: Iterable[Item]) -> None:
        """Take the items, or as many as there is room for."""
        with self._lock:
            for item in items:
                if len(self._items) < self._limit:
                    self._items.append(item)
                else:
                    self.dropped += 1

    def take(self) -> list[Item]:
        """Everything that is here now."""
        return [self._items.popleft() for _ in range(len(self._items))]


class Inbox:
    """Finished calls, labels `(id, actual)`, figures `(name, value)`, and faults held back.

    late: calls that were named when they had been handed over already.
    """

    __slots__ = ("calls", "figures", "guard", "labels", "late")

    def __init__(self, limit_rows: int) -> None:
        self.guard: Guard = Guard()
        self.calls: Handover = Handover(limit_rows)
        self.labels: Queue[Named] = Queue(limit_rows)
        self.late: Queue[Entry] = Queue(limit_rows)
        self.figures: Queue[Named] = Queue(limit_rows)

    def name_late(self, entry: Entry) -> None:
        """Take a call that has been handed over, and may have been read before it had an id."""
        self.late.put((entry,))

    def close(self) -> None:
        """Take no more of anything: what comes from now on is dropped, and counted."""
        self.calls.close()
        self.labels.close()
        self.late.close()
        self.figures.close()

    def clear(self) -> None:
        """Forget everything, as a forked child must: what is here is its parent's."""
        self.guard.clear()
        self.calls.clear()
        self.labels.clear()
        self.late.clear()
        self.figures.clear()
