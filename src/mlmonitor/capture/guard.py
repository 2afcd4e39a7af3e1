"""Our own errors stop here: counted, logged at a falling rate, never raised into the host."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from threading import RLock
from types import TracebackType

from mlmonitor.errors import MonitorError

log: logging.Logger = logging.getLogger("mlmonitor")

_HOME = f"{Path(__file__).parents[1]}{os.sep}"


class Guard:
    """Holds back our exceptions; logs the 1st, 2nd, 4th, 8th ... of them.

    Logged are the type of a fault and the last of our lines on its way, since a message may quote
    a value; but what we raise on purpose quotes none, and says what to do.
    `KeyboardInterrupt` and its kind belong to the host and pass through.
    """

    __slots__ = ("_lock", "internal_errors", "last")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything, as a forked child must, with a lock of its own again."""
        self.internal_errors: int = 0
        self.last: str | None = None  # what the last fault was
        # Faults are rare enough for a lock; a finalizer may meet one while this thread is inside.
        self._lock = RLock()

    def hold(self, error: Exception) -> None:
        """Count `error`, and log it if its turn has come."""
        what = _told(error)
        with self._lock:
            self.internal_errors += 1
            self.last = what
            internal_errors = self.internal_errors
        if internal_errors & (internal_errors - 1):
            return
        with suppress(Exception):  # the host's handlers may fail as well
            where = _origin(error)
            log.warning(
                "internal error %d of the monitoring held back: %s at %s",
                internal_errors,
                what,
                where,
            )

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.hold(error)
            return True
        return False


def _told(error: Exception) -> str:
    """The type of `error`, and what it says if it is one of ours."""
    kind = type(error).__name__
    if isinstance(error, MonitorError):
        with suppress(Exception):
            return f"{kind}: {error}"
    return kind


def _origin(error: Exception) -> str:
    """The innermost of our lines that `error` passed; where there is none, the line it is from."""
    where, trace, is_ours = "", error.__traceback__, False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_HOME) or not is_ours:
            where = f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"
            is_ours = code.co_filename.startswith(_HOME)
        trace = trace.tb_next
    return where
