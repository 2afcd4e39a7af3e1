"""All queues from the host to the worker, in one place that a forked child can clear."""

from collections import deque
from collections.abc import Callable, Iterable
from operator import itemgetter
from threading import RLock
from typing import Generic, TypeVar

from mlmonitor.buffer.handover import Handover
from mlmonitor.buffer.label_queue import LabelQueue
from mlmonitor.capture.entry import Entry
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.attribution_entries import AttributionEntry
from mlmonitor.capture.host.challenger_entries import ChallengerEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry

Named = tuple[str, object]
Item = TypeVar("Item")


class Queue(Generic[Item]):
    """Items in order of arrival; a full queue drops new items and counts them by their size.

    size_of: how much of the limit an item uses; 1 by default. A queue with any room adds the whole
    next item.
    """

    __slots__ = ("_items", "_limit", "_lock", "_size", "_size_of", "dropped")

    def __init__(self, limit: int, size_of: Callable[[Item], int] = lambda _: 1) -> None:
        self._limit, self._size_of = limit, size_of
        self.clear()

    def clear(self) -> None:
        """Drop everything and make a new lock, as a forked child must."""
        self._items: deque[Item] = deque()
        self._size = 0
        self._lock = RLock()
        self.dropped: int = 0

    def close(self) -> None:
        """Drop and count every item from now on."""
        with self._lock:
            self._limit = 0

    def put(self, items: Iterable[Item]) -> None:
        """Add items while there is room; drop the others, and count them by their size."""
        with self._lock:
            for item in items:
                if self._size < self._limit:
                    self._size += self._size_of(item)
                    self._items.append(item)
                else:
                    self.dropped += self._size_of(item)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_empty(self) -> bool:
        """Whether no item is in the queue."""
        return not self._items

    @property
    def has_room(self) -> bool:
        """Whether the next item will be added."""
        return self._size < self._limit

    @property
    def is_open(self) -> bool:
        """Whether the queue accepts items when it has room."""
        return self._limit > 0

    def drain(self) -> list[Item]:
        """Remove and return all items."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._size = 0
        return items


def _count_pairs(outcomes: OutcomeEntry | RankingEntry) -> int:
    return len(outcomes.actuals)


def _count_rows(entry: ChallengerEntry) -> int:
    return len(entry.ids)


class Inbox:
    """Finished calls, labels, outcomes, figures `(name, value)`, and internal errors.

    outcomes: predictions with their actuals. challengers: predictions of challengers. late: calls
    that got their id after they had been handed over. has_batches: whether this process records
    batches, which wait for room.
    """

    __slots__ = (
        "attributions",
        "calls",
        "challengers",
        "figures",
        "guard",
        "has_batches",
        "labels",
        "late",
        "outcomes",
    )

    def __init__(self, limit_rows: int, limit_labels: int = 0) -> None:
        self.guard: Guard = Guard()
        self.has_batches: bool = False
        self.calls: Handover = Handover(limit_rows)
        self.labels: LabelQueue = LabelQueue(max(limit_rows, limit_labels))
        self.outcomes: Queue[OutcomeEntry | RankingEntry] = Queue(limit_rows, size_of=_count_pairs)
        self.late: Queue[Entry] = Queue(limit_rows, size_of=itemgetter(2))
        self.figures: Queue[Named] = Queue(limit_rows)
        self.attributions: Queue[AttributionEntry] = Queue(limit_rows, size_of=itemgetter(0))
        self.challengers: Queue[ChallengerEntry] = Queue(limit_rows, size_of=_count_rows)

    def name_late(self, entry: Entry) -> None:
        """Add a call that got its id after it was handed over, and possibly after it was read."""
        if self.late.is_open:  # otherwise no label can be reported for it, so nothing is lost
            self.late.put((entry,))

    def close(self) -> None:
        """Close every queue: drop and count everything that arrives from now on."""
        self.calls.close()
        self.labels.close()
        self.outcomes.close()
        self.late.close()
        self.figures.close()
        self.attributions.close()
        self.challengers.close()

    def clear(self) -> None:
        """Drop everything, as a forked child must, because the items belong to its parent."""
        self.guard.clear()
        self.has_batches = False
        self.calls.clear()
        self.labels.clear()
        self.outcomes.clear()
        self.late.clear()
        self.figures.clear()
        self.attributions.clear()
        self.challengers.clear()
