"""A batch makes room by reading waiting rows, for a bounded time."""

import asyncio

import pytest

from mlmonitor.buffer.backpressure import await_room, runs_event_loop
from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.entry import Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs

SHAPE = Shape((), Outputs(), None)


def batch(rows: int) -> tuple[object, ...]:
    """Return an entry of `rows` rows."""
    return SHAPE, PayloadForm.COLUMNS, rows, {"a": [1.0] * rows}, None, None, None, []


def full_handover(batches: int = 3) -> Handover:
    """Return a hand-over that is full of batches."""
    calls = Handover(batches * 10)
    for _ in range(batches):
        assert calls.put(batch(10))  # type: ignore[arg-type]  # as `Entry`, without the casts
    assert not calls.has_room
    return calls


def test_the_host_does_not_read_the_buffer_while_there_is_room() -> None:
    """A buffer that is not full, or not open yet, has room."""
    for calls in (Handover(10), full_handover(1)):
        if not calls.has_room:
            calls.drain(1)
        assert await_room(calls, pytest.fail, timeout_seconds=0.0)


def test_a_full_buffer_is_read_until_there_is_room() -> None:
    """Reading one block makes enough room here, so one block is read."""
    calls, reads = full_handover(), []
    assert await_room(calls, lambda: reads.append(calls.drain(1)), timeout_seconds=60.0)
    assert len(reads) == 1


def test_waiting_for_room_ends_at_the_deadline() -> None:
    """If reading makes no room, the wait ends; a timeout of zero still allows one read."""
    for timeout, expected in ((0.0, 1), (2.5, 3)):
        calls, reads, now = full_handover(), [], iter(range(100))
        is_free = await_room(
            calls,
            lambda reads=reads: reads.append(None),
            timeout_seconds=timeout,
            monotonic=lambda now=now: float(next(now)),
        )
        assert not is_free
        assert len(reads) == expected


def test_nothing_waits_for_a_closed_buffer() -> None:
    """What arrives after `close` is dropped at once."""
    calls = full_handover()
    calls.close()
    assert not await_room(calls, pytest.fail, timeout_seconds=60.0)


def test_discarded_rows_are_counted_as_dropped() -> None:
    """Rows still waiting when a monitor gives up are counted like any other loss."""
    calls = full_handover()
    assert calls.discard_waiting() == 30
    assert calls.dropped_rows() == 30
    assert calls.waiting_rows == 0


def test_a_running_event_loop_is_recognised() -> None:
    """Inside a coroutine there is a running loop, elsewhere there is none."""

    async def ask() -> bool:
        return runs_event_loop()

    assert asyncio.run(ask())
    assert not runs_event_loop()
