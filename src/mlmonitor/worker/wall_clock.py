"""Wall time that never goes backwards."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

CLOCK_STEP_SECONDS = 1.0


def never_falling_clock() -> Clock:
    """Build a clock of wall time that runs at the rate of the monotonic clock.

    It does not go back if the system clock is set back. It jumps forward to a system clock that is
    more than `CLOCK_STEP_SECONDS` ahead, as after the machine slept.
    """
    offset = time.time() - time.monotonic()

    def now() -> float:
        nonlocal offset
        seconds = offset + time.monotonic()
        ahead = time.time() - seconds
        if ahead > CLOCK_STEP_SECONDS:
            offset += ahead
            return seconds + ahead
        return seconds

    return now
