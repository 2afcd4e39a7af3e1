"""Families of drift contributions, shares of defects and broken rules, with their alerts."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.plan import Plan
from mlmonitor.compare.drift.decomposition import ExplainedBy, Shift
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.quality.field_quality import QualitySnapshot
from mlmonitor.compare.quality.new_fields import NEW_FIELD
from mlmonitor.compare.quality.rules import RuleResult
from mlmonitor.compare.traffic import OTHER_FIELDS
from mlmonitor.export.base import Attributes, Family, Series
from mlmonitor.export.series.grouping import SnapshotCache
from mlmonitor.records import Field, Role

_Labels = tuple[tuple[str, str], ...]


def alert_families(
    population: PopulationSnapshot, identity: Attributes, cache: SnapshotCache
) -> Iterator[Family]:
    """Yield contributions, quality and rules of one population; `cache` stores their attributes."""
    if population.quality is not None:
        fields = population.plan.schema.fields
        yield from _describe_quality(population.quality, fields, identity, cache)
    if population.explained_by is not None:
        yield from _describe_contributions(
            population.explained_by, population.shift, identity, cache
        )
    if population.rules:
        yield from _describe_rules(population.rules, population.plan, identity, cache)


def _describe_contributions(
    explained_by: ExplainedBy, shift: Shift | None, identity: Attributes, cache: SnapshotCache
) -> Iterator[Family]:
    def labels() -> Iterator[_Labels]:
        for name in explained_by.features:
            yield (*_make_field_labels(name, Role.FEATURE), ("prediction", explained_by.prediction))

    series = _find_series("contributions", explained_by, identity, cache, labels)
    by_field = (
        {}
        if shift is None
        else {contribution.field: contribution for contribution in shift.contributions}
    )
    contributions = [by_field.get(name) for name in explained_by.features]
    mix = [np.nan if contribution is None else contribution.mix for contribution in contributions]
    threshold = [
        np.nan if contribution is None else contribution.threshold for contribution in contributions
    ]
    yield Family(catalog.DRIFT_CONTRIBUTION, series, np.array(mix, np.float64))
    yield Family(catalog.DRIFT_CONTRIBUTION_THRESHOLD, series, np.array(threshold, np.float64))


def _describe_quality(
    quality: QualitySnapshot,
    fields: Sequence[Field],
    identity: Attributes,
    cache: SnapshotCache,
) -> Iterator[Family]:
    new = quality.new_fields

    def share_labels() -> Iterator[_Labels]:
        for defect in quality.defects:
            field = fields[defect.place]
            yield *_make_field_labels(field.name, field.role), ("reason", defect.quality.value)

    def alert_labels() -> Iterator[_Labels]:
        for place, measure in quality.alert_keys:
            yield *_make_field_labels(fields[place].name, fields[place].role), ("reason", measure)
        if new is not None:
            yield *_make_field_labels(OTHER_FIELDS, Role.FEATURE), ("reason", NEW_FIELD)

    series = _find_series("shares", quality.defects, identity, cache, share_labels)
    yield Family(catalog.QUALITY_SHARE, series, quality.shares)
    yield Family(catalog.QUALITY_THRESHOLD, series, quality.thresholds)
    firing = quality.is_firing.astype(np.float64)
    if new is not None:
        firing = np.append(firing, float(new > 0))
    series = _find_series("alerts", quality.alert_keys, identity, cache, alert_labels)
    yield Family(catalog.QUALITY_ALERT, series, firing)


def _describe_rules(
    results: Sequence[RuleResult], plan: Plan, identity: Attributes, cache: SnapshotCache
) -> Iterator[Family]:
    def labels(name: str) -> Iterator[_Labels]:
        for result in results:
            field = result.rule.field
            yield *_make_field_labels(field.name, field.role), (name, result.rule.constraint)

    violations = np.array([result.violations for result in results], np.int64)
    firing = np.array([float(result.is_firing) for result in results])
    series = _find_series("violations", plan, identity, cache, lambda: labels("constraint"))
    yield Family(catalog.VIOLATIONS, series, violations)
    series = _find_series("broken", plan, identity, cache, lambda: labels("reason"))
    yield Family(catalog.QUALITY_ALERT, series, firing)


def _make_field_labels(name: str, role: Role) -> _Labels:
    return ("field", name), ("role", role.value)


def _find_series(
    kind: str,
    owner: object,
    identity: Attributes,
    cache: SnapshotCache,
    labels: Callable[[], Iterable[_Labels]],
) -> Series:
    """Return the cached series of `owner`, or build them if `owner` has changed."""
    entry = cache.find((kind, identity))
    if entry is None or entry[0] is not owner:
        series = Series((*identity, *label) for label in labels())
        entry = cache.keep((kind, identity), (owner, series))
    cached: Series = entry[1]
    return cached
