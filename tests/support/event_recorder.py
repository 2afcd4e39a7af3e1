"""An event log in memory, which validates events as readers do."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.event_options import EventOptions
from mlmonitor.formats.events import parse_event


class EventRecorder:
    """A destination of events that stores them; also the sink that it opens."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "redact": (),
            "hashed": (),
            "fields": None,
            "sample": 1.0,
            "ids": "hashed",
            "hash_key": None,
        }
        self.options: EventOptions = EventOptions.check(**(defaults | options))
        self.messages: list[bytes] = []
        self.opened = 0
        self.is_closed = False

    def open(self, source: EventSource) -> "EventRecorder":
        """Return itself as the sink, and count the call."""
        del source
        self.opened += 1
        return self

    def put(self, events: Sequence[Mapping[str, Any]], *, waits: bool = False) -> None:
        """Store events of one schema as bytes, after checking that readers accept them."""
        del waits
        assert len({event["schema"] for event in events}) == 1
        for event in events:
            message = orjson.dumps(event)
            parse_event(message)
            self.messages.append(message)

    def poll(self) -> None:
        """Do nothing."""

    def flush(self, timeout_seconds: float) -> bool:
        """Return True, because everything has been stored."""
        return timeout_seconds >= 0

    def close(self, timeout_seconds: float) -> None:
        """Set `is_closed`."""
        self.is_closed = timeout_seconds >= 0

    def status(self) -> EventStatus:
        """Report all events as delivered."""
        return EventStatus("memory", delivered=len(self.messages))

    def select(self, schema: str) -> list[dict[str, Any]]:
        """Return the events of one schema, in order."""
        contents = [json.loads(message) for message in self.messages]
        return [content for content in contents if content["schema"] == schema]
