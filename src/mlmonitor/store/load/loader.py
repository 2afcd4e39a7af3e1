"""The loader: one thread reads and decodes, another writes; at most one batch waits in between."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mlmonitor.errors import ConfigError, MonitorError
from mlmonitor.formats.events import RecheckTimes
from mlmonitor.store.database import Answer, ask_patiently, connect, explain_refusal, is_outage
from mlmonitor.store.load.avro import AvroDecoder
from mlmonitor.store.load.consumer import GroupConsumer
from mlmonitor.store.load.dead_letters import DeadLetterTopic
from mlmonitor.store.load.decode import Decoder, EventBatch, Message, PartitionKey
from mlmonitor.store.load.offsets import Overtaken, read_offsets
from mlmonitor.store.load.writer import BatchWriter, LoadCounts
from mlmonitor.store.schema import require_latest

log: logging.Logger = logging.getLogger("mlmonitor.store")

_SLOWEST_RETRY_SECONDS = 5.0
_POLL_SECONDS = 0.25
_REVOKE_SECONDS = 20.0
"""How long a revoke waits for batches to be stored; later ones are refused by the database."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of a loader. kafka: settings of librdkafka. The repr shows no password."""

    kafka: Mapping[str, Any] = field(repr=False)
    topic: str
    group: str
    database: str = field(repr=False)
    until_idle_seconds: float | None = None
    batch_messages: int = 10_000
    linger_seconds: float = 1.0
    dead_letter_topic: str | None = None
    schema_registry: str | None = field(default=None, repr=False)


class LoaderStopped(MonitorError):
    """The loader stopped, because the database refuses to load for a permanent reason."""


class Loader:
    """Loads a topic into a store until it is stopped.

    Promise: each event is stored exactly once, despite crashes, rebalances and outages of broker
        or database. During an outage, reading pauses, and this instance stays in the group.
    Price: one connection to the database, and two batches of up to 32 MiB of messages.
    """

    def __init__(self, options: LoadOptions, *, now: Callable[[], float] = time.monotonic) -> None:
        self.options: LoadOptions = options
        self.counts: LoadCounts = LoadCounts()
        self.outages: int = 0
        self.committed_at: float | None = None
        """When the last batch was stored, in seconds since 1970."""
        self.is_connected: bool = False
        self._now = now
        self._stopping = threading.Event()
        self._overtaken = threading.Event()
        self._batches: queue.Queue[EventBatch | None] = queue.Queue(maxsize=1)
        self._idle = threading.Event()
        self._idle.set()
        self._published: queue.SimpleQueue[Mapping[PartitionKey, int]] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._connection: Any = None
        self._rechecks = RecheckTimes()
        self._decoder = Decoder(AvroDecoder(options.schema_registry))
        letters = DeadLetterTopic(dict(options.kafka), options.dead_letter_topic)
        self.dead_letter_topic = letters
        self._writer = BatchWriter(options.group, self._decoder, letters)
        self.consumer: GroupConsumer | None = None

    def stop(self) -> None:
        """Make `run` store what it has read, leave the group and return; safe from any thread."""
        self._stopping.set()

    @property
    def lag(self) -> int:
        """Number of messages in owned partitions that have not been read yet."""
        return 0 if self.consumer is None else self.consumer.lag

    @property
    def owned(self) -> int:
        """Number of partitions that this instance owns."""
        return 0 if self.consumer is None else len(self.consumer.positions)

    def run(self, *, report: Callable[[], object] = lambda: None) -> LoadCounts:
        """Load until `stop`, or until nothing has arrived for `until_idle_seconds`.

        report: called about four times a second, to show progress.

        Raises:
            ConfigError: the schema of the database is not the one that this library needs, or a
                setting is invalid.
            LoaderStopped: the database refuses to load for a permanent reason.
        """
        self._check_schema()
        thread = threading.Thread(target=self._write_all, name="mlmonitor-writer", daemon=True)
        self.consumer = GroupConsumer(
            self.options.kafka,
            self.options.topic,
            self.options.group,
            read_offsets=self._read_offsets,
            before_revoke=self._wait_for_writer,
        )
        thread.start()
        try:
            while not self._stopping.is_set() and not self._is_done():
                self._read_once()
                report()
        finally:
            self._finish(thread)
            report()
        if self._failure is not None:
            raise self._failure
        return self.counts

    def _read_once(self) -> None:
        consumer = self.consumer
        if consumer is None:
            return
        if self._overtaken.is_set():
            self._wait_for_writer()
            consumer.rewind()
            self._overtaken.clear()
        options = self.options
        messages = consumer.read(
            options.batch_messages, timeout_seconds=self._choose_patience(consumer)
        )
        if messages:
            batch = self._decode(consumer, messages)
            if batch is not None:
                self._hand_over(consumer, batch)
        while not self._published.empty():
            consumer.publish(self._published.get())
        consumer.measure_lag()

    def _decode(self, consumer: GroupConsumer, messages: list[Message]) -> EventBatch | None:
        """Decode messages; wait while the schema registry is unavailable. None if stopped."""
        starts = consumer.starts(messages)
        while not self._stopping.is_set():
            try:
                return self._decoder.decode(messages, starts)
            except OSError:
                self.outages += 1
                self._stopping.wait(1.0)
                consumer.keep_alive()
        return None

    def _choose_patience(self, consumer: GroupConsumer) -> float:
        """Return the seconds to wait for a full batch: fewer if no messages arrived recently."""
        is_busy = self._now() - consumer.active_at < self.options.linger_seconds
        return self.options.linger_seconds if is_busy else _POLL_SECONDS

    def _hand_over(self, consumer: GroupConsumer, batch: EventBatch) -> None:
        """Pass a batch to the writer; while the writer is busy, stay in the group."""
        waited_since = self._now()
        while self._failure is None:
            try:
                self._idle.clear()
                self._batches.put(batch, timeout=_POLL_SECONDS)
            except queue.Full:
                if self._now() - waited_since > self.options.linger_seconds:
                    consumer.keep_alive()
                if self._overtaken.is_set():  # an earlier batch was dropped
                    return
            else:
                return

    def _is_done(self) -> bool:
        if self._failure is not None:
            return True
        seconds, consumer = self.options.until_idle_seconds, self.consumer
        if seconds is None or consumer is None or not consumer.was_assigned:
            return False
        is_quiet = self._now() - consumer.active_at >= seconds
        return is_quiet and self._is_written() and not self._overtaken.is_set()

    def _is_written(self) -> bool:
        return self._idle.is_set() and self._batches.empty()

    def _finish(self, thread: threading.Thread) -> None:
        """Wait for batches to be stored, unless the database is unavailable; leave the group."""
        self._stopping.set()
        self._wait_for_writer()
        deadline = self._now() + _REVOKE_SECONDS
        while thread.is_alive() and self._now() < deadline:
            with suppress(queue.Full):  # a writer that retries checks `_stopping` itself
                self._batches.put(None, timeout=_POLL_SECONDS)
            thread.join(_POLL_SECONDS)
        if self.consumer is not None:
            while not self._published.empty():
                self.consumer.publish(self._published.get())
            self.consumer.close()

    def _wait_for_writer(self) -> None:
        """Wait until all batches are stored, at most `_REVOKE_SECONDS`."""
        deadline = self._now() + _REVOKE_SECONDS
        while not self._is_written() and self._failure is None and self._now() < deadline:
            if not self._idle.wait(0.05) and not self.is_connected and self._stopping.is_set():
                return

    def _check_schema(self) -> None:
        """Check the schema; wait for the database, unless `until_idle_seconds` is set."""
        self._ask(require_latest, waits=self.options.until_idle_seconds is None)

    def _read_offsets(self, places: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """Read the offsets of partitions; wait while the database is unavailable."""
        listed = list(places)
        return self._ask(lambda connection: read_offsets(connection, self.options.group, listed))

    def _ask(self, question: Callable[[Any], Answer], *, waits: bool = True) -> Answer:
        """Call `question` with a new connection; with `waits`, try again during an outage."""
        return ask_patiently(
            self.options.database, question, may_wait=lambda: waits and not self._stopping.is_set()
        )

    def _write_all(self) -> None:
        """Store batches until None arrives; runs in the writer's thread."""
        try:
            while (batch := self._take_batch()) is not None:
                self._idle.clear()
                if not self._overtaken.is_set():
                    self._write_patiently(batch)
                if self._batches.empty():
                    self._idle.set()
            if self._rechecks.seconds_left(self._now()) is not None:
                self._match_missed()
        except BaseException as error:  # noqa: BLE001 - reported by the thread that reads
            self._failure = error
        finally:
            self._idle.set()
            if self._connection is not None:
                self._connection.close()

    def _take_batch(self) -> EventBatch | None:
        """Return the next batch, None at the end; join missed labels when a check is due."""
        while True:
            if (seconds := self._rechecks.seconds_left(self._now())) == 0.0:
                self._match_missed()
            with suppress(queue.Empty):
                return self._batches.get(timeout=seconds)

    def _match_missed(self) -> None:
        try:
            self._writer.match_missed(self._connect())
        except Exception as error:  # noqa: BLE001 - the next check finds the same labels
            self._disconnect()
            log.info("labels could not be matched again: %s", explain_refusal(error))
        self._rechecks.advance(self._now())

    def _write_patiently(self, batch: EventBatch) -> None:
        """Store a batch; while the database is unavailable, try again with growing pauses."""
        delay = 0.1
        while True:
            try:
                counts = self._writer.write(self._connect(), batch)
            except Overtaken:
                log.info("partitions went to another instance: their messages are dropped here")
                self._overtaken.set()
                return
            except Exception as error:
                self._disconnect()
                if isinstance(error, ConfigError):
                    raise
                if not is_outage(error):
                    raise LoaderStopped(explain_refusal(error)) from error
                self.outages += 1
                if self._stopping.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 - as above
                    return
                delay = min(2 * delay, _SLOWEST_RETRY_SECONDS)
            else:
                self.counts.add(counts)
                self._rechecks.start(self._now())
                self.committed_at = time.time()
                self._published.put(batch.ends)
                return

    def _connect(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.options.database)
            self._writer.prepare(self._connection)
            self.is_connected = True
        return self._connection

    def _disconnect(self) -> None:
        """Close the connection; the server rolls back its open transaction."""
        self.is_connected = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
