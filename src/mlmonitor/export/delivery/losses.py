"""Describe the data that a process could not deliver before it ended."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.export.delivery.delivery import Delivery

LATE = (
    "rows, labels or figures arrive after close(), which a `with` block calls at its end: they are "
    "dropped and counted; record them before, or create another Monitor"
)
"""Logged once if a monitor is used after it was closed."""


class UnsentEvents(Protocol):
    """The events that wait for one destination, and why its last attempt failed."""

    @property
    def waiting(self) -> int:
        """The number of events that wait."""

    @property
    def last_reason(self) -> str | None:
        """Why the newest attempt failed; None if it succeeded."""


def describe_losses(
    rows: int,
    deliveries: Sequence[Delivery],
    events: EventStatus | None = None,
    webhooks: Mapping[str, UnsentEvents] = MappingProxyType({}),
    *,
    is_delivered: bool,
) -> str:
    """Describe unread rows, undelivered events, and destinations that failed, for the log.

    is_delivered: whether the last export succeeded everywhere; if so, exports are not mentioned.
    """
    losses = [f"{rows:,} rows were not read in time and are dropped"] if rows else []
    unsent = (
        [] if events is None else _describe_waiting(events.waiting, events.sink, events.last_error)
    )
    for name, status in webhooks.items():
        unsent += _describe_waiting(status.waiting, name, status.last_reason)
        if not status.waiting and status.last_reason and not is_delivered:
            unsent.append(f"{name} did not accept an event ({status.last_reason})")
    losses += unsent
    if is_delivered:
        return "; ".join(losses)
    failed = {delivery.name: delivery.status(0.0) for delivery in deliveries}
    reasons = [
        f"{name}: {status.last_reason}" for name, status in failed.items() if not status.is_well
    ]
    if reasons or (deliveries and not unsent):
        why = "; ".join(reasons) or "it did not end in time"
        losses.append(f"the last export was not accepted by every destination ({why})")
    return "; ".join(losses) or "rows and labels were still being counted when the time was up"


def _describe_waiting(waiting: int, destination: str, why: str | None) -> list[str]:
    """Return a phrase about undelivered events of a destination, or nothing if there are none."""
    reason = f" ({why})" if why else ""
    return [f"{waiting:,} events were not delivered to {destination}{reason}"] if waiting else []
