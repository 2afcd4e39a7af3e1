"""What a monitor really holds, beside what it says."""

import gc
import tracemalloc
from collections.abc import Callable

from mlmonitor import Monitor


def held_bytes(
    new_monitor: Callable[[], Monitor], serve: Callable[[Monitor], object]
) -> tuple[int, int]:
    """Bytes allocated since before there was a monitor, once it has served; and its own bound."""
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
