"""The worker's thread works in short stretches, and lets others have the interpreter in between.

Python hands the interpreter over when a thread has held it for 5 ms and another has asked; a
request that arrives while the worker is at work would wait that long. Letting go for no time at all
does not help: the worker would have it back before the other is awake. So the worker sleeps for a
moment, at places where a piece of work ends.
"""

import threading
import time
from collections.abc import Callable
from types import BuiltinFunctionType

STRETCH_NS = 250_000
"""How long the worker goes on, at least, before it pauses."""

PAUSE_SECONDS = 20e-6
"""Long enough for whoever waits to wake up."""


class _Pace(threading.local):
    """Of one thread: since when it has been at work, and how it pauses; only workers do."""

    since_ns: int | None = None
    sleep: Callable[[float], None] = time.sleep


_pace = _Pace()


def begin() -> None:
    """Have the calling thread pause now and then from here on: it is a worker.

    Not under gevent, whose sleep lets other greenlets in, also into what this one is in the middle
    of; and whose greenlets share one thread, so that nothing is won by a real one.
    """
    if isinstance(time.sleep, BuiltinFunctionType):
        _pace.sleep, _pace.since_ns = time.sleep, time.perf_counter_ns()


def breathe() -> None:
    """Let others have the interpreter if this thread is a worker that had it for long.

    Price: 0.1 us where there is no need to.
    """
    if _pace.since_ns is not None and time.perf_counter_ns() - _pace.since_ns > STRETCH_NS:
        _pace.sleep(PAUSE_SECONDS)
        _pace.since_ns = time.perf_counter_ns()


def rested() -> None:
    """The calling thread has just waited for something: its stretch begins now."""
    if _pace.since_ns is not None:
        _pace.since_ns = time.perf_counter_ns()
