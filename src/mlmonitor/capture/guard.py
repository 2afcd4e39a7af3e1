"""Errors inside this package: counted, logged ever more rarely, never raised into the host."""

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
    """Suppresses exceptions inside this package; logs the 1st, 2nd, 4th, 8th ... of them.

    The log names the type of an error and this package's innermost line in its traceback. Messages
    are left out because they may quote a value, except those of a `MonitorError`, which never do.
    `KeyboardInterrupt` and similar exceptions are meant for the host and propagate.
    """

    __slots__ = ("_lock", "internal_errors", "last")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset the counts and the lock, as a forked child must."""
        self.internal_errors: int = 0
        self.last: str | None = None  # the last error, as logged
        # Reentrant, because a finalizer may report an error while this thread holds the lock.
        self._lock = RLock()

    def hold(self, error: Exception) -> None:
        """Count `error`, and log it if the count is a power of two."""
        what = describe_error(error)
        with self._lock:
            self.internal_errors += 1
            self.last = what
            internal_errors = self.internal_errors
        if internal_errors & (internal_errors - 1):
            return
        with suppress(Exception):  # the host's handlers may fail as well
            where = _find_origin(error)
            log.warning(
                "internal error %d in the monitoring, kept from the service: %s%s",
                internal_errors,
                what,
                f" at {where}" if where else "",
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


def describe_error(error: Exception) -> str:
    """Return the type of `error`, with the message if it is a `MonitorError`."""
    kind = type(error).__name__
    if isinstance(error, MonitorError):
        with suppress(Exception):
            return f"{kind}: {error}"
    return kind


def _find_origin(error: Exception) -> str:
    """Return this package's innermost line in the traceback, or else the line that raised.

    The result is empty for an error that was counted without being raised.
    """
    where, trace, is_ours = "", error.__traceback__, False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_HOME) or not is_ours:
            where = f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"
            is_ours = code.co_filename.startswith(_HOME)
        trace = trace.tb_next
    return where
