"""The bounded hand-over from many host threads to one worker."""

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import RLock

from mlmonitor.capture.entry import Entry
from mlmonitor.capture.read.rows import Run
from mlmonitor.capture.trace_context import SpanSource, attach_origin
from mlmonitor.forks import PerProcess, check_fork, process_mark


class Handover(PerProcess):
    """Entries in the order they ended; a full one drops what comes next, and counts its rows.

    Promise: `put` never waits for the worker and never raises; no entry is taken twice; every
        dropped row is counted. It may hold one entry more per host thread than its limit.
    Price: one `deque.append` for a single row. A batch takes a lock for two additions. While the
        host traces, a call and a look at the current span more.
    """

    __slots__ = (
        "_batch_rows",
        "_drops",
        "_is_closed",
        "_is_open",
        "_limit",
        "_lock",
        "_looks",
        "_lost",
        "_room",
        "_whence",
        "entries",
        "on_first",
        "room",
    )

    def __init__(self, limit_rows: int) -> None:
        self._limit = limit_rows
        self._is_closed = False
        self.entries: deque[Entry] = deque()
        """A single row may be appended here by whoever finds fewer of them than `room`.

        There is none for them while the host traces: whoever looks finds it full, and comes to
        `put`, where an entry gets its origin. So nobody pays for this who does not trace.
        """
        self.on_first: Callable[[], object] = bool
        """Called with the first entry of each process, in the host's thread."""
        self.clear()

    def clear(self) -> None:
        """Forget everything, as a forked child must: what it holds is its parent's."""
        self.entries.clear()
        self._batch_rows = 0
        # A finalizer may record while this thread is inside: hence a lock it can take again.
        self._lock = RLock()
        # `next` on a C counter is atomic where `+= 1` is not; looking costs one tick, see below.
        self._drops = count()
        self._looks = 0
        self._lost = 0
        self._is_open = False
        self._whence: SpanSource | None = None
        self._room = 0  # of which others see what `_open` shows them
        self.room: int = 0

    def close(self) -> None:
        """Take no more: what comes from now on is dropped, and counted."""
        with self._lock:
            self._is_closed = True
            self._open(0)

    @property
    def is_closed(self) -> bool:
        """Whether every entry is dropped from now on."""
        return self._is_closed

    @property
    def has_room(self) -> bool:
        """Whether the next entry is kept; one that is not open yet has all its room."""
        room = self._room if self._is_open else self._limit
        return not self._is_closed and len(self.entries) < room

    @property
    def is_traced(self) -> bool:
        """Whether entries may have origins."""
        return self._whence is not None

    def trace(self, whence: SpanSource) -> None:
        """Give each entry that is put from now on its origin."""
        with self._lock:
            self._whence = whence
            self._open(self._room)

    def _open(self, room: int) -> None:
        """Have so much room from now on, and show it; under the lock."""
        self._room = room
        self.room = room if self._whence is None else 0

    def put(self, entry: Entry) -> bool:
        """Take one finished call, or drop it; whether it was taken."""
        if entry[2] == 1 and process_mark and len(self.entries) < self.room:
            self.entries.append(entry)
            return True
        check_fork()
        return self._put_with_care(entry)

    def _put_with_care(self, entry: Entry) -> bool:
        """What is no single row, or has an origin, or comes to a full, closed, or unopened line."""
        if self._is_closed:
            with self._lock:
                self._lost += entry[2]
            return False
        is_first = not self._is_open and self._begin()
        rows, whence = entry[2], self._whence
        is_taken = True
        if rows != 1:
            is_taken = self._put_batch(
                entry if whence is None else attach_origin(entry, whence), rows
            )
        elif len(self.entries) < self._room:
            self.entries.append(entry if whence is None else attach_origin(entry, whence))
        else:
            next(self._drops)
            is_taken = False
        if is_first:
            try:
                self.on_first()
            except BaseException:
                with self._lock:  # whoever comes next tries again
                    self._open(0)
                    self._is_open = False
                raise
        return is_taken

    def _begin(self) -> bool:
        """Make room, and only then let others know; whether nobody else has done so."""
        with self._lock:
            is_first = not (self._is_open or self._is_closed)
            if is_first:
                self._open(self._limit)
                self._is_open = True
            return is_first

    def _put_batch(self, entry: Entry, rows: int) -> bool:
        """A batch is taken whole as long as there is any room, however large it is."""
        with self._lock:
            if len(self.entries) < self._room:
                self._batch_rows += rows
                self._open(self._limit - self._batch_rows)
                self.entries.append(entry)
                return True
            self._lost += rows
            return False

    def take(self, limit: int) -> Run:
        """The oldest entries, at most `limit`; a racing `put` lands in this list or the next."""
        popleft = self.entries.popleft
        taken = Run([popleft() for _ in range(min(limit, len(self.entries)))])
        if self._batch_rows:
            with self._lock:
                self._batch_rows -= sum(entry[2] for entry in taken if entry[2] != 1)
                if not self._is_closed:
                    self._open(self._limit - self._batch_rows)
        return taken

    @property
    def waiting_rows(self) -> int:
        """About how many rows wait, those of batches included."""
        return len(self.entries) + self._batch_rows

    def discard_waiting(self) -> int:
        """Drop what waits, and count it; return how many rows that are."""
        entries = self.take(len(self.entries))
        rows = sum(entry[2] for entry in entries)
        with self._lock:
            self._lost += rows
        return rows

    def dropped_rows(self) -> int:
        """Rows dropped so far. For the worker alone: a look is itself a tick of the counter."""
        with self._lock:
            dropped = next(self._drops) - self._looks
            self._looks += 1
            return dropped + self._lost

    def __len__(self) -> int:
        return len(self.entries)
