"""Why exports fail, told once a reason and then at a falling rate."""

import logging
import threading

log: logging.Logger = logging.getLogger("mlmonitor")

_KEPT = 64


class Reasons:
    """Logs the 1st, 2nd, 4th, 8th ... time that a destination gives one reason in a row.

    A host's log handler may itself send what is logged, and fail for the same reason: a line that
    is logged while a line of ours is being logged, in the same thread, is dropped.
    """

    _telling = threading.local()

    def __init__(self, name: str) -> None:
        self._name = name
        self._times: dict[str, int] = {}

    def tell(self, reason: str, *, points: int, outcome: str) -> None:
        """Log one reason, if it is time to."""
        if reason not in self._times and len(self._times) >= _KEPT:
            self._times.clear()  # reasons that change all the time are told all the time
        times = self._times[reason] = self._times.get(reason, 0) + 1
        if times & (times - 1) or getattr(self._telling, "is_open", False):
            return
        self._telling.is_open = True
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
            self._telling.is_open = False

    def clear(self) -> None:
        """All went well: what goes wrong next is told again."""
        self._times.clear()
