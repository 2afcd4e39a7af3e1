"""Wall time that never falls."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

CLOCK_STEP_SECONDS = 1.0


def never_falling_clock() -> Clock:
    """Wall time at the pace of the monotonic clock: a system clock set back does not move it back.

    A wall clock that has run ahead, as after a machine slept, is caught up with.
    """
    offset = time.time() - time.monotonic()

    def now() -> float:
        nonlocal offset
        told = offset + time.monotonic()
        ahead = time.time() - told
        if ahead > CLOCK_STEP_SECONDS:
            offset += ahead
            return told + ahead
        return told

    return now
