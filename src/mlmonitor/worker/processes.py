"""Close the monitors of a process at exit, and restart them in forked children."""

import atexit
import ctypes
import sys
import time
import weakref
from contextlib import suppress
from typing import Protocol

from mlmonitor.forks import check_fork, on_fork

EXIT_SECONDS = 2.0
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


class Driver(Protocol):
    """The part of a worker that this module uses: it closes at exit and restarts after a fork."""

    @property
    def exit_seconds(self) -> float:
        """How many seconds the exit of this process may take."""

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
    """Close every monitor of this process within `timeout_seconds` in total.

    timeout_seconds: by default 2, or `Config.exit_wait_seconds` for a monitor that recorded
        batches.
    """
    check_fork()
    started = time.monotonic()
    drivers = list(_drivers)
    for driver in drivers:  # in parallel: one that hangs must not use up the time of the others
        driver.begin_close()
    for driver in drivers:
        seconds = driver.exit_seconds if timeout_seconds is None else timeout_seconds
        driver.close(timeout_seconds=max(started + seconds - time.monotonic(), 0.0))


def _restart_all() -> None:
    for driver in list(_drivers):
        driver.restart_after_fork()


def close_with_this_process() -> None:
    """Register `close_all` in a child process that runs no `atexit` function.

    These are the children of `multiprocessing` and `billiard`, which run finalizers of their own,
    and the pool processes of Celery, which send a signal and then call `os._exit`.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, close_all, exitpriority=10)
    if _is_billiard_child():
        from billiard.util import Finalize as BilliardFinalize

        BilliardFinalize(None, close_all, exitpriority=10)
        signals = sys.modules.get("celery.signals")
        if signals is not None:
            signals.worker_process_shutdown.connect(
                close_pool_process, weak=False, dispatch_uid="mlmonitor"
            )


def close_pool_process(**_options: object) -> None:
    """Close every monitor of a pool process of Celery, which ends itself afterwards.

    Celery asks Linux to kill a pool process when its parent dies, and Linux takes the thread that
    forked it as the parent. With `--max-tasks-per-child` this is billiard's supervisor, the first
    thread to end at a warm shutdown. The last export must outlive that thread, so Celery's request
    to Linux is withdrawn.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, 0, 0, 0, 0)
    close_all()


def _is_billiard_child() -> bool:
    process = sys.modules.get("billiard.process")
    if process is None:
        return False
    return getattr(process.current_process(), "_parent_pid", None) is not None


atexit.register(close_all)
on_fork(_restart_all)
