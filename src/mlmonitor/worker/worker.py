"""The worker thread of a monitor: the first record of each process starts it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from mlmonitor import gil
from mlmonitor.buffer.backpressure import await_room, runs_event_loop
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.entry import Entry
from mlmonitor.capture.host.challenger_entries import ChallengerEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.config import Config
from mlmonitor.errors import MonitorError
from mlmonitor.export.base import THREAD_NAME
from mlmonitor.forks import check_fork
from mlmonitor.pipeline.pipeline import Pipeline
from mlmonitor.reference.reference import Reference
from mlmonitor.worker.aggregate_reads import AggregateReads
from mlmonitor.worker.flush_requests import FlushRequests
from mlmonitor.worker.processes import EXIT_SECONDS, close_with_this_process, register
from mlmonitor.worker.wall_clock import Clock, read_wall

Items = TypeVar("Items")


class Worker(AggregateReads, FlushRequests):
    """Drives one pipeline from one daemon thread.

    A lock guards the aggregates; it is never held during a send. `flush` and `close` request an
    export from the thread and wait for it. A thread that hangs in a dead destination is abandoned
    at the deadline, and ends with the process. A callback or an exporter of the host that calls
    `flush` or `close` runs in this thread, so the call returns without waiting.
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
        self._is_complete = True  # once closed: whether nothing was lost
        self._has_logged_late = False
        self._reset(reference)
        inbox.calls.on_first, inbox.calls.on_late = self.ensure_started, self._log_late
        if not config.enabled:
            inbox.close()
        register(self)

    def _reset(self, reference: Reference | None) -> None:
        """Create the state that belongs to this process alone."""
        self._thread: threading.Thread | None = None
        self._is_threadless = False  # whether a record failed to start a thread
        # Created here and not at import, because gevent may have patched `threading` by now.
        self._starting = threading.RLock()
        self._reset_reads()
        self._reset_requests()
        self._final: int | None = None  # number of the closing flush, once requested
        self._closes_itself = False  # whether a callback requested the close: no thread waits
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
            self._thread, self._is_threadless = None, True
            raise
        close_with_this_process()

    def _claim_thread(self) -> threading.Thread | None:
        """Return the thread to start; None if another caller starts it.

        The thread is stored before it is started, and started without holding the lock, because
        under gevent starting a thread switches to other greenlets.
        """
        with self._starting:
            if self._thread is not None:
                return None
            self._wake = threading.Condition()
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            return self._thread

    def report(self, put: Callable[[Items], None], items: Items) -> None:
        """Add labels or figures to their queue, and start the thread if it is not running."""
        check_fork()
        put(items)
        self.ensure_started()
        self._log_late()

    def check_open(self, call: str) -> None:
        """Raise MonitorError if the monitor is closed, so that this call would have no effect."""
        if self._is_closed:
            raise MonitorError(
                f"{call}: expected an open monitor, but it was closed: create another Monitor, or "
                "call it before close(), which a `with` block does at its end"
            )

    def _log_late(self) -> None:
        """Log once that rows, labels or figures have arrived at a closed monitor."""
        if self._is_closed and not self._has_logged_late:
            self._has_logged_late = True
            with suppress(Exception):  # the host's handlers may fail
                self.pipeline.log_late()

    def hand_over_batch(self, entry: Entry) -> None:
        """Hand over a recorded batch; while there is no room, ingest waiting rows in this thread.

        In a running event loop, a batch without room is dropped and counted immediately.
        """
        check_fork()
        self._inbox.has_batches = True
        calls = self._inbox.calls
        if not runs_event_loop():
            seconds = self._config.record_wait_seconds
            await_room(calls, lambda: self.apply(Pipeline.absorb), timeout_seconds=seconds)
        calls.put(entry)

    def hand_over_outcomes(self, outcomes: OutcomeEntry | RankingEntry) -> None:
        """Hand over pairs of predictions and actuals; make room first if there is none.

        In a running event loop, pairs without room are dropped and counted immediately.
        """
        check_fork()
        self._inbox.has_batches = True
        if not self._inbox.outcomes.has_room and not runs_event_loop():
            self.apply(Pipeline.catch_up)
        self.report(self._inbox.outcomes.put, [outcomes])

    def hand_over_challenger(self, entry: ChallengerEntry) -> None:
        """Hand over predictions of a challenger; a process that records batches makes room first.

        In a service, and in a running event loop, predictions without room are dropped and counted.
        """
        check_fork()
        waits = self._inbox.has_batches and not runs_event_loop()
        if waits and not self._inbox.challengers.has_room:
            self.apply(Pipeline.catch_up)
        self.report(self._inbox.challengers.put, [entry])

    def apply(self, step: Callable[[Pipeline, float], object]) -> None:
        """Apply a step to the pipeline now, in the calling thread, while no other step runs."""
        check_fork()
        with self._hold_aggregates():
            step(self.pipeline, self._clock())

    def _pause_seconds(self) -> float:
        """Seconds to pause: 0 while a thread waits for the worker, a short time if rows pile up."""
        if self._waiting_threads or self._requested > self._answered:
            return 0.0
        is_behind = self._inbox.calls.waiting_rows > self._config.buffer_rows // 8
        return gil.HURRIED_SECONDS if is_behind else gil.PAUSE_SECONDS

    def flush(self, *, timeout_seconds: float) -> bool:
        """Export everything; return whether all destinations accepted it in time."""
        check_fork()
        if self._is_closed:
            return False
        with self._inbox.guard:
            self.ensure_started()
        if self._thread is None:
            return self._export_here(timeout_seconds)
        asked = self._request_flush(timeout_seconds)
        return not self._is_own_thread and self._wait_for_flush(asked, timeout_seconds)

    @property
    def _is_own_thread(self) -> bool:
        return self._thread is threading.current_thread()

    def _export_here(self, timeout_seconds: float) -> bool:
        """Export in the calling thread, because no thread can be started."""
        with self._inbox.guard:
            self.pipeline.load_clients()
            self.pipeline.limit_sends(timeout_seconds)
            return self._run_once(is_flush=True)
        return False

    def begin_close(self) -> None:
        """Request the last export from the thread if it was started; do not wait for it."""
        if self._final is None and not self._is_closed:
            # Set before the request: the thread settles pending labels in the last export.
            self._final = self._requested + 1
            self._final = 0 if self._thread is None else self._request_flush(self.exit_seconds)

    @property
    def exit_seconds(self) -> float:
        """How long the exit may take: two seconds, or longer if the process recorded batches."""
        return self._config.exit_wait_seconds if self._inbox.has_batches else EXIT_SECONDS

    def close(self, *, timeout_seconds: float | None = None) -> bool:
        """Export a last time and stop; return whether every row was exported and accepted.

        timeout_seconds: `exit_seconds` if None. Rows left at the deadline are dropped, counted
        and logged. Later calls return the result of the first.
        """
        check_fork()
        if self._is_closed:
            return self._is_complete
        self.begin_close()
        seconds = self.exit_seconds if timeout_seconds is None else timeout_seconds
        if self._is_own_thread:
            self._closes_itself = True
            return False
        if self._thread is None:
            is_delivered = not self._is_threadless or self._export_here(seconds)
        else:
            is_delivered = self._wait_for_flush(self._final or 0, seconds)
        self._end_close(is_delivered=is_delivered)
        if self._thread is not None:
            self._thread.join(0.1 if is_delivered else 0.0)
        return self._is_complete

    def _end_close(self, *, is_delivered: bool) -> None:
        with self._starting:
            if self._is_closed:  # by the worker's thread, or by one that waited for it
                return
            self._is_closed = True
            self._inbox.close()
            self._is_complete = self._report_losses(is_delivered=is_delivered)
        with self._wake:
            self._wake.notify_all()
        self.pipeline.close(timeout_seconds=0.0)  # a send that waits for its next attempt gives up

    def _report_losses(self, *, is_delivered: bool) -> bool:
        """Count and log unread rows and a failed export; return whether there was neither."""
        rows = self._inbox.calls.discard_waiting()
        is_complete = is_delivered and rows == 0
        with self._inbox.guard:
            if not is_complete:
                self.pipeline.log_losses(rows, is_delivered=is_delivered)
        return is_complete

    def _run(self) -> None:
        with self._inbox.guard:
            self.pipeline.load_clients()
        gil.start_slicing(self._pause_seconds)
        while not self._is_closed:
            asked = self._await_request(self._config.poll_interval_seconds)
            gil.reset_slice()
            is_delivered = False
            with self._inbox.guard:
                is_delivered = self._run_once(is_flush=asked > self._answered)
            self._answer_request(asked, is_delivered=is_delivered)
            if self._closes_itself and self._answered >= (self._final or 0):
                self._end_close(is_delivered=self._is_delivered)

    def _run_once(self, *, is_flush: bool) -> bool:
        """Ingest the waiting rows, releasing the lock after each block, and export if due."""
        is_more = True
        while is_more:
            with self._aggregates:
                is_more = self.pipeline.absorb(self._clock())
            self.pipeline.report_alerts()
            time.sleep(0)  # under gevent no other greenlet runs until the worker yields
        now = self._clock()
        if not (self.pipeline.is_export_due(now) or is_flush):
            return True
        with self._aggregates:
            if self._final is not None:
                self.pipeline.settle(now)
            self.pipeline.evaluate(now)
        are_flushed = not is_flush or self.pipeline.flush_events(self._limit_seconds / 2)
        with self._aggregates:
            snapshot = self.pipeline.snapshot(now, wall=read_wall(self._clock))
        self.pipeline.report_alerts()
        return self.pipeline.deliver(snapshot) and are_flushed

    def restart_after_fork(self) -> None:
        """Restart from zero in a forked child, with its own locks, thread and identity.

        A reference that was learned before the fork is kept. If the restart fails, the child's
        monitor is closed, because its counts are those of its parent.
        """
        self._inbox.clear()
        is_closed, self._is_closed = self._is_closed, True
        with self._inbox.guard:
            self._reset(self.pipeline.traffic.reference)
            self._is_closed = is_closed
        if self._is_closed:
            self._inbox.close()
