"""The sender of events, and the fields that all events share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from mlmonitor.formats.events import VERSION, clean_text

Content = dict[str, Any]
"""An event as a dictionary for JSON; `schema` is its first key."""

BLOCK_EVENTS = 256
"""Events built and encoded in one step; few, so that other threads wait at most 1 ms."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """The sender of events: the model, its version, and this process."""

    model: str
    version: str
    instance: str

    @classmethod
    def named(cls, model: str, version: str, instance: str) -> Self:
        """Build a source; names are changed if needed, so that every reader can store them."""
        return cls(clean_text(model) or "?", clean_text(version), clean_text(instance))

    def envelope(self, schema: str, event_id: str, time: float) -> Content:
        """Return the fields that all events share; `time` is in seconds since 1970."""
        return {
            "schema": schema,
            "schema_version": VERSION,
            "event_id": event_id,
            "time": format_time(time),
            "model": self.model,
            "model_version": self.version,
            "instance": self.instance,
        }


def format_time(seconds: float) -> str:
    """Format a time in seconds since 1970 by RFC 3339, in UTC with microseconds.

    A time outside the years 1 to 9999 is replaced by the nearest time inside, NaN by the first.
    """
    if not seconds > _FIRST_SECOND:  # also NaN
        return "0001-01-01T00:00:00.000000Z"
    if seconds >= _END_SECOND:
        return "9999-12-31T23:59:59.999999Z"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_FIRST_SECOND = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_END_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
