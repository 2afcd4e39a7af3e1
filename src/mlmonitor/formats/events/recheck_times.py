"""When to check again for labels that were stored at the same moment as their predictions."""

from math import inf

_FIRST_SECONDS, _FACTOR, _LAST_SECONDS = 1.0, 4.0, 256.0

MATCH_MISSED = "select mlmonitor.match_missed()"


class RecheckTimes:
    """Times of the checks after a batch: 1, 5, 21, 85 and 341 seconds, then no more.

    After the last check, every transaction that may have missed a label has ended.
    """

    def __init__(self) -> None:
        self._due_at, self._wait_seconds = inf, inf

    def start(self, now: float) -> None:
        """Restart the series after a batch was stored; keep a check that is already scheduled."""
        self._wait_seconds = _FIRST_SECONDS
        self._due_at = min(self._due_at, now + self._wait_seconds)

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds until the next check; None if no check is scheduled."""
        return None if self._due_at == inf else max(self._due_at - now, 0.0)

    def advance(self, now: float) -> None:
        """Schedule the next check of the series, after a check was made."""
        self._wait_seconds *= _FACTOR
        is_over = self._wait_seconds > _LAST_SECONDS
        self._due_at = inf if is_over else now + self._wait_seconds
