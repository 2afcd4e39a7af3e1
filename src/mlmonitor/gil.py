"""The worker's thread works in short stretches, and lets others have the interpreter in between.

Python takes the interpreter away from a thread only when it has held it for 5 ms and another has
asked: a request that arrives while the worker is at work would wait that long. Letting go for no
time at all does not help, for the worker would have it back before the other is awake. So the
worker sleeps, at places where a piece of work ends, for longer than it works: a request that
changes threads several times meets it once, not every time.
"""

import threading
import time
from collections.abc import Callable
from types import BuiltinFunctionType

STRETCH_NS = 250_000
"""How long the worker goes on before it pauses; then until the piece of work ends."""

PAUSE_SECONDS = 1e-3
HURRIED_SECONDS = 20e-6
"""Just long enough for whoever waits to wake up."""

Patience = Callable[[], float]
"""How many seconds to pause now."""


class _Pace(threading.local):
    """Of one thread: since when it has been at work, and how it pauses; only workers do."""

    since_ns: int | None = None
    sleep: Callable[[float], None] = time.sleep
    patience: Patience


_pace = _Pace()


def start_slicing(patience: Patience) -> None:
    """Have the calling thread pause now and then from here on: it is a worker.

    Not under gevent, whose sleep lets other greenlets in, also into what this one is in the middle
    of; and whose greenlets share one thread, so that nothing is won by a real one.
    """
    if isinstance(time.sleep, BuiltinFunctionType):
        _pace.patience, _pace.sleep = patience, time.sleep
        _pace.since_ns = time.perf_counter_ns()


def yield_gil() -> None:
    """Let others have the interpreter if this thread is a worker that had it for long.

    Price: 0.1 us where there is no need to.
    """
    if _pace.since_ns is not None and time.perf_counter_ns() - _pace.since_ns > STRETCH_NS:
        seconds = _pace.patience()
        if seconds:
            _pace.sleep(seconds)
        _pace.since_ns = time.perf_counter_ns()


def reset_slice() -> None:
    """The calling thread has just waited for something: its stretch begins now."""
    if _pace.since_ns is not None:
        _pace.since_ns = time.perf_counter_ns()
