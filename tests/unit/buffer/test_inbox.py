"""Labels and business figures wait in bounded queues beside the calls."""

import threading

from mlmonitor.buffer.inbox import Inbox, Queue
from mlmonitor.capture.host.label_entries import LabelEntry


def test_a_full_queue_keeps_the_first_items_and_counts_the_rest() -> None:
    """Five of seven items fit."""
    queue = Queue(5)
    queue.put([(str(at), at) for at in range(4)])
    queue.put([(str(at), at) for at in range(4, 7)])
    assert [value for _, value in queue.drain()] == [0, 1, 2, 3, 4]
    assert queue.dropped == 2
    assert queue.drain() == []


def test_a_drained_queue_has_room_again() -> None:
    """Draining makes room."""
    queue = Queue(1)
    for at in range(3):
        queue.put([("x", at)])
        assert queue.drain() == [("x", at)]
    assert queue.dropped == 0


def test_items_of_many_threads_are_drained_or_counted_as_dropped() -> None:
    """Eight threads put 2,000 items each during drains; drained and dropped make 16,000."""
    queue = Queue(100)

    def put() -> None:
        for at in range(2_000):
            queue.put([("x", at)])

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(queue.drain())
    taken += len(queue.drain())
    assert taken + queue.dropped == 16_000


def test_a_cleared_inbox_is_empty() -> None:
    """A forked child starts without errors, calls, labels, figures or drops."""
    inbox = Inbox(1)
    inbox.guard.hold(ValueError())
    inbox.labels.put(LabelEntry(["x", "y"], [1, 2]))
    inbox.labels.put(LabelEntry(["z"], [3]))
    inbox.figures.put([("x", 1), ("y", 2)])
    inbox.clear()
    assert inbox.guard.internal_errors == 0
    assert (inbox.labels.drain(), inbox.labels.dropped) == ([], 0)
    assert (inbox.figures.drain(), inbox.figures.dropped) == ([], 0)
    assert len(inbox.calls) == 0
