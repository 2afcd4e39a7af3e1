"""The number of events in an event log, by outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlmonitor.by_name import ByName, name_entries


@dataclass(frozen=True)
class EventStatus:
    """The events of an event log, counted by outcome.

    delivered: accepted by the broker, the database or the disk.
    waiting: queued or on their way.
    dropped: lost because there was no room or no time left.
    refused: too large, or rejected.
    last_error: why events were last dropped, refused or delayed.
    by_schema: all events so far by schema, such as `prediction`; they add up to the four counts.
    """

    sink: str
    delivered: int = 0
    waiting: int = 0
    dropped: int = 0
    refused: int = 0
    last_error: str | None = None
    by_schema: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name_entries(self, {"by_schema": "schema"})

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Number of events by their final outcome."""
        counts = {"delivered": self.delivered, "dropped": self.dropped, "refused": self.refused}
        return ByName(counts, "outcome")
