"""What is found beside drift as families: contributions, shares of bad values, broken rules."""

from collections.abc import Iterator, Sequence

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.constraints import Rules
from mlmonitor.compare.newcomers import NEW_FIELD
from mlmonitor.compare.observed import OTHER_FIELDS
from mlmonitor.compare.population import Compared, Population
from mlmonitor.compare.quality import Soundness
from mlmonitor.compare.why import Shift, Why
from mlmonitor.export.base import Attributes, Family, Series
from mlmonitor.export.gather import Book
from mlmonitor.records import Role

_Titles = Sequence[tuple[tuple[str, str], ...]]


def finding_families(
    population: Population, compared: Compared, identity: Attributes, book: Book
) -> Iterator[Family]:
    """Everything found about one population; `book` keeps the attributes."""
    if population.soundness is not None:
        yield from _quality(population.soundness, compared, identity, book)
    if population.why is not None:
        yield from _contributions(population.why, compared.shift, identity, book)
    if population.rules is not None:
        yield from _rules(population.rules, identity, book)


def _contributions(
    why: Why, shift: Shift | None, identity: Attributes, book: Book
) -> Iterator[Family]:
    prediction = ("prediction", why.prediction)
    titles = [(*_of_field(name, Role.FEATURE), prediction) for name in why.fields]
    series = _series("contributions", titles, identity, book)
    found = {} if shift is None else {each.field: each for each in shift.contributions}
    told = [found.get(name) for name in why.fields]
    mix = [np.nan if each is None else each.mix for each in told]
    by_chance = [np.nan if each is None else each.by_chance for each in told]
    yield Family(catalog.DRIFT_CONTRIBUTION, series, np.array(mix, np.float64))
    yield Family(catalog.DRIFT_CONTRIBUTION_CRITICAL, series, np.array(by_chance, np.float64))


def _quality(
    soundness: Soundness, compared: Compared, identity: Attributes, book: Book
) -> Iterator[Family]:
    fields = compared.plan.schema.fields
    of_fields = [_of_field(field.name, field.role) for field in fields]
    titles = [(*of_fields[each.at], ("reason", each.quality.value)) for each in soundness.streams]
    series = _series("shares", titles, identity, book)
    shares = soundness.shares(compared.view.profile)
    yield Family(catalog.QUALITY_SHARE, series, shares.share)
    yield Family(catalog.QUALITY_CRITICAL, series, shares.critical)
    alarms = soundness.alarms
    titles = [(*of_fields[each.at], ("reason", each.measure)) for each in alarms]
    raised = [float(each.is_raised) for each in alarms]
    if soundness.new_fields is not None:
        titles.append((*_of_field(OTHER_FIELDS, Role.FEATURE), ("reason", NEW_FIELD)))
        raised.append(float(soundness.new_fields > 0))
    series = _series("alarms", titles, identity, book)
    yield Family(catalog.QUALITY_ALARM, series, np.array(raised))


def _rules(rules: Rules, identity: Attributes, book: Book) -> Iterator[Family]:
    told = list(rules.told())
    if not told:
        return
    of_fields = [_of_field(rule.field.name, rule.field.role) for rule, _, _ in told]
    names = [rule.constraint for rule, _, _ in told]
    pairs = list(zip(of_fields, names, strict=True))
    titles = [(*of, ("constraint", name)) for of, name in pairs]
    series = _series("violations", titles, identity, book)
    yield Family(catalog.VIOLATIONS, series, np.array([count for _, count, _ in told], np.int64))
    titles = [(*of, ("reason", name)) for of, name in pairs]
    series = _series("broken", titles, identity, book)
    yield Family(catalog.QUALITY_ALARM, series, np.array([float(broken) for *_, broken in told]))


def _of_field(name: str, role: Role) -> tuple[tuple[str, str], ...]:
    return ("field", name), ("role", role.value)


def _series(kind: str, titles: _Titles, identity: Attributes, book: Book) -> Series:
    """The series of these titles, made anew only when they change."""
    attributes = tuple((*identity, *title) for title in titles)
    series = book.find((kind, identity))
    if not isinstance(series, Series) or series.attributes != attributes:
        series = Series(attributes)
    book.keep((kind, identity), series)
    return series
