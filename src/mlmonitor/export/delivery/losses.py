"""Describe in words what a process lost at its end."""

from collections.abc import Iterable

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.export.delivery.delivery import Delivery

LATE = (
    "rows, labels or figures arrive after close(), which a `with` block calls at its end: they are "
    "dropped and counted; record them before, or make another Monitor"
)
"""What is logged once of a monitor that is used after its end."""


def describe_losses(
    rows: int,
    deliveries: Iterable[Delivery],
    events: EventStatus | None = None,
    *,
    is_delivered: bool,
) -> str:
    """Describe rows that were not read, events that wait, and destinations that did not accept."""
    losses = [f"{rows:,} rows were not read in time and are dropped"] if rows else []
    has_events = events is not None and events.waiting > 0
    if events is not None and has_events:
        reason = f" ({events.last_error})" if events.last_error else ""
        losses.append(f"{events.waiting:,} events were not delivered to {events.sink}{reason}")
    if not is_delivered:
        failed = {delivery.name: delivery.status(0.0) for delivery in deliveries}
        reasons = [
            f"{name}: {status.last_reason}" for name, status in failed.items() if not status.is_well
        ]
        why = "; ".join(reasons) or "it did not end in time"
        if reasons or not has_events:
            losses.append(f"the last export was not accepted by every destination ({why})")
    return "; ".join(losses)
