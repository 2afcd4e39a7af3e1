"""Sinks, the destinations of events: what each promises, and the counts of its events."""

import threading
from collections.abc import Sequence
from typing import Protocol

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.events.content.event_source import Content, EventSource
from mlmonitor.events.content.prediction_rows import PredictionRows
from mlmonitor.events.event_options import EventOptions


class EventSink(Protocol):
    """A destination of events that is open in one process."""

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Add events of one schema. Never raises; what has no room is dropped and counted.

        waits: whether to wait for room as long as events are delivered: in batch jobs.
        """

    def poll(self) -> None:
        """Do what is due; called about once a second, must not wait."""

    def flush(self, timeout_seconds: float) -> bool:
        """Deliver what waits; return whether everything was delivered in time."""

    def close(self, timeout_seconds: float) -> None:
        """Flush, then drop and count what is left; release everything."""

    def status(self) -> EventStatus:
        """Return the counts so far."""


class EventDestination(Protocol):
    """What a user gives a monitor as `events=`: it opens a sink in each process that needs one."""

    options: EventOptions

    def open(self, source: EventSource) -> EventSink:
        """Open a sink in this process."""


class EventCounter:
    """Counts of one sink, which several threads may add to."""

    def __init__(self, sink: str) -> None:
        self._sink, self._lock = sink, threading.Lock()
        self._counts = {"delivered": 0, "dropped": 0, "refused": 0}
        self.last_error: str | None = None

    def add(self, outcome: str, count: int, error: str | None = None) -> None:
        """Count events with one outcome."""
        with self._lock:
            self._counts[outcome] += count
            if error is not None:
                self.last_error = error

    def status(self, *, waiting: int) -> EventStatus:
        """Return the counts."""
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
    """Return the key of each of some events of one schema: those of one prediction share one."""
    if isinstance(events, PredictionRows):
        return events.prediction_ids
    match events[0]["schema"]:
        case "prediction":
            return [event["prediction_id"] for event in events]
        case "label":
            return [event["prediction_id"] or event["event_id"] for event in events]
        case _:
            return [event["model"] for event in events]
