"""A Kafka producer in one process, and the counts of its messages."""

import ctypes
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.errors import MonitorError
from mlmonitor.events.content.event_source import Content
from mlmonitor.events.sinks.client_settings import describe_error, reveal
from mlmonitor.events.sinks.event_encoder import EventEncoder
from mlmonitor.events.sinks.event_sink import EventCounter, list_keys
from mlmonitor.formats.events import EVENT_MODELS, VERSION
from mlmonitor.secret import Secret

_WAIT_SECONDS = 10.0  # a batch job stops waiting after this time without any delivery
_WAIT_STEP_SECONDS = 0.02
_PURGE_SECONDS = 2.0  # time for the client's threads to report purged messages
_ANY_PARTITION = -1  # the key decides the partition


class KafkaSink:
    """Sends events through a Kafka producer that belongs to one process.

    The client's object is protected from garbage collection: in a forked child its threads do not
    exist, and destroying the child's copy would wait for them forever.
    """

    def __init__(
        self, kafka: Any, settings: Mapping[str, Any], topic: str, encoder: EventEncoder
    ) -> None:
        self._kafka, self._topic, self._encoder = kafka, topic, encoder
        self._settings = dict(settings)
        self._secrets = [value for value in settings.values() if isinstance(value, Secret)]
        self._counter = EventCounter("kafka")
        # None for predictions: a header would add a fifth to the worker's time for an event.
        self._headers: dict[str, list[tuple[str, bytes]] | None] = {
            schema: [("schema", f"{schema}/{VERSION}".encode())] for schema in EVENT_MODELS
        } | {"prediction": None}
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._produced = self._failed = self._delivered = 0
        self._is_fatal = False
        self._producer = self._start()

    def _start(self) -> Any:
        producer = self._kafka.Producer(reveal(self._settings), error_cb=self._note_error)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
        return producer

    def _note_error(self, error: Any) -> None:
        """Store an error that the client reports; unless it is fatal, the client tries again."""
        self._counter.last_error = describe_error(error, self._secrets)
        self._is_fatal = self._is_fatal or bool(error.fatal())

    def _report(self, error: Any, _message: Any) -> None:
        """Count a message that could not be delivered, unless the producer was closed."""
        with self._lock:
            if self._producer is None:
                return None
            self._failed += 1
        errors = self._kafka.KafkaError
        if error.code() in (errors._PURGE_QUEUE, errors._PURGE_INFLIGHT):  # noqa: SLF001 - of the client
            return self._counter.add("dropped", 1)  # the reason was an earlier error
        is_late = error.code() == errors._MSG_TIMED_OUT  # noqa: SLF001 - as above
        reason = describe_error(error, self._secrets)
        return self._counter.add("dropped" if is_late else "refused", 1, reason)

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Pass events to the client; if its queue is full, drop and count them."""
        if self._producer is None:
            self._counter.add("dropped", len(events))
            return
        try:
            messages = self._encoder.encode(events)
        except Exception as error:  # noqa: BLE001 - such as a registry that does not answer
            reason = str(error) if isinstance(error, MonitorError) else type(error).__name__
            self._counter.add("dropped", len(events), f"encoding: {reason}")
            return
        with self._lock:  # so that no other thread replaces the producer
            self._produce(events, messages, waits=waits)
            self._producer.poll(0)

    def _produce(
        self, events: Sequence[Content], messages: Sequence[bytes], *, waits: bool
    ) -> None:
        """Pass messages of one schema to the client, in order."""
        produce, topic, report = self._producer.produce, self._topic, self._report
        headers, keys = self._headers[events[0]["schema"]], list_keys(events)
        place = refused = 0
        while place < len(messages):
            try:
                for message, key in zip(messages[place:], keys[place:], strict=True):
                    if headers is None:  # positional: keywords would add a third to the call
                        produce(topic, message, key, _ANY_PARTITION, report)
                    else:
                        produce(topic, message, key, headers=headers, on_delivery=report)
                    place += 1
            except BufferError:
                if not (waits and self._wait_for_room()):
                    break
            except Exception as error:  # noqa: BLE001 - one message; the others are still sent
                reason = describe_error(error.args[0] if error.args else error, self._secrets)
                self._counter.add("refused", 1, reason)
                refused += 1
                place += 1
        self._produced += place - refused
        if place < len(messages):
            self._counter.add("dropped", len(messages) - place, "the client's queue is full")

    def _wait_for_room(self) -> bool:
        """Wait until the client has delivered a message; return False if it did not in time."""
        before, deadline = len(self._producer), time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            self._producer.poll(_WAIT_STEP_SECONDS)
            if len(self._producer) < before:
                return True
        return False

    def poll(self) -> None:
        """Let the client report failures; replace it after a fatal error."""
        if self._producer is None:
            return
        self._producer.poll(0)
        if self._is_fatal:
            with self._lock:
                self._restart()

    def _restart(self) -> None:
        """Replace the producer after a fatal error; drop and count the events that wait."""
        self._end_producer()
        self._is_fatal = False
        self._producer = self._start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait at most this long for delivery; return whether all events were delivered."""
        if self._producer is None:
            return True
        self._producer.flush(max(timeout_seconds, 0.0))
        return len(self._producer) == 0

    def close(self, timeout_seconds: float) -> None:
        """Flush, then drop and count the remaining events; in a forked child, do nothing."""
        if self._producer is not None and os.getpid() == self._pid:
            self.flush(timeout_seconds)
            with self._lock:
                self._end_producer()

    def _end_producer(self) -> None:
        """Purge undelivered messages and close the client; count unreported messages as dropped."""
        producer = self._producer
        self._update_delivered()
        producer.purge()
        deadline = time.monotonic() + _PURGE_SECONDS
        while len(producer) and time.monotonic() < deadline:  # messages are reported one by one
            producer.poll(_WAIT_STEP_SECONDS)
        self._update_delivered()
        unreported = self._produced - self._failed - self._delivered
        if unreported:
            self._failed += unreported
            self._counter.add("dropped", unreported)
        self._producer = None
        producer.close()
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(producer))

    def _update_delivered(self) -> int:
        """Update the number of delivered messages; return the number that wait.

        Messages that neither wait nor failed were delivered. The client counts a failure as waiting
        until its report is read, so the number of delivered messages is never too large.
        """
        with self._lock:
            waiting = 0 if self._producer is None else len(self._producer)
            delivered = self._produced - self._failed - waiting
            if delivered > self._delivered:
                self._counter.add("delivered", delivered - self._delivered)
                self._delivered = delivered
            return waiting

    def status(self) -> EventStatus:
        """Return counts of events by outcome."""
        producer = self._producer
        if producer is not None:  # without the lock, which a waiting `put` may hold
            producer.poll(0)
        return self._counter.status(waiting=self._update_delivered())
