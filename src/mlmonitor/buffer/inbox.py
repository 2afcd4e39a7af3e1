"""Everything the host hands over, in one place that a forked child can empty."""

from collections import deque
from collections.abc import Callable, Iterable
from operator import itemgetter
from threading import RLock
from typing import Generic, TypeVar

from mlmonitor.buffer.handover import Handover
from mlmonitor.buffer.label_queue import LabelQueue
from mlmonitor.capture.entry import Entry
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.outcome_entries import OutcomeEntry

Named = tuple[str, object]
Item = TypeVar("Item")


class Queue(Generic[Item]):
    """Items in order of arrival; a full queue drops what comes next, and counts it.

    size_of: what an item takes of the limit; one, where it is not given. A queue that has any room
    takes the next item whole.
    """

    __slots__ = ("_held", "_items", "_limit", "_lock", "_size_of", "dropped")

    def __init__(self, limit: int, size_of: Callable[[Item], int] = lambda _: 1) -> None:
        self._limit, self._size_of = limit, size_of
        self.clear()

    def clear(self) -> None:
        """Forget everything, with a lock of its own again."""
        self._items: deque[Item] = deque()
        self._held = 0
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
                if self._held < self._limit:
                    self._held += self._size_of(item)
                    self._items.append(item)
                else:
                    self.dropped += 1

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    @property
    def has_room(self) -> bool:
        """Whether the next item is taken."""
        return self._held < self._limit

    @property
    def is_open(self) -> bool:
        """Whether it takes anything at all."""
        return self._limit > 0

    def take(self) -> list[Item]:
        """Everything that is here now."""
        with self._lock:
            taken = list(self._items)
            self._items.clear()
            self._held = 0
        return taken


def _count_pairs(outcomes: OutcomeEntry) -> int:
    return len(outcomes.actuals)


class Inbox:
    """Finished calls, labels, outcomes, figures `(name, value)`, and internal errors.

    outcomes: predictions with their actuals. late: calls that were named after they had been
    handed over.
    """

    __slots__ = ("calls", "figures", "guard", "labels", "late", "outcomes")

    def __init__(self, limit_rows: int, limit_labels: int = 0) -> None:
        self.guard: Guard = Guard()
        self.calls: Handover = Handover(limit_rows)
        self.labels: LabelQueue = LabelQueue(max(limit_rows, limit_labels))
        self.outcomes: Queue[OutcomeEntry] = Queue(limit_rows, size_of=_count_pairs)
        self.late: Queue[Entry] = Queue(limit_rows, size_of=itemgetter(2))
        self.figures: Queue[Named] = Queue(limit_rows)

    def name_late(self, entry: Entry) -> None:
        """Take a call that has been handed over, and may have been read before it had an id."""
        if self.late.is_open:  # else it is no loss: there will be no label for it
            self.late.put((entry,))

    def close(self) -> None:
        """Take no more of anything: what comes from now on is dropped, and counted."""
        self.calls.close()
        self.labels.close()
        self.outcomes.close()
        self.late.close()
        self.figures.close()

    def clear(self) -> None:
        """Forget everything, as a forked child must: what is here is its parent's."""
        self.guard.clear()
        self.calls.clear()
        self.labels.clear()
        self.outcomes.clear()
        self.late.clear()
        self.figures.clear()
