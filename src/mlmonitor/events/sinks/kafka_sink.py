"""A producer of Kafka in one process, and the counts of its messages."""

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

_WAIT_SECONDS = 10.0  # without any delivery, after which a batch job waits no longer
_WAIT_STEP_SECONDS = 0.02
_PURGE_SECONDS = 2.0  # for the client's threads to report what they gave up
_ANY_PARTITION = -1  # the one of the key


class KafkaSink:
    """A producer of one process.

    The client's own object is never destroyed by the garbage collector: a forked child has a copy
    of it without its threads, and would wait for them for ever.
    """

    def __init__(
        self, kafka: Any, settings: Mapping[str, Any], topic: str, encoder: EventEncoder
    ) -> None:
        self._kafka, self._topic, self._encoder = kafka, topic, encoder
        self._settings = dict(settings)
        self._secrets = [value for value in settings.values() if isinstance(value, Secret)]
        self._counter = EventCounter("kafka")
        # None for predictions: a header would cost a fifth of what an event costs in the worker.
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
        """Keep what the client reports; its own attempts go on, unless the error is fatal."""
        self._counter.last_error = describe_error(error, self._secrets)
        self._is_fatal = self._is_fatal or bool(error.fatal())

    def _report(self, error: Any, _message: Any) -> None:
        """Count a message that could not be delivered, unless its producer has ended."""
        with self._lock:
            if self._producer is None:
                return None
            self._failed += 1
        errors = self._kafka.KafkaError
        if error.code() in (errors._PURGE_QUEUE, errors._PURGE_INFLIGHT):  # noqa: SLF001 - of the client
            return self._counter.add("dropped", 1)  # the reason is why it was still there
        is_late = error.code() == errors._MSG_TIMED_OUT  # noqa: SLF001 - as above
        reason = describe_error(error, self._secrets)
        return self._counter.add("dropped" if is_late else "refused", 1, reason)

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Hand events to the client; those without room are dropped and counted."""
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
        """Hand over messages of one schema, in order."""
        produce, topic, report = self._producer.produce, self._topic, self._report
        headers, keys = self._headers[events[0]["schema"]], list_keys(events)
        place = refused = 0
        while place < len(messages):
            try:
                for message, key in zip(messages[place:], keys[place:], strict=True):
                    if headers is None:  # by place: names cost a third of the call
                        produce(topic, message, key, _ANY_PARTITION, report)
                    else:
                        produce(topic, message, key, headers=headers, on_delivery=report)
                    place += 1
            except BufferError:
                if not (waits and self._wait_for_room()):
                    break
            except Exception as error:  # noqa: BLE001 - one message; the others are handed over
                reason = describe_error(error.args[0] if error.args else error, self._secrets)
                self._counter.add("refused", 1, reason)
                refused += 1
                place += 1
        self._produced += place - refused
        if place < len(messages):
            self._counter.add("dropped", len(messages) - place, "the client's queue is full")

    def _wait_for_room(self) -> bool:
        """Wait until the client has delivered something; return whether it has."""
        before, deadline = len(self._producer), time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            self._producer.poll(_WAIT_STEP_SECONDS)
            if len(self._producer) < before:
                return True
        return False

    def poll(self) -> None:
        """Let the client report failures; start again after a fatal one."""
        if self._producer is None:
            return
        self._producer.poll(0)
        if self._is_fatal:
            with self._lock:
                self._restart()

    def _restart(self) -> None:
        """Replace a producer that can send no more; its waiting events are dropped and counted."""
        self._end_producer()
        self._is_fatal = False
        self._producer = self._start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything is delivered, for at most this long."""
        if self._producer is None:
            return True
        self._producer.flush(max(timeout_seconds, 0.0))
        return len(self._producer) == 0

    def close(self, timeout_seconds: float) -> None:
        """Flush; drop and count what is left."""
        if self._producer is not None and os.getpid() == self._pid:
            self.flush(timeout_seconds)
            with self._lock:
                self._end_producer()

    def _end_producer(self) -> None:
        """Give up what is not delivered; what the client does not report in time is dropped."""
        producer = self._producer
        self._update_delivered()
        producer.purge()
        deadline = time.monotonic() + _PURGE_SECONDS
        while len(producer) and time.monotonic() < deadline:  # its threads report one by one
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
        """Return how many messages wait; what neither waits nor failed is delivered.

        The client counts its own reports as waiting until they are read, so that the number of
        delivered ones is too small for a moment, and never too large.
        """
        with self._lock:
            waiting = 0 if self._producer is None else len(self._producer)
            delivered = self._produced - self._failed - waiting
            if delivered > self._delivered:
                self._counter.add("delivered", delivered - self._delivered)
                self._delivered = delivered
            return waiting

    def status(self) -> EventStatus:
        """Return the counts so far."""
        producer = self._producer
        if producer is not None:  # outside of the lock: a batch that waits for room holds it
            producer.poll(0)
        return self._counter.status(waiting=self._update_delivered())
