"""What is found beside drift as families: contributions, shares of bad values, broken rules."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.drift.decomposition import Shift, ShiftDecomposition
from mlmonitor.compare.model_state import OTHER_FIELDS
from mlmonitor.compare.population import Compared, Population
from mlmonitor.compare.quality.field_quality import FieldQuality
from mlmonitor.compare.quality.new_fields import NEW_FIELD
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.export.base import Attributes, Family, Series
from mlmonitor.export.series.grouping import Book
from mlmonitor.records import Role

_Title = tuple[tuple[str, str], ...]


def alert_families(
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
    why: ShiftDecomposition, shift: Shift | None, identity: Attributes, book: Book
) -> Iterator[Family]:
    def titles() -> Iterator[_Title]:
        for name in why.fields:
            yield (*_of_field(name, Role.FEATURE), ("prediction", why.prediction))

    series = _series("contributions", why, identity, book, titles)
    found = {} if shift is None else {each.field: each for each in shift.contributions}
    told = [found.get(name) for name in why.fields]
    mix = [np.nan if each is None else each.mix for each in told]
    threshold = [np.nan if each is None else each.threshold for each in told]
    yield Family(catalog.DRIFT_CONTRIBUTION, series, np.array(mix, np.float64))
    yield Family(catalog.DRIFT_CONTRIBUTION_THRESHOLD, series, np.array(threshold, np.float64))


def _quality(
    soundness: FieldQuality, compared: Compared, identity: Attributes, book: Book
) -> Iterator[Family]:
    fields, new = compared.plan.schema.fields, soundness.new_fields

    def of_shares() -> Iterator[_Title]:
        for each in soundness.streams:
            yield *_of_field(*fields[each.at][:2]), ("reason", each.quality.value)

    def of_alerts() -> Iterator[_Title]:
        for at, measure in soundness.alert_keys:
            yield *_of_field(*fields[at][:2]), ("reason", measure)
        if new is not None:
            yield *_of_field(OTHER_FIELDS, Role.FEATURE), ("reason", NEW_FIELD)

    shares = soundness.shares(compared.view.profile)
    series = _series("shares", soundness, identity, book, of_shares)
    yield Family(catalog.QUALITY_SHARE, series, shares.share)
    yield Family(catalog.QUALITY_THRESHOLD, series, shares.critical)
    raised = soundness.raised.astype(np.float64)
    if new is not None:
        raised = np.append(raised, float(new > 0))
    series = _series("alerts", soundness, identity, book, of_alerts)
    yield Family(catalog.QUALITY_ALERT, series, raised)


def _rules(rules: Rules, identity: Attributes, book: Book) -> Iterator[Family]:
    told = list(rules.told())
    if not told:
        return

    def titles(name: str) -> Iterator[_Title]:
        for rule, _, _ in told:
            yield *_of_field(rule.field.name, rule.field.role), (name, rule.constraint)

    series = _series("violations", rules, identity, book, lambda: titles("constraint"))
    yield Family(catalog.VIOLATIONS, series, np.array([count for _, count, _ in told], np.int64))
    series = _series("broken", rules, identity, book, lambda: titles("reason"))
    yield Family(catalog.QUALITY_ALERT, series, np.array([float(broken) for *_, broken in told]))


def _of_field(name: str, role: Role) -> _Title:
    return ("field", name), ("role", role.value)


def _series(
    kind: str,
    owner: object,
    identity: Attributes,
    book: Book,
    titles: Callable[[], Iterable[_Title]],
) -> Series:
    """The series of what `owner` tells; its titles are made once, for they never change."""
    known = book.find((kind, identity))
    if known is None or known[0] is not owner:
        known = book.keep(
            (kind, identity), (owner, Series((*identity, *title) for title in titles()))
        )
    series: Series = known[1]
    return series
