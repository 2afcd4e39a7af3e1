"""Describe in words what a process lost at its end."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.export.delivery.delivery import Delivery

LATE = (
    "rows, labels or figures arrive after close(), which a `with` block calls at its end: they are "
    "dropped and counted; record them before, or make another Monitor"
)
"""What is logged once of a monitor that is used after its end."""


class UnsentEvents(Protocol):
    """The events that wait for one destination, and why the last one was not accepted."""

    @property
    def waiting(self) -> int:
        """Events that wait."""

    @property
    def last_reason(self) -> str | None:
        """Why the newest attempt failed; None once an event was accepted."""


def describe_losses(
    rows: int,
    deliveries: Sequence[Delivery],
    events: EventStatus | None = None,
    webhooks: Mapping[str, UnsentEvents] = MappingProxyType({}),
    *,
    is_delivered: bool,
) -> str:
    """Describe rows that were not read, events that wait, and destinations that did not accept."""
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
    """Describe events that wait for a destination, if there are any."""
    reason = f" ({why})" if why else ""
    return [f"{waiting:,} events were not delivered to {destination}{reason}"] if waiting else []
