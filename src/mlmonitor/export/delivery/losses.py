"""Describe in words what a process lost at its end."""

from collections.abc import Iterable

from mlmonitor.export.delivery.delivery import Delivery


def describe_losses(rows: int, deliveries: Iterable[Delivery], *, is_delivered: bool) -> str:
    """Describe recorded rows that were not read, and destinations that did not accept the rest."""
    losses = [f"{rows:,} rows were not read in time and are dropped"] if rows else []
    if not is_delivered:
        failed = {each.name: each.status(0.0) for each in deliveries}
        reasons = [
            f"{name}: {status.last_reason}" for name, status in failed.items() if not status.is_well
        ]
        why = "; ".join(reasons) or "it did not end in time"
        losses.append(f"the last export was not accepted by every destination ({why})")
    return "; ".join(losses)
