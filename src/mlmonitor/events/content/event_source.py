"""Who sends events, and the fields that all of them share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from mlmonitor.formats.events import VERSION, clean_text

Content = dict[str, Any]
"""An event as JSON has it; `schema` is its first key."""

BLOCK_EVENTS = 256
"""Events that are built and encoded in one step, so that other threads wait for 1 ms at most."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """Who sends: the model, its version, and this process."""

    model: str
    version: str
    instance: str

    @classmethod
    def named(cls, model: str, version: str, instance: str) -> Self:
        """Build a source with names that every reader can store."""
        return cls(clean_text(model) or "?", clean_text(version), clean_text(instance))

    def envelope(self, schema: str, event_id: str, time: float) -> Content:
        """Return the fields that all events share; `time` in seconds since 1970."""
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
    """Return a time in seconds since 1970 as RFC 3339 in UTC, with microseconds.

    A time outside of the years 1 to 9999 becomes the nearest one inside.
    """
    if not seconds > _FIRST_SECOND:  # also NaN
        return "0001-01-01T00:00:00.000000Z"
    if seconds >= _END_SECOND:
        return "9999-12-31T23:59:59.999999Z"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_FIRST_SECOND = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_END_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
