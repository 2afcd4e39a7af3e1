"""A monitor's worker thread: started by the first record, reborn after a fork, gone at exit."""

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
        self._is_closed = False
        self._begin(reference)
        inbox.calls.on_first = self.ensure_started
        if not config.enabled:
            inbox.close()
        _workers.add(self)

    def _begin(self, reference: Reference | None) -> None:
        """Everything that belongs to this process alone."""
        self.pid: int = os.getpid()
        self._thread: threading.Thread | None = None
        # Locks are made by `threading` when they are needed, since gevent may have patched it by
        # then. To one that is older all greenlets are one holder, who can take these again.
        self._starting = threading.RLock()
        self._aggregates = threading.RLock()
        self._wake = threading.Condition()
        self._asked = 0  # flushes asked for, and the last one that was answered
        self._answered = 0
        self._last: int | None = None  # the flush that closes, once it was asked for
        self._took_all = True
        self._waiting: set[int] = set()  # threads that want the aggregates
        self.pipeline: Pipeline = self._new_pipeline(self._clock(), reference)

    def ensure_started(self) -> None:
        """Start the thread if this process has none yet.

        Raises RuntimeError where the interpreter starts no more: at its end, or out of memory.
        """
        if self._thread is not None or self._is_closed:
            return
        thread = self._only_thread()
        if thread is None:
            return
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            raise
        _close_with_this_process()

    def _only_thread(self) -> threading.Thread | None:
        """The thread that is to be started, for the first who asks.

        It is known before it starts, and is started without a lock: under gevent that lets others
        in.
        """
        with self._starting:
            if self._thread is not None:
                return None
            self._wake = threading.Condition()
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            return self._thread

    @property
    def memory_bytes(self) -> int:
        """What the pipeline's aggregates hold at most."""
        with self._at_once():
            return self.pipeline.memory_bytes

    def status(self) -> Status:
        """The pipeline's status, with all that waits taken in first."""
        with self._at_once():
            now = self._clock()
            self.pipeline.catch_up(now)
            found = self.pipeline.status(now)
        if not self._is_closed:
            return found
        return replace(found, state="closed")

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """The aggregates, without pauses of the worker while the calling thread waits for them."""
        self._waiting.add(threading.get_ident())
        try:
            with self._aggregates:
                yield
        finally:
            self._waiting.discard(threading.get_ident())

    def _patience(self) -> float:
        """How long to pause: not while somebody waits for the worker, hardly if it is behind."""
        if self._waiting or self._asked > self._answered:
            return 0.0
        is_behind = self._inbox.calls.waiting_rows > self._config.buffer_rows // 8
        return gil.HURRIED_SECONDS if is_behind else gil.PAUSE_SECONDS

    def flush(self, *, timeout_seconds: float) -> bool:
        """Have everything exported; whether that was done, and taken everywhere, in time."""
        if self._is_closed:
            return False
        with self._inbox.guard:
            self.ensure_started()
        return self._thread is not None and self._await(self._ask(), timeout_seconds)

    def _ask(self) -> int:
        """Ask the thread for an export; the number it will answer."""
        with self._wake:
            self._asked += 1
            self._wake.notify_all()
            return self._asked

    def _await(self, asked: int, timeout_seconds: float) -> bool:
        with self._wake:
            done = self._wake.wait_for(lambda: self._answered >= asked, timeout_seconds)
            return done and self._took_all

    def begin_close(self) -> None:
        """Ask a started thread for its last export, and do not wait for it."""
        if self._last is None and not self._is_closed:
            # Before it is asked for: what is asked for last is settled.
            self._last = self._asked + 1
            self._last = self._ask() if self._thread is not None else 0

    def close(self, *, timeout_seconds: float) -> bool:
        """Flush what a started thread has, and stop it; whether the last export was taken."""
        if self._is_closed:
            return True
        self.begin_close()
        took_all = not self._last or self._await(self._last, timeout_seconds)
        self._is_closed = True
        self._inbox.close()
        with self._wake:
            self._wake.notify_all()
        self.pipeline.close(timeout_seconds=0.0)  # a send that waits to try again gives up
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(0.1 if took_all else 0.0)
        return took_all

    def _run(self) -> None:
        with self._inbox.guard:
            self.pipeline.load_clients()
        gil.start_slicing(self._patience)
        while not self._is_closed:
            with self._wake:
                if self._asked == self._answered:
                    self._wake.wait(self._config.poll_interval_seconds)
                asked = self._asked
            gil.reset_slice()
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
            time.sleep(0)  # under gevent nobody else runs until the worker says so
        now = self._clock()
        is_due = self.pipeline.is_export_due(now)
        if not (is_due or is_flush):
            return True
        with self._aggregates:
            if self._last is not None:
                self.pipeline.settle()
            snapshot = self.pipeline.snapshot(now)
        self.pipeline.tell()
        return self.pipeline.deliver(snapshot)

    def be_reborn(self) -> None:
        """In a forked child: from zero, with locks, a thread and an identity of its own.

        A reference that was learned before the fork is kept: it is knowledge, not a count. If this
        cannot be done the child's monitor is closed, since what it holds is its parent's.
        """
        self._inbox.clear()
        is_closed, self._is_closed = self._is_closed, True
        with self._inbox.guard:
            self._begin(self.pipeline.watched.reference)
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
    """Close every monitor of this process, in so many seconds for all of them together."""
    deadline = time.monotonic() + timeout_seconds
    workers = list(_workers)
    for worker in workers:  # all at once: one that hangs must not use up the time of the others
        worker.begin_close()
    for worker in workers:
        worker.close(timeout_seconds=max(deadline - time.monotonic(), 0.0))


def begin_anew() -> None:
    """Start every monitor from zero that was made in another process; Python's forks do so."""
    for worker in list(_workers):
        if worker.pid != os.getpid():
            worker.be_reborn()


def _rebear_all() -> None:
    # Without a look at the process's number: in a namespace of its own a child may have its
    # parent's.
    for worker in list(_workers):
        worker.be_reborn()


def _close_with_this_process() -> None:
    """In a child of `multiprocessing`, which runs its own finalizers and not those of `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, close_all, exitpriority=10)


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rebear_all)
