"""Points about the model as a whole, and about the monitoring itself."""

from collections.abc import Iterator, Mapping
from typing import get_args

from mlmonitor import catalog
from mlmonitor.compare.incidents.incident import Cause
from mlmonitor.compare.snapshot import ModelSnapshot, ReferenceInfo
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.series.call_points import finite_point


def reference_points(
    reference: ReferenceInfo, identity: Attributes, *, now: float
) -> Iterator[Point]:
    """Yield the model's performance at training, facts about its training, and its age at `now`."""
    for measure, value in reference.training_metrics.items():
        labels = ("measure", measure), ("basis", "reference")
        yield from finite_point(catalog.PERFORMANCE, (*identity, *labels), value)
    training = reference.training
    if training.seconds is not None:
        yield from finite_point(catalog.TRAINING_DURATION, identity, training.seconds)
    if training.rows is not None:
        yield from finite_point(catalog.TRAINING_ROWS, identity, training.rows)
    if training.parent_version is not None:
        parent = (*identity, ("parent.version", training.parent_version))
        yield Point(catalog.TRAINING_PARENT, parent, 1.0)
    if reference.trained_at is not None:
        age = max(now - reference.trained_at.timestamp(), 0.0)
        yield from finite_point(catalog.MODEL_AGE, identity, age)


def label_points(counts: Mapping[str, int], identity: Attributes) -> Iterator[Point]:
    """Yield the number of labels by outcome."""
    for status, count in counts.items():
        yield Point(catalog.LABELS, (*identity, ("status", status)), count)


def health_points(snapshot: ModelSnapshot, identity: Attributes) -> Iterator[Point]:
    """Yield dropped rows, internal errors, incidents, memory, events and outcomes of exports."""
    yield Point(catalog.DROPPED, identity, snapshot.health.dropped)
    yield Point(catalog.FAULTS, identity, snapshot.health.internal_errors)
    causes = [incident.cause for incident in snapshot.incidents]
    for cause in get_args(Cause):
        labels = (*identity, ("cause", cause))
        yield from finite_point(catalog.INCIDENTS, labels, causes.count(cause))
    yield from finite_point(catalog.MEMORY, identity, snapshot.memory_bytes)
    if snapshot.events is not None:
        sink = (*identity, ("sink", snapshot.events.sink))
        for outcome, events in snapshot.events.outcomes.items():
            yield Point(catalog.EVENTS, (*sink, ("outcome", outcome)), events)
    for name, export in snapshot.destinations.items():
        destination = (*identity, ("destination", name))
        yield from finite_point(catalog.HEARTBEAT, destination, 1)
        for outcome, points in export.outcomes.items():
            yield Point(catalog.EXPORT_POINTS, (*destination, ("outcome", outcome)), points)
