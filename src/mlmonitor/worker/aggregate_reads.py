"""Reads of the aggregates by threads other than the worker's: status, series and history."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.export.base import Snapshot
from mlmonitor.forks import check_fork
from mlmonitor.pipeline.pipeline import Pipeline
from mlmonitor.status.status import Status
from mlmonitor.worker.wall_clock import Clock, read_wall

if TYPE_CHECKING:
    from mlmonitor.fleet.profile_content import ProfileContent


class AggregateReads:
    """Methods that read one pipeline; each first ingests the waiting rows."""

    pipeline: Pipeline
    _clock: Clock
    _is_closed: bool

    def _reset_reads(self) -> None:
        """Create the state that belongs to this process alone.

        The lock is created here, after gevent may have patched `threading`: an unpatched lock would
        treat all greenlets of a thread as one owner.
        """
        self._aggregates = threading.RLock()
        self._waiting_threads: set[int] = set()  # threads that wait for the aggregates

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes of the pipeline's aggregates."""
        check_fork()
        with self._hold_aggregates():
            return self.pipeline.measure_memory()

    def status(self) -> Status:
        """Ingest the waiting rows, then return the status."""
        return self.read()[1]

    def read(self, *, with_history: bool = False) -> tuple[ModelSnapshot, Status]:
        """Ingest the waiting rows, then return the snapshot of the model and its status."""
        check_fork()
        with self._hold_aggregates():
            now = self._clock()
            self.pipeline.catch_up(now)
            snapshot, status = self.pipeline.read(now, with_history=with_history)
        return snapshot, replace(status, state="closed") if self._is_closed else status

    def read_profile(self) -> "ProfileContent | None":
        """Ingest the waiting rows, then copy the window; None while nothing is compared."""
        from mlmonitor.fleet.profile_content import ProfileContent

        check_fork()
        with self._hold_aggregates():
            now = self._clock()
            self.pipeline.catch_up(now)
            comparing = self.pipeline.traffic.comparing
            return None if comparing is None else ProfileContent.copy_from(comparing, now)

    def snapshot(self) -> Snapshot:
        """Ingest the waiting rows, then return every series, for a reader in another thread."""
        with self._hold_aggregates():
            now = self._clock()
            self.pipeline.catch_up(now)
            return self.pipeline.snapshot(now, wall=read_wall(self._clock))

    @contextmanager
    def _hold_aggregates(self) -> Iterator[None]:
        """Hold the lock of the aggregates; the worker does not pause while this thread waits."""
        self._waiting_threads.add(threading.get_ident())
        try:
            with self._aggregates:
                yield
        finally:
            self._waiting_threads.discard(threading.get_ident())
