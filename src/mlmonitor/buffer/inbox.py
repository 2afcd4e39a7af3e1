"""Everything the host hands over, in one place that a forked child can empty."""

from collections import deque
from collections.abc import Iterable
from threading import RLock

from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.guard import Guard

Named = tuple[str, object]


class Queue:
    """Named values in order of arrival; a full queue drops what comes next, and counts it."""

    __slots__ = ("_items", "_limit", "_lock", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everything, with a lock of its own again."""
        self._items: deque[Named] = deque()
        self._lock = RLock()
        self.dropped: int = 0

    def close(self) -> None:
        """Take no more: what comes from now on is dropped, and counted."""
        with self._lock:
            self._limit = 0

    def put(self, items: Iterable[Named]) -> None:
        """Take the items, or as many as there is room for."""
        with self._lock:
            for item in items:
                if len(self._items) < self._limit:
                    self._items.append(item)
                else:
                    self.dropped += 1

    def take(self) -> list[Named]:
        """Everything that is here now."""
        return [self._items.popleft() for _ in range(len(self._items))]


class Inbox:
    """Finished calls, labels `(id, actual)`, figures `(name, value)`, and faults held back."""

    __slots__ = ("calls", "figures", "guard", "labels")

    def __init__(self, limit_rows: int) -> None:
        self.guard: Guard = Guard()
        self.calls: Handover = Handover(limit_rows)
        self.labels: Queue = Queue(limit_rows)
        self.figures: Queue = Queue(limit_rows)

    def close(self) -> None:
        """Take no more of anything: what comes from now on is dropped, and counted."""
        self.calls.close()
        self.labels.close()
        self.figures.close()

    def clear(self) -> None:
        """Forget everything, as a forked child must: what is here is its parent's."""
        self.guard.clear()
        self.calls.clear()
        self.labels.clear()
        self.figures.clear()
