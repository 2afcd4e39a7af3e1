"""Compare the memory that a monitor holds with its own figure."""

import gc
import tracemalloc
from collections.abc import Callable

from mlmonitor import Monitor


def held_bytes(
    new_monitor: Callable[[], Monitor], serve: Callable[[Monitor], object]
) -> tuple[int, int]:
    """Return the bytes that a monitor has allocated after serving, and its `memory_bytes`."""
    gc.collect()
    tracemalloc.start()
    try:
        monitor = new_monitor()
        serve(monitor)
        gc.collect()
        traced, _ = tracemalloc.get_traced_memory()
        memory_bytes = monitor.memory_bytes
        monitor.close()
    finally:
        tracemalloc.stop()
    return traced, memory_bytes
