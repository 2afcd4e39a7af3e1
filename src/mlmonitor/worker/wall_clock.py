"""Wall time: the system time for timestamps, and a time that never decreases for all else."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

CLOCK_STEP_SECONDS = 1.0


class ProcessClock:
    """Wall time at the pace of the monotonic clock, unaffected if the system clock is set back.

    If the system clock is ahead, as after a machine slept, this clock jumps to it. `wall` is the
    system time, which may decrease; it is the timestamp of exports.
    """

    def __init__(self, *, wall: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self.wall: Clock = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        """Return the time since 1970 in seconds, never less than before."""
        now = self._offset + self._monotonic()
        ahead = self.wall() - now
        if ahead > CLOCK_STEP_SECONDS:
            self._offset += ahead
            return now + ahead
        return now


def read_wall(clock: Clock) -> float:
    """Read the system time of a `ProcessClock`, or the only time of any other clock."""
    return clock.wall() if isinstance(clock, ProcessClock) else clock()
