"""Back-pressure for batch jobs: while the buffer is full, the job itself ingests waiting rows."""

import sys
import time
from collections.abc import Callable

from mlmonitor.buffer.handover import Handover


def await_room(
    calls: Handover,
    read_block: Callable[[], object],
    *,
    timeout_seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Call `read_block` until `calls` has room for a batch; return whether there is.

    `read_block` ingests one block of the waiting entries in the calling thread, alongside the
    worker. It is called at least once if there is no room, so a job with a timeout of 0 makes
    progress. A closed buffer never has room again, so the function returns immediately.
    Price: nothing if there is room.
    """
    deadline: float | None = None
    while not (calls.has_room or calls.is_closed):
        if deadline is None:
            deadline = monotonic() + timeout_seconds
        read_block()
        if monotonic() >= deadline:
            break
    return calls.has_room


def runs_event_loop() -> bool:
    """Whether the calling thread runs an asyncio event loop, which must not be blocked."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
