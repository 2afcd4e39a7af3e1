"""What all monitors of a process do together when it forks and when it exits."""

import atexit
import os
import sys
import time
import weakref
from typing import Protocol

EXIT_SECONDS = 2.0


class Driver(Protocol):
    """What closes at exit and restarts after a fork: a worker."""

    pid: int

    @property
    def exit_seconds(self) -> float:
        """How long its exit may take."""

    def begin_close(self) -> None:
        """Request the last export, and do not wait for it."""

    def close(self, *, timeout_seconds: float | None = None) -> bool:
        """Wait for the last export, and stop."""

    def restart_after_fork(self) -> None:
        """Restart from zero in a forked child."""


_drivers: "weakref.WeakSet[Driver]" = weakref.WeakSet()


def register(driver: Driver) -> None:
    """Close `driver` at exit, and restart it in forked children, as long as it lives."""
    _drivers.add(driver)


def close_all(*, timeout_seconds: float | None = None) -> None:
    """Close every monitor of this process within `timeout_seconds` in all.

    None: within two seconds, and each one that recorded batches within `Config.exit_wait_seconds`.
    """
    started = time.monotonic()
    drivers = list(_drivers)
    for driver in drivers:  # in parallel: one that hangs must not use up the time of the others
        driver.begin_close()
    for driver in drivers:
        seconds = driver.exit_seconds if timeout_seconds is None else timeout_seconds
        driver.close(timeout_seconds=max(started + seconds - time.monotonic(), 0.0))


def restart_forked() -> None:
    """Restart, from zero, every monitor made in another process; `os.fork` does so by itself."""
    for driver in list(_drivers):
        if driver.pid != os.getpid():
            driver.restart_after_fork()


def _restart_all() -> None:
    # Without comparing pids: in a pid namespace of its own a child may have its parent's pid.
    for driver in list(_drivers):
        driver.restart_after_fork()


def close_with_this_process() -> None:
    """Register `close_all` in a child of `multiprocessing`, which runs no `atexit` function."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, close_all, exitpriority=10)


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)
