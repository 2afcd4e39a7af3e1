"""Log why exports fail: each reason once, and then at a falling rate."""

import logging
import threading

log: logging.Logger = logging.getLogger("mlmonitor")

_REASONS_KEPT = 64


class FailureLog:
    """Logs the 1st, 2nd, 4th, 8th ... time that a destination gives one reason in a row.

    A host's log handler may itself export what is logged, and fail for the same reason: a record
    that is logged by the same thread while one of ours is being logged is dropped.
    """

    _logging = threading.local()

    def __init__(self, name: str) -> None:
        self._name = name
        self._times: dict[str, int] = {}

    def report(self, reason: str, *, points: int, outcome: str) -> None:
        """Log one reason, if it is due."""
        if reason not in self._times and len(self._times) >= _REASONS_KEPT:
            self._times.clear()  # reasons that change every time are logged every time
        times = self._times[reason] = self._times.get(reason, 0) + 1
        if times & (times - 1) or getattr(self._logging, "is_open", False):
            return
        self._logging.is_open = True
        try:
            log.warning(
                "export to %s, time %d: %d points %s: %s",
                self._name,
                times,
                points,
                outcome,
                reason,
            )
        finally:
            self._logging.is_open = False

    def reset(self) -> None:
        """Forget all reasons after an export without failures: the next failure is logged."""
        self._times.clear()
