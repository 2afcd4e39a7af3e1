"""Everything observed of one model: populations by columns, the rest as single points."""

from collections.abc import Iterator, Sequence

from mlmonitor import catalog
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.model_state import OTHER_FIELDS, ModelState
from mlmonitor.export.base import Attributes, Family, Point
from mlmonitor.export.delivery.delivery import Delivery
from mlmonitor.export.series.alert_families import alert_families
from mlmonitor.export.series.budget import Budget
from mlmonitor.export.series.call_points import call_points, error_points
from mlmonitor.export.series.field_families import population_families
from mlmonitor.export.series.grouping import Book, group_points
from mlmonitor.export.series.health_points import label_points, model_points, own_points
from mlmonitor.gil import yield_gil
from mlmonitor.status.build import label_counts


class Describer:
    """Tells all of one process, snapshot after snapshot; `identity` is on each series.

    Price: attributes are made once; after that a snapshot is the numbers alone.
    """

    def __init__(self, identity: Attributes, *, deviations: float, max_series: int) -> None:
        self._identity, self._deviations = identity, deviations
        self._book = Book()
        self._budget = Budget(max_series)

    def families(
        self, observed: ModelState, inbox: Inbox, deliveries: Sequence[Delivery], *, now: float
    ) -> list[Family]:
        """Every series at `now`, as many of them as the budget allows."""
        identity, book = self._identity, self._book
        book.turn()
        found: list[Family] = []
        for population in observed.populations(now=now):
            compared = population.compared(now=now)
            yield_gil()
            of = within(identity, population.segment) if observed.has_segments else identity
            found += population_families(compared, of, book, deviations=self._deviations)
            yield_gil()
            found += alert_families(population, compared, of, book)
            yield_gil()
        found += group_points(observed_points(observed, inbox, deliveries, identity, now=now), book)
        yield_gil()
        kept = self._budget.apply(found)
        return [*kept, *group_points(self._budget.points(identity), book)]


def observed_points(
    observed: ModelState,
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
        known = ("field", OTHER_FIELDS), ("role", "feature"), ("quality", "new_category")
        yield Point(catalog.VALUES, (*identity, *known), unknown)
    yield from label_points(label_counts(observed, inbox), identity)
    if observed.labels is not None:
        yield from error_points(observed.labels.errors, identity)
    yield from _segment_points(observed, identity)
    if observed.watched.reference is not None:
        yield from model_points(observed.watched.reference, identity, now=now)
    yield from own_points(inbox, deliveries, identity, memory_bytes=observed.memory_bytes)


def within(identity: Attributes, segment: str) -> Attributes:
    """The identity of one segment, in place of that of the whole."""
    named = {**dict(identity), catalog.SEGMENT: segment}
    return tuple(named.items())


def _segment_points(observed: ModelState, identity: Attributes) -> Iterator[Point]:
    """Predictions and errors of each segment; what is of fields is told with the fields."""
    segmented, labels = observed.watched.segmented, observed.labels
    if segmented is None:
        return
    tally = segmented.tally
    for place, name in enumerate(tally.names):
        of = within(identity, name)
        for status, counts in (("ok", tally.predictions), ("error", tally.failed)):
            yield Point(catalog.PREDICTIONS, (*of, ("status", status)), int(counts[place]))
        if labels is not None:
            yield from error_points(labels.segment_errors[place], of)
