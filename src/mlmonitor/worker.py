"""The worker thread of a monitor: started by the first record, again after a fork, until exit."""

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from mlmonitor import gil
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.config import Config
from mlmonitor.export.base import THREAD_NAME
from mlmonitor.pipeline import Pipeline
from mlmonitor.reference.reference import Reference
from mlmonitor.status.status import Status

Clock = Callable[[], float]

EXIT_SECONDS = 2.0
CLOCK_STEP_SECONDS = 1.0

_workers: "weakref.WeakSet[Worker]" = weakref.WeakSet()


class Worker:
    """Drives one pipeline from one daemon thread.

    A lock guards the aggregates; it is never held during a send. `flush` and `close` request an
    export from the thread and wait for it. A thread that hangs in a dead destination is abandoned
    at the deadline, and ends with the process.
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
        self._is_closed = False
        self._reset(reference)
        inbox.calls.on_first = self.ensure_started
        if not config.enabled:
            inbox.close()
        _workers.add(self)

    def _reset(self, reference: Reference | None) -> None:
        """Make everything that belongs to this process alone."""
        self.pid: int = os.getpid()
        self._thread: threading.Thread | None = None
        # Made by `threading` here and not at import, since gevent may have patched it by now. An
        # unpatched lock has one owner for all greenlets: each could take it while another holds it.
        self._starting = threading.RLock()
        self._aggregates = threading.RLock()
        self._wake = threading.Condition()
        self._requested = 0  # number of the last flush requested, and of the last one answered
        self._answered = 0
        self._final: int | None = None  # number of the flush that closes, once requested
        self._is_delivered = True
        self._waiting_threads: set[int] = set()  # threads that wait for the aggregates
        self.pipeline: Pipeline = self._new_pipeline(self._clock(), reference)

    def ensure_started(self) -> None:
        """Start the thread if this process has none yet.

        Raises:
            RuntimeError: no thread can be started: the interpreter shuts down, or a limit is
                reached.
        """
        if self._thread is not None or self._is_closed:
            return
        thread = self._claim_thread()
        if thread is None:
            return
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            raise
        _close_with_this_process()

    def _claim_thread(self) -> threading.Thread | None:
        """Return the thread to start, to the first caller only.

        It is stored before it starts and started without the lock, since under gevent a start
        switches to other greenlets.
        """
        with self._starting:
            if self._thread is not None:
                return None
            self._wake = threading.Condition()
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            return self._thread

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes of the pipeline's aggregates."""
        with self._hold_aggregates():
            return self.pipeline.memory_bytes

    def status(self) -> Status:
        """Ingest what waits, then return the pipeline's status."""
        with self._hold_aggregates():
            now = self._clock()
            self.pipeline.catch_up(now)
            status = self.pipeline.status(now)
        return replace(status, state="closed") if self._is_closed else status

    @contextmanager
    def _hold_aggregates(self) -> Iterator[None]:
        """Hold the aggregates; the worker does not pause while this thread waits for them."""
        self._waiting_threads.add(threading.get_ident())
        try:
            with self._aggregates:
                yield
        finally:
            self._waiting_threads.discard(threading.get_ident())

    def _pause_seconds(self) -> float:
        """How long to pause: not while a thread waits for the worker, briefly if it is behind."""
        if self._waiting_threads or self._requested > self._answered:
            return 0.0
        is_behind = self._inbox.calls.waiting_rows > self._config.buffer_rows // 8
        return gil.HURRIED_SECONDS if is_behind else gil.PAUSE_SECONDS

    def flush(self, *, timeout_seconds: float) -> bool:
        """Export everything; return whether all destinations accepted it in time."""
        if self._is_closed:
            return False
        with self._inbox.guard:
            self.ensure_started()
        return self._thread is not None and self._wait_for_flush(
            self._request_flush(), timeout_seconds
        )

    def _request_flush(self) -> int:
        """Request an export from the thread; return its number."""
        with self._wake:
            self._requested += 1
            self._wake.notify_all()
            return self._requested

    def _wait_for_flush(self, asked: int, timeout_seconds: float) -> bool:
        with self._wake:
            done = self._wake.wait_for(lambda: self._answered >= asked, timeout_seconds)
            return done and self._is_delivered

    def begin_close(self) -> None:
        """Request the last export from a started thread, and do not wait for it."""
        if self._final is None and not self._is_closed:
            # Set before the request: the thread settles pending labels in the last export.
            self._final = self._requested + 1
            self._final = self._request_flush() if self._thread is not None else 0

    def close(self, *, timeout_seconds: float) -> bool:
        """Export a last time and stop; return whether the last export was accepted."""
        if self._is_closed:
            return True
        self.begin_close()
        is_delivered = not self._final or self._wait_for_flush(self._final, timeout_seconds)
        self._is_closed = True
        self._inbox.close()
        with self._wake:
            self._wake.notify_all()
        self.pipeline.close(timeout_seconds=0.0)  # a send that waits to try again gives up
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(0.1 if is_delivered else 0.0)
        return is_delivered

    def _run(self) -> None:
        with self._inbox.guard:
            self.pipeline.load_clients()
        gil.start_slicing(self._pause_seconds)
        while not self._is_closed:
            with self._wake:
                if self._requested == self._answered:
                    self._wake.wait(self._config.poll_interval_seconds)
                asked = self._requested
            gil.reset_slice()
            is_delivered = False
            with self._inbox.guard:
                is_delivered = self._run_once(is_flush=asked > self._answered)
            with self._wake:
                if asked > self._answered:
                    self._answered, self._is_delivered = asked, is_delivered
                    self._wake.notify_all()

    def _run_once(self, *, is_flush: bool) -> bool:
        """Ingest what waits, a block at a time so that others get the lock, and export if due."""
        is_more = True
        while is_more:
            with self._aggregates:
                is_more = self.pipeline.absorb(self._clock())
            self.pipeline.tell()
            time.sleep(0)  # under gevent no other greenlet runs until the worker yields
        now = self._clock()
        is_due = self.pipeline.is_export_due(now)
        if not (is_due or is_flush):
            return True
        with self._aggregates:
            if self._final is not None:
                self.pipeline.settle()
            snapshot = self.pipeline.snapshot(now)
        self.pipeline.tell()
        return self.pipeline.deliver(snapshot)

    def restart_after_fork(self) -> None:
        """Restart in a forked child, from zero, with locks, a thread and an identity of its own.

        A reference that was learned before the fork is kept. If the restart fails, the child's
        monitor is closed, because its counts are those of its parent.
        """
        self._inbox.clear()
        is_closed, self._is_closed = self._is_closed, True
        with self._inbox.guard:
            self._reset(self.pipeline.watched.reference)
            self._is_closed = is_closed
        if self._is_closed:
            self._inbox.close()


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


def close_all(*, timeout_seconds: float = EXIT_SECONDS) -> None:
    """Close every monitor of this process within `timeout_seconds` in all."""
    deadline = time.monotonic() + timeout_seconds
    workers = list(_workers)
    for worker in workers:  # in parallel: one that hangs must not use up the time of the others
        worker.begin_close()
    for worker in workers:
        worker.close(timeout_seconds=max(deadline - time.monotonic(), 0.0))


def restart_forked() -> None:
    """Restart, from zero, every monitor made in another process; `os.fork` does so by itself."""
    for worker in list(_workers):
        if worker.pid != os.getpid():
            worker.restart_after_fork()


def _restart_all() -> None:
    # Without comparing pids: in a pid namespace of its own a child may have its parent's pid.
    for worker in list(_workers):
        worker.restart_after_fork()


def _close_with_this_process() -> None:
    """Register `close_all` in a child of `multiprocessing`, which runs no `atexit` function."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, close_all, exitpriority=10)


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)
