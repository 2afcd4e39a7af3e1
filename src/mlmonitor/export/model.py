"""Everything observed of one model: populations by columns, the rest as single points."""

from collections.abc import Iterator, Sequence

from mlmonitor import catalog
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.observed import OTHER_FIELDS, Observed
from mlmonitor.compare.report import label_counts
from mlmonitor.export.base import Attributes, Family, Point
from mlmonitor.export.delivery import Delivery
from mlmonitor.export.families import population_families
from mlmonitor.export.gather import Book
from mlmonitor.export.health import label_points, model_points, own_points
from mlmonitor.export.points import call_points, error_points


def observed_families(
    observed: Observed, identity: Attributes, book: Book, *, deviations: float, now: float
) -> Iterator[Family]:
    """Every field of every population at `now`; `identity` is on each series."""
    for population in observed.populations(now=now):
        compared = population.compared(now=now)
        yield from population_families(compared, identity, book, deviations=deviations)


def observed_points(
    observed: Observed,
    inbox: Inbox,
    deliveries: Sequence[Delivery],
    identity: Attributes,
    *,
    now: float,
) -> Iterator[Point]:
    """All that there are few of: calls, labels, errors, the model, and our own health."""
    yield from call_points(observed.calls, identity)
    unknown = sum(observed.unknown().values())
    if unknown:
        known = ("field", OTHER_FIELDS), ("role", "feature"), ("quality", "unseen")
        yield Point(catalog.VALUES, (*identity, *known), unknown)
    yield from label_points(label_counts(observed, inbox), identity)
    if observed.labels is not None:
        yield from error_points(observed.labels.errors, identity)
    if observed.watched.reference is not None:
        yield from model_points(observed.watched.reference, identity, now=now)
    yield from own_points(inbox, deliveries, identity, memory_bytes=observed.memory_bytes)
