"""Let the worker thread run in short slices and release the GIL in between.

Python preempts a thread that holds the GIL only after 5 ms, so a request that arrives while the
worker runs would wait that long. A sleep of zero does not help: the worker would take the GIL back
before the other thread is awake. So the worker sleeps between pieces of work, for longer than it
runs; a request that switches threads several times then waits for the worker only once.
"""

import threading
import time
from collections.abc import Callable
from types import BuiltinFunctionType

SLICE_NS = 100_000
"""After this time, the worker pauses at the end of the current piece of work."""

PAUSE_SECONDS = 1e-3
HURRIED_SECONDS = 20e-6
"""Just long enough for a waiting thread to wake up."""

PauseLength = Callable[[], float]
"""Returns how many seconds to pause now."""


class _Slice(threading.local):
    """The start of this thread's slice, and its pause function, which only workers have."""

    since_ns: int | None = None
    sleep: Callable[[float], None] = time.sleep
    pause_length: PauseLength


_slice = _Slice()


def start_slicing(pause_length: PauseLength) -> None:
    """Make the calling thread a worker that pauses between slices from now on.

    Does nothing under gevent: its sleep would run other greenlets in the middle of a step, and a
    real sleep would gain nothing, since all greenlets share one thread.
    """
    if isinstance(time.sleep, BuiltinFunctionType):
        _slice.pause_length, _slice.sleep = pause_length, time.sleep
        _slice.since_ns = time.perf_counter_ns()


def yield_gil() -> None:
    """Release the GIL if this thread is a worker whose slice is over.

    Price: 0.1 us within a slice.
    """
    if _slice.since_ns is not None and time.perf_counter_ns() - _slice.since_ns > SLICE_NS:
        seconds = _slice.pause_length()
        if seconds:
            _slice.sleep(seconds)
        _slice.since_ns = time.perf_counter_ns()


def reset_slice() -> None:
    """Start a new slice, because the calling thread has just waited and so released the GIL."""
    if _slice.since_ns is not None:
        _slice.since_ns = time.perf_counter_ns()
