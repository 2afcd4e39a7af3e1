"""What is found beside drift as points: contributions, shares of bad values, broken rules."""

from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.compare.newcomers import NEW_FIELD
from mlmonitor.compare.observed import OTHER_FIELDS
from mlmonitor.compare.population import Compared, Population
from mlmonitor.compare.why import Shift
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.points import gauge
from mlmonitor.records import Role


def finding_points(
    population: Population, compared: Compared, identity: Attributes
) -> Iterator[Point]:
    """Everything found about one population, beside the distances of its fields."""
    if compared.shift is not None:
        yield from _contributions(compared.shift, identity)
    yield from _quality(population, compared, identity)
    yield from _violations(population, identity)


def _contributions(shift: Shift, identity: Attributes) -> Iterator[Point]:
    for each in shift.contributions:
        known = (*identity, ("field", each.field), ("prediction", shift.prediction))
        yield from gauge(catalog.DRIFT_CONTRIBUTION, known, each.mix)
        yield from gauge(catalog.DRIFT_CONTRIBUTION_CRITICAL, known, each.by_chance)


def _quality(population: Population, compared: Compared, identity: Attributes) -> Iterator[Point]:
    soundness = population.soundness
    if soundness is None:
        return
    fields = compared.plan.schema.fields
    shares = soundness.shares(compared.view.profile)
    pairs = zip(shares.share.tolist(), shares.critical.tolist(), strict=True)
    alarms = soundness.alarms
    for stream, (share, critical) in zip(soundness.streams, pairs, strict=True):
        field = fields[stream.at]
        known = (*identity, ("field", field.name), ("role", field.role.value))
        named = (*known, ("reason", stream.quality.value))
        yield from gauge(catalog.QUALITY_SHARE, named, share)
        yield from gauge(catalog.QUALITY_CRITICAL, named, critical)
    for alarm in alarms:
        field = fields[alarm.at]
        known = (*identity, ("field", field.name), ("role", field.role.value))
        yield from gauge(
            catalog.QUALITY_ALARM, (*known, ("reason", alarm.measure)), float(alarm.is_raised)
        )
    if soundness.new_fields is not None:
        known = (*identity, ("field", OTHER_FIELDS), ("role", Role.FEATURE.value))
        named = (*known, ("reason", NEW_FIELD))
        yield from gauge(catalog.QUALITY_ALARM, named, float(soundness.new_fields > 0))


def _violations(population: Population, identity: Attributes) -> Iterator[Point]:
    rules = population.rules
    if rules is None:
        return
    for rule, count, is_broken in rules.told():
        known = (*identity, ("field", rule.field.name), ("role", rule.field.role.value))
        named = (*known, ("constraint", rule.constraint))
        yield Point(catalog.VIOLATIONS, named, count)
        yield from gauge(
            catalog.QUALITY_ALARM, (*known, ("reason", rule.constraint)), float(is_broken)
        )
