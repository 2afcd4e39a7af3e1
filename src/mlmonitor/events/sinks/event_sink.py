"""The protocols of destinations and sinks of events, and the counts of a sink."""

import threading
from collections.abc import Sequence
from typing import Protocol

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.events.content.event_source import Content, EventSource
from mlmonitor.events.content.prediction_rows import PredictionRows
from mlmonitor.events.event_options import EventOptions


class EventSink(Protocol):
    """An open destination of events, in one process."""

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Add events of one schema; never raises. Without room, they are dropped and counted.

        waits: whether to wait for room while events are being delivered, as batch jobs do.
        """

    def poll(self) -> None:
        """Do periodic work without waiting; called about once a second."""

    def flush(self, timeout_seconds: float) -> bool:
        """Deliver the events that wait; return whether all were delivered in time."""

    def close(self, timeout_seconds: float) -> None:
        """Flush, drop and count the remaining events, and release resources."""

    def status(self) -> EventStatus:
        """Return counts of events by outcome."""


class EventDestination(Protocol):
    """The value of a monitor's `events=`; it opens a sink in each process that sends events."""

    options: EventOptions

    def open(self, source: EventSource) -> EventSink:
        """Open a sink in this process."""


class EventCounter:
    """Counts the events of one sink by outcome; safe for use by several threads."""

    def __init__(self, sink: str) -> None:
        self._sink, self._lock = sink, threading.Lock()
        self._counts = {"delivered": 0, "dropped": 0, "refused": 0}
        self.last_error: str | None = None

    def add(self, outcome: str, count: int, error: str | None = None) -> None:
        """Add `count` events to an outcome, and store the error if there is one."""
        with self._lock:
            self._counts[outcome] += count
            if error is not None:
                self.last_error = error

    def status(self, *, waiting: int) -> EventStatus:
        """Return the counts, with the number of events that wait."""
        with self._lock:
            return EventStatus(
                self._sink,
                delivered=self._counts["delivered"],
                waiting=waiting,
                dropped=self._counts["dropped"],
                refused=self._counts["refused"],
                last_error=self.last_error,
            )


def list_keys(events: Sequence[Content]) -> Sequence[str]:
    """Return the Kafka key of each event: the same for a prediction and its labels."""
    if isinstance(events, PredictionRows):
        return events.prediction_ids
    match events[0]["schema"]:
        case "prediction":
            return [event["prediction_id"] for event in events]
        case "label":
            return [event["prediction_id"] or event["event_id"] for event in events]
        case _:
            return [event["model"] for event in events]
