"""When to look again for labels that were stored in the same moment as their predictions."""

from math import inf

_FIRST_SECONDS, _FACTOR, _LAST_SECONDS = 1.0, 4.0, 256.0

MATCH_MISSED = "select mlmonitor.match_missed()"


class RecheckTimes:
    """Times after a batch at which to look again: 1, 5, 21, 85 and 341 seconds, and then no more.

    By then every transaction that may have missed a label has ended.
    """

    def __init__(self) -> None:
        self._due_at, self._wait_seconds = inf, inf

    def start(self, now: float) -> None:
        """Start again after a batch was stored; a look that is due sooner is kept."""
        self._wait_seconds = _FIRST_SECONDS
        self._due_at = min(self._due_at, now + self._wait_seconds)

    def seconds_left(self, now: float) -> float | None:
        """Return how long to wait for the next look; None if there is none."""
        return None if self._due_at == inf else max(self._due_at - now, 0.0)

    def advance(self, now: float) -> None:
        """Choose the next time, after a look."""
        self._wait_seconds *= _FACTOR
        is_over = self._wait_seconds > _LAST_SECONDS
        self._due_at = inf if is_over else now + self._wait_seconds
