"""Labels on their way to the worker: the newest are kept, and all are counted."""

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.buffer.label_queue import LabelQueue
from mlmonitor.capture.host.label_entries import LabelEntry


def some(count: int, first: int = 0) -> LabelEntry:
    """Return labels named by their number."""
    numbers = list(range(first, first + count))
    return LabelEntry(list(map(str, numbers)), numbers)


def test_the_labels_of_the_oldest_calls_are_dropped_when_the_queue_is_full() -> None:
    """Of four calls with four labels each, ten of which fit, the last two calls are kept."""
    queue = LabelQueue(10)
    for call in range(4):
        queue.put(some(4, 4 * call))
    assert (len(queue), queue.dropped) == (8, 8)
    (kept,) = queue.drain()
    assert kept.ids == [str(at) for at in range(8, 16)]
    assert (queue.drain(), len(queue)) == ([], 0)


def test_the_labels_of_one_call_are_kept_whole_however_many_there_are() -> None:
    """The host's columns exist anyway, so keeping them costs little."""
    queue = LabelQueue(10)
    queue.put(some(3))
    queue.put(some(1_000))
    assert (len(queue), queue.dropped) == (1_000, 3)


@given(st.lists(st.integers(0, 20), max_size=20), st.integers(0, 30))
def test_every_label_is_drained_or_counted_as_dropped(sizes: list[int], limit: int) -> None:
    """Drained and dropped labels add up for calls of any size."""
    queue = LabelQueue(limit)
    for size in sizes:
        queue.put(some(size))
    drained = sum(len(entry.ids) for entry in queue.drain())
    assert drained + queue.dropped == sum(sizes)


def test_a_closed_queue_counts_new_labels_as_dropped() -> None:
    """Labels from before are still drained."""
    queue = LabelQueue(10)
    queue.put(some(2))
    queue.close()
    queue.put(some(5))
    assert (len(queue.drain()[0].ids), queue.dropped) == (2, 5)


def test_single_labels_are_drained_as_one_column() -> None:
    """A hundred single labels become one entry, as do arrays of one type, in order of arrival."""
    queue = LabelQueue(1_000)
    for at in range(100):
        queue.put(some(1, at))
    queue.put(LabelEntry(["a"], np.array([1.0])))
    queue.put(LabelEntry(["b"], np.array([2.0])))
    singles, arrays = queue.drain()
    assert singles.actuals == list(range(100))
    assert (arrays.ids, list(arrays.actuals)) == (["a", "b"], [1.0, 2.0])


def test_labels_of_many_threads_are_drained_or_counted_as_dropped() -> None:
    """Eight threads put 2,000 labels each during drains; drained and dropped make 16,000."""
    queue = LabelQueue(100)

    def put() -> None:
        for at in range(2_000):
            queue.put(some(1, at))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    drained = 0
    while any(thread.is_alive() for thread in threads):
        drained += sum(len(entry.ids) for entry in queue.drain())
    drained += sum(len(entry.ids) for entry in queue.drain())
    assert drained + queue.dropped == 16_000
