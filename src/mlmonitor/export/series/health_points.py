"""Points about the model as such, and about the monitoring itself."""

from collections.abc import Iterator, Mapping, Sequence

from mlmonitor import catalog
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.delivery.delivery import Delivery
from mlmonitor.export.series.call_points import finite_point
from mlmonitor.reference.reference import Reference


def model_points(reference: Reference, identity: Attributes, *, now: float) -> Iterator[Point]:
    """The model's age, and its performance as it was told at training."""
    for measure, value in reference.content.training_metrics.items():
        known = (*identity, ("measure", measure), ("basis", "reference"))
        yield from finite_point(catalog.PERFORMANCE, known, value)
    if reference.trained_at is not None:
        age = max(now - reference.trained_at.timestamp(), 0.0)
        yield from finite_point(catalog.MODEL_AGE, identity, age)


def label_points(counts: Mapping[str, int], identity: Attributes) -> Iterator[Point]:
    """Labels by what became of them."""
    for status, count in counts.items():
        yield Point(catalog.LABELS, (*identity, ("status", status)), count)


def own_points(
    inbox: Inbox, deliveries: Sequence[Delivery], identity: Attributes, *, memory_bytes: int
) -> Iterator[Point]:
    """What was dropped and held back, what is held, and what became of earlier exports."""
    dropped = inbox.calls.dropped_rows() + inbox.figures.dropped
    yield Point(catalog.DROPPED, identity, dropped)
    yield Point(catalog.FAULTS, identity, inbox.guard.internal_errors)
    yield from finite_point(catalog.MEMORY, identity, memory_bytes)
    for delivery in deliveries:
        to = (*identity, ("destination", delivery.name))
        yield from finite_point(catalog.HEARTBEAT, to, 1)
        for outcome, points in delivery.outcomes.items():
            yield Point(catalog.EXPORT_POINTS, (*to, ("outcome", outcome)), points)
