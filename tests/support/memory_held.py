"""Measure memory: what a monitor holds, beside its own figure, and the peak of a call."""

import gc
import tracemalloc
from collections.abc import Callable

from mlmonitor import Monitor


def held_bytes(
    new_monitor: Callable[[], Monitor], *phases: Callable[[Monitor], object]
) -> list[tuple[int, int]]:
    """Return the bytes that a monitor has allocated after each phase, and its `memory_bytes`."""
    gc.collect()
    tracemalloc.start()
    measured = []
    try:
        with new_monitor() as monitor:
            for serve in phases:
                serve(monitor)
                gc.collect()
                measured.append((tracemalloc.get_traced_memory()[0], monitor.memory_bytes))
    finally:
        tracemalloc.stop()
    return measured


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the most memory that Python and numpy held during a call.

    Garbage is collected first: otherwise the peak depends on when the next collection happens.
    """
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
