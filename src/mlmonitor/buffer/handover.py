"""The bounded queue from many host threads to one worker."""

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import RLock

from mlmonitor.capture.entry import ROWS, Entry
from mlmonitor.capture.read.rows import Run
from mlmonitor.capture.trace_context import SpanSource, attach_origin
from mlmonitor.forks import PerProcess, check_fork, process_mark


class Handover(PerProcess):
    """Entries in the order their calls ended; a full queue drops new entries and counts their rows.

    Promise: `put` never waits for the worker and never raises; no entry is drained twice; every
        dropped row is counted. The queue may exceed its limit by one entry per host thread.
    Price: one `deque.append` for a single row. A batch also takes a lock. While the host records
        traces, each entry also costs a call that reads the current span.
    """

    __slots__ = (
        "_batch_rows",
        "_drops",
        "_is_closed",
        "_is_open",
        "_limit",
        "_lock",
        "_lost",
        "_reads_of_drops",
        "_room",
        "_span_source",
        "entries",
        "on_first",
        "on_late",
        "room",
    )

    def __init__(self, limit_rows: int) -> None:
        self._limit = limit_rows
        self._is_closed = False
        self.entries: deque[Entry] = deque()
        """A wrapper appends a single row here directly while there are fewer entries than `room`.

        `room` is 0 while the host records traces, so that every entry passes through `put`, which
        attaches its trace. A host without traces pays nothing for this.
        """
        self.on_first: Callable[[], object] = bool
        """Called at the first entry of each process, in the host's thread."""
        self.on_late: Callable[[], object] = bool
        """Called after an entry was dropped because the queue is closed; it never raises."""
        self.clear()

    def clear(self) -> None:
        """Drop everything, as a forked child must, because the entries belong to its parent."""
        self.entries.clear()
        self._batch_rows = 0
        # Reentrant, because a finalizer may record while this thread holds the lock.
        self._lock = RLock()
        # `next` on a C counter is atomic, `+= 1` is not; each read of `dropped_rows` adds one.
        self._drops = count()
        self._reads_of_drops = 0
        self._lost = 0
        self._is_open = False
        self._span_source: SpanSource | None = None
        self._room = 0  # the wrappers read it as `room`, see `_open`
        self.room: int = 0

    def close(self) -> None:
        """Drop and count every entry from now on."""
        with self._lock:
            self._is_closed = True
            self._open(0)

    @property
    def is_closed(self) -> bool:
        """Whether every entry is dropped from now on."""
        return self._is_closed

    @property
    def has_room(self) -> bool:
        """Whether the next entry will be added; a queue that is not open yet counts as empty."""
        room = self._room if self._is_open else self._limit
        return not self._is_closed and len(self.entries) < room

    @property
    def is_traced(self) -> bool:
        """Whether entries get the ids of their trace and span."""
        return self._span_source is not None

    def trace(self, span_source: SpanSource) -> None:
        """Attach the ids of the current trace and span to each entry from now on."""
        with self._lock:
            self._span_source = span_source
            self._open(self._room)

    def _open(self, room: int) -> None:
        """Set the room, and publish it to the wrappers; the caller holds the lock."""
        self._room = room
        self.room = room if self._span_source is None else 0

    def put(self, entry: Entry) -> bool:
        """Add the entry of a finished call, or drop it; return whether it was added."""
        if entry[ROWS] == 1 and process_mark and len(self.entries) < self.room:
            self.entries.append(entry)
            return True
        check_fork()
        return self._put_slowly(entry)

    def _put_slowly(self, entry: Entry) -> bool:
        """Add any entry: a batch, a traced one, or one for a full, closed or unopened queue."""
        if self._is_closed:
            with self._lock:
                self._lost += entry[ROWS]
            self.on_late()
            return False
        is_first = not self._is_open and self._begin()
        rows, span_source = entry[ROWS], self._span_source
        is_added = True
        if rows != 1:
            is_added = self._put_batch(
                entry if span_source is None else attach_origin(entry, span_source), rows
            )
        elif len(self.entries) < self._room:
            self.entries.append(entry if span_source is None else attach_origin(entry, span_source))
        else:
            next(self._drops)
            is_added = False
        if is_first:
            try:
                self.on_first()
            except BaseException:
                with self._lock:  # so that the next entry tries again
                    self._open(0)
                    self._is_open = False
                raise
        return is_added

    def _begin(self) -> bool:
        """Open the queue, setting its room first; return whether this call opened it."""
        with self._lock:
            is_first = not (self._is_open or self._is_closed)
            if is_first:
                self._open(self._limit)
                self._is_open = True
            return is_first

    def _put_batch(self, entry: Entry, rows: int) -> bool:
        """Add a batch as a whole if there is any room, however large the batch is."""
        with self._lock:
            if len(self.entries) < self._room:
                self._batch_rows += rows
                self._open(self._limit - self._batch_rows)
                self.entries.append(entry)
                return True
            self._lost += rows
            return False

    def drain(self, limit: int) -> Run:
        """Remove and return the oldest entries, at most `limit`.

        An entry that is put concurrently is in this list or in that of the next call.
        """
        popleft = self.entries.popleft
        run = Run([popleft() for _ in range(min(limit, len(self.entries)))])
        if self._batch_rows:
            with self._lock:
                self._batch_rows -= sum(entry[ROWS] for entry in run if entry[ROWS] != 1)
                if not self._is_closed:
                    self._open(self._limit - self._batch_rows)
        return run

    @property
    def waiting_rows(self) -> int:
        """Approximate number of waiting rows, including those of batches."""
        return len(self.entries) + self._batch_rows

    def discard_waiting(self) -> int:
        """Drop and count the waiting rows; return their number."""
        entries = self.drain(len(self.entries))
        rows = sum(entry[ROWS] for entry in entries)
        with self._lock:
            self._lost += rows
        return rows

    def dropped_rows(self) -> int:
        """Rows dropped so far. Only the worker may read it, as each read advances the counter."""
        with self._lock:
            dropped = next(self._drops) - self._reads_of_drops
            self._reads_of_drops += 1
            return dropped + self._lost

    def __len__(self) -> int:
        return len(self.entries)
