"""The hand-over holds rows up to its limit, drops the others, and counts all."""

from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.trace_context import Traced

SHAPE = Shape((), Outputs())


def entry(rows: int = 1, at: int = 0) -> Entry:
    """Return a call of some rows."""
    return SHAPE, PayloadForm.MAPPINGS, rows, at, None, 1, None, Call()


def rows(entries: list[Entry]) -> int:
    """Count the rows of some entries."""
    return sum(entry[2] for entry in entries)


def test_entries_are_drained_in_the_order_they_were_put() -> None:
    """Entries are drained in portions."""
    handover = Handover(100)
    for at in range(10):
        handover.put(entry(at=at))
    assert [drained[3] for drained in handover.drain(4)] == [0, 1, 2, 3]
    assert [drained[3] for drained in handover.drain(100)] == [4, 5, 6, 7, 8, 9]
    assert handover.drain(100) == []


def test_a_full_queue_drops_the_newest_entries_and_counts_them() -> None:
    """Of 25 rows the first 10 are kept, and 15 are counted as dropped."""
    handover = Handover(10)
    for at in range(25):
        handover.put(entry(at=at))
    assert len(handover) == 10
    assert handover.dropped_rows() == 15
    assert [drained[3] for drained in handover.drain(100)] == list(range(10))


def test_reading_the_number_of_dropped_rows_does_not_change_it() -> None:
    """Repeated reads give the same count, and later drops are added to it."""
    handover = Handover(1)
    for _ in range(3):
        handover.put(entry())
    assert [handover.dropped_rows() for _ in range(5)] == [2] * 5
    handover.put(entry())
    assert handover.dropped_rows() == 3


def test_a_batch_is_added_or_dropped_as_a_whole() -> None:
    """If there is any room a batch is added, otherwise all its rows are dropped."""
    handover = Handover(10)
    handover.put(entry(8))
    handover.put(entry(8))
    handover.put(entry(8))
    handover.put(entry())
    assert rows(handover.drain(100)) == 16
    assert handover.dropped_rows() == 9


def test_draining_entries_makes_room() -> None:
    """Single rows and batches both free the room that they used."""
    handover = Handover(5)
    for _ in range(50):
        handover.put(entry(5))
        handover.put(entry())
        assert rows(handover.drain(10)) == 5
    assert handover.dropped_rows() == 50


def test_batches_without_rows_are_bounded_by_the_limit() -> None:
    """An empty batch uses one entry, and the number of entries is limited."""
    handover = Handover(10)
    for _ in range(100):
        handover.put(entry(0))
    assert len(handover) == 10
    assert handover.dropped_rows() == 0


def test_a_cleared_queue_is_like_a_new_one() -> None:
    """A forked child has none of its parent's entries, drops or batches."""
    handover = Handover(2)
    for _ in range(3):
        handover.put(entry(2))
    handover.clear()
    assert (len(handover), handover.dropped_rows()) == (0, 0)
    handover.put(entry())
    assert len(handover) == 1


def test_all_entries_pass_through_put_while_the_host_traces() -> None:
    """The queue looks full from outside then, so that each entry gets its trace origin."""
    handover = Handover(3)
    handover.put(entry())
    assert handover.room == 3
    handover.trace(lambda: (1, len(handover)) if len(handover) < 3 else None)
    for _ in range(5):
        assert handover.room == 0
        handover.put(entry())
    handover.drain(1)
    handover.put(entry(5))
    assert handover.room == 0
    entries = handover.drain(100)
    assert [drained.origin for drained in entries if isinstance(drained, Traced)] == [
        (1, 1),
        (1, 2),
        (1, 2),
    ]
    assert handover.dropped_rows() == 3
    handover.close()
    handover.put(entry())
    handover.put(entry(5))
    assert (len(handover), handover.dropped_rows()) == (0, 9)
    handover.clear()
    assert not handover.is_traced


@given(
    limit=st.integers(1, 20),
    steps=st.lists(st.integers(0, 9) | st.just(-1), max_size=80),
    is_traced=st.booleans(),
)
def test_rows_are_drained_or_counted_as_dropped_within_the_bound(
    limit: int, steps: list[int], *, is_traced: bool
) -> None:
    """For any puts and drains, put = drained + dropped + waiting, and waiting rows are bounded."""
    handover = Handover(limit)
    if is_traced:
        handover.trace(lambda: (1, 2))
    put = taken = 0
    for step in steps:
        if step < 0:
            taken += rows(handover.drain(3))
        else:
            handover.put(entry(step))
            put += step
        assert len(handover) <= limit
    dropped = handover.dropped_rows()
    drained_rows = rows(handover.drain(10_000))
    assert put == taken + dropped + drained_rows
    assert drained_rows < limit + max([1, *steps])
