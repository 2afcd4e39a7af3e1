"""A monitor's worker thread: started by the first record, reborn after a fork, gone at exit."""

import atexit
import os
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Lock, Thread, current_thread

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.status import Status
from mlmonitor.config import Config
from mlmonitor.export.base import THREAD_NAME
from mlmonitor.pipeline import Pipeline

Clock = Callable[[], float]

EXIT_SECONDS = 2.0
CLOCK_STEP_SECONDS = 1.0

_workers: "weakref.WeakSet[Worker]" = weakref.WeakSet()


class Worker:
    """Drives one pipeline from one daemon thread.

    The aggregates are behind a lock that is never held while something is sent. `flush` and
    `close` ask the thread for an export and wait; a thread that is stuck in a dead destination is
    left behind at the deadline, and ends with the process.
    """

    def __init__(
        self,
        new_pipeline: Callable[[float, Reference | None], Pipeline],
        reference: Reference | None,
        inbox: Inbox,
        config: Config,
        clock: Clock,
    ) -> None:
        self._new_pipeline, self._inbox = new_pipeline, inbox
        self._config, self._clock = config, clock
        self._is_closed = self._is_closing = False
        self._begin(reference)
        inbox.calls.on_first = self.ensure_started
        if not config.enabled:
            inbox.calls.close()
        _workers.add(self)

    def _begin(self, reference: Reference | None) -> None:
        """Everything that belongs to this process alone."""
        self.pipeline: Pipeline = self._new_pipeline(self._clock(), reference)
        self._aggregates = Lock()
        self._wake = Condition()
        self._asked = 0  # flushes asked for, and the last one that was answered
        self._answered = 0
        self._took_all = True
        self._thread: Thread | None = None

    def ensure_started(self) -> None:
        """Start the thread if this process has none yet."""
        if self._thread is not None or self._is_closed:
            return
        with self._wake:
            if self._thread is None:
                thread = Thread(target=self._run, name=THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread
                _close_with_this_process()

    @property
    def memory_bytes(self) -> int:
        """What the pipeline's aggregates hold at most."""
        with self._aggregates:
            return self.pipeline.memory_bytes

    def status(self) -> Status:
        """The pipeline's status, with all that waits taken in first."""
        with self._aggregates:
            now = self._clock()
            while self.pipeline.absorb(now):
                pass
            found = self.pipeline.status(now)
        if not self._is_closed:
            return found
        return replace(found, state="closed")

    def flush(self, *, timeout_seconds: float) -> bool:
        """Have everything exported; whether that was done, and taken everywhere, in time."""
        if self._is_closed:
            return False
        self.ensure_started()
        with self._wake:
            self._asked += 1
            mine = self._asked
            self._wake.notify_all()
            done = self._wake.wait_for(lambda: self._answered >= mine, timeout_seconds)
            return done and self._took_all

    def close(self, *, timeout_seconds: float) -> bool:
        """Flush what a started thread has, and stop it; whether the last export was taken."""
        if self._is_closed:
            return True
        took_all = True
        self._is_closing = True
        if self._thread is not None:
            took_all = self.flush(timeout_seconds=timeout_seconds)
        self._is_closed = True
        self._inbox.calls.close()
        with self._wake:
            self._wake.notify_all()
        self.pipeline.close(timeout_seconds=0.0)  # a send that waits to try again gives up
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(0.1 if took_all else 0.0)
        return took_all

    def _run(self) -> None:
        while not self._is_closed:
            with self._wake:
                if self._asked == self._answered:
                    self._wake.wait(self._config.drain_seconds)
                asked = self._asked
            took_all = False
            with self._inbox.guard:
                took_all = self._turn(is_flush=asked > self._answered)
            with self._wake:
                if asked > self._answered:
                    self._answered, self._took_all = asked, took_all
                    self._wake.notify_all()

    def _turn(self, *, is_flush: bool) -> bool:
        """Take in what waits, a block at a time so that others get the lock, and export."""
        is_more = True
        while is_more:
            with self._aggregates:
                is_more = self.pipeline.absorb(self._clock())
            self.pipeline.tell()
        now = self._clock()
        is_due = self.pipeline.is_export_due(now)
        if not (is_due or is_flush):
            return True
        with self._aggregates:
            if self._is_closing:
                self.pipeline.settle()
            snapshot = self.pipeline.snapshot(now)
        self.pipeline.tell()
        return self.pipeline.deliver(snapshot)

    def reborn(self) -> None:
        """In a forked child: from zero, with locks, a thread and an identity of its own.

        A reference that was learned before the fork is kept: it is knowledge, not a count.
        """
        self._inbox.clear()
        self._begin(self.pipeline.watched.reference)


def never_falling_clock() -> Clock:
    """Wall time at the pace of the monotonic clock: a system clock set back does not move it back.

    A wall clock that has run ahead, as after a machine slept, is caught up with.
    """
    offset = time.time() - time.monotonic()

    def now() -> float:
        nonlocal offset
        told = offset + time.monotonic()
        ahead = time.time() - told
        if ahead > CLOCK_STEP_SECONDS:
            offset += ahead
            return told + ahead
        return told

    return now


def _close_with_this_process() -> None:
    """In a child of `multiprocessing`, which runs its own finalizers and not those of `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _close_all, exitpriority=10)


def _close_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for worker in list(_workers):
        worker.close(timeout_seconds=max(deadline - time.monotonic(), 0.0))


def _rebear_all() -> None:
    for worker in list(_workers):
        worker.reborn()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rebear_all)
