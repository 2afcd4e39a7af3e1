"""Describe a snapshot of one model as families: fields as columns, all else as points."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlmonitor import catalog
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.compare.traffic import OTHER_FIELDS
from mlmonitor.export.base import Attributes, Family, Point
from mlmonitor.export.series.alert_families import alert_families
from mlmonitor.export.series.budget import Budget
from mlmonitor.export.series.call_points import call_points, error_points
from mlmonitor.export.series.field_families import population_families
from mlmonitor.export.series.grouping import SnapshotCache, group_points
from mlmonitor.export.series.health_points import health_points, label_points, reference_points
from mlmonitor.export.series.model_points.challenge_points import challenge_points
from mlmonitor.export.series.model_points.figure_points import figure_points
from mlmonitor.export.series.model_points.verdict_points import verdict_points
from mlmonitor.export.series.performance_points import (
    additive_points,
    cohort_points,
    estimated_points,
    objective_points,
    performance_points,
    risk_points,
)
from mlmonitor.gil import yield_gil
from mlmonitor.verdict.verdict import Verdict

if TYPE_CHECKING:
    from mlmonitor.challenge.challenge_status import ChallengeStatus


class Describer:
    """Describes the snapshots of one process as families; each series has the labels `identity`.

    Price: attributes are made once; after that, a snapshot adds only its numbers.
    """

    def __init__(
        self, identity: Attributes, *, has_segments: bool, deviations: float, max_series: int
    ) -> None:
        self._identity, self._has_segments, self._deviations = identity, has_segments, deviations
        self._cache = SnapshotCache()
        self._budget = Budget(max_series)

    def describe(
        self,
        snapshot: ModelSnapshot,
        verdict: Verdict | None = None,
        challenges: "Mapping[str, ChallengeStatus]" = MappingProxyType({}),
    ) -> list[Family]:
        """Return all series of the snapshot, or as many as the budget allows."""
        identity, cache = self._identity, self._cache
        cache.begin_snapshot()
        yield_gil()
        families: list[Family] = []
        for population in snapshot.populations:
            own = within(identity, population.segment) if self._has_segments else identity
            families += population_families(population, own, cache, deviations=self._deviations)
            yield_gil()
            families += alert_families(population, own, cache)
            yield_gil()
        points = [*snapshot_points(snapshot, identity)]
        points += [] if verdict is None else verdict_points(verdict, identity)
        points += challenge_points(challenges, identity)
        families += group_points(points, cache)
        yield_gil()
        kept = self._budget.apply(families)
        return [*kept, *group_points(self._budget.points(identity), cache)]


def snapshot_points(snapshot: ModelSnapshot, identity: Attributes) -> Iterator[Point]:
    """Yield the metrics with few series: calls, labels, errors, reference, and our own health."""
    yield from call_points(snapshot.calls, identity)
    unknown = sum(snapshot.unknown_fields.values())
    if unknown:
        labels = ("field", OTHER_FIELDS), ("role", "feature"), ("quality", "new_category")
        yield Point(catalog.VALUES, (*identity, *labels), unknown)
    yield from label_points(snapshot.labels.counts, identity)
    if snapshot.labels.errors is not None:
        yield from error_points(snapshot.labels.errors, identity)
    if snapshot.labels.performance is not None:
        yield from performance_points(snapshot.labels.performance, identity)
        yield from additive_points(snapshot.labels.performance, identity)
    if snapshot.labels.estimated is not None:
        yield from estimated_points(snapshot.labels.estimated, identity)
    yield from objective_points(snapshot.objectives, identity)
    yield from risk_points(snapshot.labels.risks, identity)
    yield from cohort_points(snapshot.labels.cohorts, identity)
    yield from _build_segment_points(snapshot, identity)
    if snapshot.reference is not None:
        yield from reference_points(snapshot.reference, identity, now=snapshot.time)
    yield from figure_points(snapshot, identity)
    yield from health_points(snapshot, identity)


def within(identity: Attributes, segment: str) -> Attributes:
    """Return the identity with this segment."""
    named = {**dict(identity), catalog.SEGMENT: segment}
    return tuple(named.items())


def _build_segment_points(snapshot: ModelSnapshot, identity: Attributes) -> Iterator[Point]:
    """Yield predictions and errors of each segment; `population_families` covers its fields."""
    for segment in snapshot.segments:
        own = within(identity, segment.name)
        for status, count in (("ok", segment.predictions), ("error", segment.failed)):
            yield Point(catalog.PREDICTIONS, (*own, ("status", status)), count)
        if segment.errors is not None:
            yield from error_points(segment.errors, own)
        if segment.performance is not None:
            yield from performance_points(segment.performance, own)
