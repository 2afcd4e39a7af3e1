"""Write events to PostgreSQL tables, in a thread of this process."""

import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.events.content.event_source import Content
from mlmonitor.events.sinks.event_sink import EventCounter
from mlmonitor.formats.events import (
    MATCH_MISSED,
    STAGING_COLUMNS,
    RecheckTimes,
    StagingSchema,
    encode_copy,
)
from mlmonitor.secret import Secret

_HEAD_BYTES, _END_BYTES = 19, 2  # bytes of the COPY format before and after the rows
_BATCH_EVENTS = 10_000
_LINGER_SECONDS = 0.2
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 0.5, 15.0
_WAIT_SECONDS = 10.0  # a batch job stops waiting after this time without any delivery
_ORDER: Sequence[StagingSchema] = ("reference", "prediction", "label", "kpi", "alert", "verdict")
"""References first, because rollups need the bins of the fields; labels after predictions."""
_JOINED: Sequence[StagingSchema] = ("prediction", "label")
_TABLES_BY_DAY: Mapping[StagingSchema, Sequence[str]] = {
    "prediction": ("prediction", "outcome"),
    "label": ("label",),
    "kpi": ("kpi",),
}
"""The tables, by schema of the events, that need a partition for each day."""

_NO_TABLES = ("3F000", "42883", "42P01")
_OUTAGES = ("08", "53", "55", "57", "58", "40", "25", "28", "3D")
"""SQLSTATE classes of temporary errors, after which the batch is tried again."""

THREAD_NAME = "mlmonitor-events"


class _Chunk(NamedTuple):
    """Events of one schema: their number, their rows in binary COPY format, and their days."""

    schema: StagingSchema
    events: int
    rows: bytes
    days: frozenset[str]


class PostgresSink:
    """Copies events into temporary tables and merges them into the log, in one transaction.

    Promise: a transaction whose outcome is unknown is repeated; the merge skips events that are
        stored already. A batch that the database refuses is split, so that only the chunks it
        refuses are lost, and counted.
    """

    def __init__(self, psycopg: Any, url: Secret, buffer_bytes: int) -> None:
        self._psycopg, self._url, self._limit_bytes = psycopg, url, buffer_bytes
        self._counter = EventCounter("postgres")
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._chunks: deque[_Chunk] = deque()
        self._bytes = self._waiting = 0
        self._is_closing = self._is_flushing = self._is_abandoned = False
        self._connection: Any = None
        self._partitions: set[tuple[str, str]] = set()
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._rechecks = RecheckTimes()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Queue events of one schema; if the queue is full, drop and count them."""
        try:
            chunk = _encode(events)
        except Exception as error:  # noqa: BLE001 - such as a number beyond 64 bits
            self._counter.add("refused", len(events), f"encoding: {type(error).__name__}")
            return
        size = len(chunk.rows)
        with self._changed:
            has_room = self._bytes + size <= self._limit_bytes
            if not has_room and waits:
                has_room = self._wait_for_room(size)
            if not has_room or self._is_closing:
                self._counter.add("dropped", len(events), self._counter.last_error or "no room")
                return
            self._chunks.append(chunk)
            self._bytes += size
            self._waiting += len(events)
            self._changed.notify_all()

    def _wait_for_room(self, size: int) -> bool:
        """Wait while the database accepts events; return whether there is room now."""
        while self._bytes + size > self._limit_bytes and not self._is_closing:
            before = self._waiting
            if not self._changed.wait_for(lambda: self._waiting < before, _WAIT_SECONDS):  # noqa: B023 - called at once
                return False
        return not self._is_closing

    def poll(self) -> None:
        """Do nothing: the thread works by itself."""

    def flush(self, timeout_seconds: float) -> bool:
        """Wait at most this long for delivery; return whether no event waits."""
        with self._changed:
            self._is_flushing = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._waiting == 0, max(timeout_seconds, 0.0))
            self._is_flushing = False
            return done

    def close(self, timeout_seconds: float) -> None:
        """Flush, then drop and count the remaining events; in a forked child, do nothing.

        If a running transaction does not end within a second, its events count as dropped, although
        they may be stored later.
        """
        if os.getpid() != self._pid:
            return
        self.flush(timeout_seconds)
        with self._changed:
            self._is_closing = True
            lost = sum(chunk.events for chunk in self._chunks)
            self._chunks.clear()
            self._waiting -= lost
            if lost:
                self._counter.add("dropped", lost)
            self._changed.notify_all()
        self._thread.join(min(max(timeout_seconds, 0.1), 1.0))
        with self._changed:
            if self._waiting > 0:
                self._is_abandoned = True
                self._counter.add("dropped", self._waiting)
                self._waiting = 0

    def status(self) -> EventStatus:
        """Return counts of events by outcome."""
        return self._counter.status(waiting=self._waiting)

    def _run(self) -> None:
        is_open = True
        while is_open:
            chunks = self._collect_batch()
            if chunks:
                self._deliver(chunks)
            is_open = bool(chunks) or not self._is_closing
            left = self._rechecks.seconds_left(time.monotonic())
            if left == 0.0 or (left is not None and not is_open):
                self._match_missed()
        self._disconnect()

    def _match_missed(self) -> None:
        """Join labels with predictions that another process stored at the same moment."""
        try:
            self._connect().execute(MATCH_MISSED)
        except self._psycopg.Error:
            self._disconnect()  # the next check, of any process, finds the same labels
        self._rechecks.advance(time.monotonic())

    def _collect_batch(self) -> list[_Chunk]:
        """Wait for a batch of events; it is empty if a check is due or the sink is closing."""
        with self._changed:
            patience = self._rechecks.seconds_left(time.monotonic())
            if not self._changed.wait_for(lambda: self._chunks or self._is_closing, patience):
                return []
            deadline = time.monotonic() + _LINGER_SECONDS
            while not (self._is_closing or self._is_flushing) and self._waiting < _BATCH_EVENTS:
                if not self._changed.wait(max(deadline - time.monotonic(), 0.0)):
                    break
                if time.monotonic() >= deadline:
                    break
            batch: list[_Chunk] = []
            events = 0
            while self._chunks and events < _BATCH_EVENTS:
                chunk = self._chunks.popleft()
                batch.append(chunk)
                events += chunk.events
            return batch

    def _deliver(self, chunks: list[_Chunk]) -> None:
        """Write a batch; try again during an outage; split a batch that the database refuses."""
        while True:
            try:
                self._write(chunks)
            except self._psycopg.Error as error:
                state = error.sqlstate or ""
                self._note_failure(error, state)
                if not state or state[:2] in _OUTAGES or state in _NO_TABLES:
                    if self._pause():
                        continue
                    return self._settle(chunks, "dropped")
                if len(chunks) == 1:
                    return self._settle(chunks, "refused")
                middle = len(chunks) // 2
                self._deliver(chunks[:middle])
                return self._deliver(chunks[middle:])
            self._retry_seconds = _FIRST_RETRY_SECONDS
            if any(chunk.schema in _JOINED for chunk in chunks):
                self._rechecks.start(time.monotonic())
            return self._settle(chunks, "delivered")

    def _note_failure(self, error: Exception, state: str) -> None:
        """Store the reason without the database's message, which may quote a value or a secret."""
        self._disconnect()
        reason = f"{type(error).__name__}{f' (SQLSTATE {state})' if state else ''}"
        if state in _NO_TABLES:
            reason += ": run `mlmonitor store init --database URL`"
        self._counter.last_error = reason

    def _settle(self, chunks: Sequence[_Chunk], outcome: str) -> None:
        events = sum(chunk.events for chunk in chunks)
        with self._changed:
            if self._is_abandoned:
                return
            self._counter.add(outcome, events)
            self._waiting -= events
            self._bytes -= sum(len(chunk.rows) for chunk in chunks)
            self._changed.notify_all()

    def _pause(self) -> bool:
        """Wait before the next attempt, longer each time; return False if the sink is closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, self._retry_seconds)
            self._retry_seconds = min(2 * self._retry_seconds, _LAST_RETRY_SECONDS)
            return not self._is_closing

    def _write(self, chunks: Sequence[_Chunk]) -> None:
        """Create partitions for the days of a batch, then write it in one transaction."""
        connection = self._connect()
        self._make_partitions(connection, chunks)
        present = {chunk.schema for chunk in chunks}
        with connection.transaction(), connection.cursor() as cursor:
            for schema in _ORDER:
                if schema in present:
                    _copy(cursor, schema, [c.rows for c in chunks if c.schema == schema])
            for schema in _ORDER:
                if schema in present:
                    cursor.execute(f"select mlmonitor.merge_{schema}()")

    def _make_partitions(self, connection: Any, chunks: Sequence[_Chunk]) -> None:
        """Create the table partitions of new days, each in its own transaction.

        Attaching a partition blocks all readers of the default partition until the transaction
        ends; the transaction of a batch would take much longer.
        """
        places = {
            (table, day)
            for chunk in chunks
            for day in chunk.days
            for table in _TABLES_BY_DAY.get(chunk.schema, ())
        }
        for table, day in sorted(places - self._partitions):
            connection.execute("select mlmonitor.create_partition(%s, %s::date)", (table, day))
            self._partitions.add((table, day))

    def _connect(self) -> Any:
        if self._connection is None:
            connection = self._psycopg.connect(
                self._url.revealed(),
                autocommit=True,
                connect_timeout=5,
                application_name="mlmonitor",
                options="-c timezone=UTC -c client_min_messages=warning",
            )
            self._connection = connection
            self._partitions.clear()
            connection.execute("select mlmonitor.begin_staging()")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _encode(events: Sequence[Content]) -> _Chunk:
    contents = [*events]  # iterating `PredictionRows` builds the dictionaries each time
    schema: StagingSchema = contents[0]["schema"]
    rows = encode_copy(schema, contents)[_HEAD_BYTES:-_END_BYTES]
    is_by_day = schema in _TABLES_BY_DAY
    days = frozenset(event["time"][:10] for event in contents) if is_by_day else frozenset()
    return _Chunk(schema, len(contents), rows, days)


def _copy(cursor: Any, schema: StagingSchema, rows: Sequence[bytes]) -> None:
    columns = ", ".join(f'"{column.name}"' for column in STAGING_COLUMNS[schema])
    empty = encode_copy(schema, [])
    target = f"copy pg_temp.staging_{schema} ({columns}) from stdin (format binary)"
    with cursor.copy(target) as copy:
        copy.write(empty[:_HEAD_BYTES])
        for part in rows:
            copy.write(part)
        copy.write(empty[-_END_BYTES:])
