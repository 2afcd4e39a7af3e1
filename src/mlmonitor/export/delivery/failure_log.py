"""Log why exports fail: each reason immediately, then less and less often."""

import logging
import threading

log: logging.Logger = logging.getLogger("mlmonitor")

_REASONS_KEPT = 64


class FailureLog:
    """Logs a reason the 1st, 2nd, 4th, 8th ... time that it occurs since the last success.

    A log handler may export our record, fail, and so cause another report while the first one is
    still being logged. A report that is made in the same thread during a report is dropped.
    """

    _logging = threading.local()

    def __init__(self, name: str) -> None:
        self._name = name
        self._times: dict[str, int] = {}

    def report(self, reason: str, *, points: int, outcome: str) -> None:
        """Count a reason, and log it if its count is a power of two."""
        if reason not in self._times and len(self._times) >= _REASONS_KEPT:
            self._times.clear()  # limits memory if every failure has another reason
        times = self._times[reason] = self._times.get(reason, 0) + 1
        if times & (times - 1) or getattr(self._logging, "is_open", False):
            return
        self._logging.is_open = True
        try:
            log.warning(
                "export to %s, failure %d of this kind: %d points %s: %s",
                self._name,
                times,
                points,
                outcome,
                reason,
            )
        finally:
            self._logging.is_open = False

    def reset(self) -> None:
        """Forget all reasons after an export succeeded, so that the next failure is logged."""
        self._times.clear()
