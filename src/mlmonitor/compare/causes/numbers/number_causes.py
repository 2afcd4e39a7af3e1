"""The common cause of alerts on numeric features, from the quantiles of the changed rows.

Each function returns None if it does not recognise its cause.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.change_sample import ShownRows
from mlmonitor.compare.causes.common_cause import UNKNOWN_ADVICE, CommonCause, join_fields
from mlmonitor.compare.causes.numbers.change_fits import join_rows
from mlmonitor.compare.causes.numbers.few_values import describe_few
from mlmonitor.compare.causes.numbers.mixtures import measure_point
from mlmonitor.compare.causes.numbers.number_changes import (
    describe_change,
    describe_spread,
    has_same_change,
)
from mlmonitor.compare.causes.numbers.number_words import FieldTraits, NumberChange
from mlmonitor.compare.causes.numbers.swaps import (
    RANKS,
    are_swapped,
    find_filler,
    find_swapped_part,
)
from mlmonitor.compare.population import Population
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import short
from mlmonitor.gil import yield_gil
from mlmonitor.records import Floats
from mlmonitor.reference.disclosure import LEAST_ROWS

_FINE_RANKS = np.linspace(0, 1, 201)
_SAME_SHARE = 0.5  # largest relative difference of the shares filled and no longer missing
_LEAST_STUCK = 0.15
_MOST_COMPARED = 20  # fields whose pairs are compared
_MOST_SEARCHED = 5  # fields that are searched for a changed part: 10 ms each
_NEARLY_ALL = 0.9
_SAME_PART = 0.15  # largest difference of the changed shares of two fields that changed alike


class _ChangedFeature(NamedTuple):
    """A numeric feature with an alert.

    rows: the number of its valid values. worth: the effective number of rows of the comparison with
    the reference, see `join_rows`.
    """

    place: int
    entry: NumericReference
    rows: int
    worth: float


def find_number_cause(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Return how numeric features changed: filled, swapped, scaled, shifted or stuck; or None."""
    features = _list_changed(alerts, population, shown)
    if not features:
        return None
    for recognise in (_find_filled, _find_swapped, _find_moved, _find_partly_stuck):
        cause = recognise(features, shown)
        if cause is not None:
            return cause
    return None


def _list_changed(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> list[_ChangedFeature]:
    """Return the numeric features of alerts that have values to compare."""
    valid = shown.profile.bins.sum(axis=1)
    rows = np.zeros(len(population.plan.schema))
    rows[: valid.size] = valid
    dependence = population.dependence
    effects = np.ones(rows.size) if dependence is None else dependence.at(rows)
    return [
        _ChangedFeature(
            place,
            entry,
            int(valid[place]),
            join_rows(rows[place], float(sum(entry.counts))) / float(effects[place]),
        )
        for place in locate_fields(alerts, population)
        if isinstance(entry := population.entries[place], NumericReference)
        and entry.quantiles
        and entry.role == "feature"
        and not entry.is_unrepeated
        and valid[place]
    ]


def locate_fields(alerts: Sequence[Alert], population: Population) -> list[int]:
    """Return the indices of the alerts' fields in the population's schema."""
    keys = {(alert.role, alert.field) for alert in alerts}
    fields = population.plan.schema.fields
    return [place for place, field in enumerate(fields) if (field.role, field.name) in keys]


def _find_filled(features: Sequence[_ChangedFeature], shown: ShownRows) -> CommonCause | None:
    """Detect a filler outside the range, in too many rows to be one individual's value."""
    quantiles: dict[int, Floats] = {}  # of all fields, by the number of steps
    for place, entry, valid, _ in features:
        rows = int(shown.profile.quality[place].sum())
        steps = min(2 * valid // LEAST_ROWS, 200)  # two steps are `LEAST_ROWS` rows
        if entry.min is None or entry.max is None or steps < 4:
            continue
        ranks = np.linspace(0, 1, steps + 1)
        if steps not in quantiles:
            quantiles[steps] = shown.shapes.digests.quantile(ranks)
        now = quantiles[steps][place]
        value = find_filler(_read_quantiles(entry, ranks), now, low=entry.min, high=entry.max)
        if value is None:
            continue
        filled = float(np.mean(now == value)) * valid / rows
        # The share of values that are no longer missing, unlike in the reference.
        absent = entry.missing / max(entry.rows, 1) - (1 - valid / rows)
        is_recoded = absent > 0 and abs(absent - filled) <= _SAME_SHARE * filled
        what = "missing values coded as" if is_recoded else "part of the values filled with"
        title = f"{entry.name}: {what} {short(value)}"
        return CommonCause(title, "filled", "send missing values as missing: ask who fills it")
    return None


def _find_swapped(features: Sequence[_ChangedFeature], shown: ShownRows) -> CommonCause | None:
    """Detect two features that have each other's quantiles, in all rows or in some."""
    quantiles = shown.shapes.digests.quantile(RANKS)
    fine = shown.shapes.digests.quantile(_FINE_RANKS)
    for (first, one), (second, other) in combinations(enumerate(features[:_MOST_COMPARED]), 2):
        before = _read_quantiles(one.entry, RANKS), _read_quantiles(other.entry, RANKS)
        share: float | None = None
        if are_swapped(before, (quantiles[one.place], quantiles[other.place])):
            share = 1.0
        elif max(first, second) < _MOST_SEARCHED:
            share = find_swapped_part(
                (
                    _read_quantiles(one.entry, _FINE_RANKS),
                    _read_quantiles(other.entry, _FINE_RANKS),
                ),
                (fine[one.place], fine[other.place]),
                rows=min(one.rows, other.rows),
            )
        if share is not None:
            rows = _describe_share(share, shown)
            title = f"{one.entry.name} and {other.entry.name} swapped" + (rows and f" in {rows}")
            return CommonCause(title, "swapped", "look at the order of the columns upstream")
    return None


def _find_moved(features: Sequence[_ChangedFeature], shown: ShownRows) -> CommonCause | None:
    """Detect features whose values, or a part of them, are scaled or shifted."""
    changes = _describe_features(features, shown)
    return _join_changes([named for named in changes if named[1].cause != "unknown"], shown)


def _describe_features(
    features: Sequence[_ChangedFeature], shown: ShownRows
) -> list[tuple[str, NumberChange]]:
    """Return the features whose change can be described, by name, with the change."""
    fine = shown.shapes.digests.quantile(_FINE_RANKS)
    changes: list[tuple[str, NumberChange]] = []
    can_be_whole = _is_undiluted(shown)
    for place, entry, rows, worth in features[:_MOST_SEARCHED]:
        before, traits = _read_quantiles(entry, _FINE_RANKS), _read_traits(entry)
        change = describe_few(before, fine[place], traits, rows=rows) or describe_change(
            before, fine[place], traits, rows=worth, can_be_whole=can_be_whole
        )
        yield_gil()
        changes += [] if change is None else [(entry.name, change)]
    if changes and can_be_whole:
        changes += [
            (entry.name, changes[0][1])
            for place, entry, _, worth in features[_MOST_SEARCHED:]
            if has_same_change(
                _read_quantiles(entry, _FINE_RANKS), fine[place], changes[0][1], rows=worth
            )
        ]
    return changes


def _is_undiluted(shown: ShownRows) -> bool:
    """Whether nearly all of the rows arrived since the change."""
    return shown.changed_rows >= _NEARLY_ALL * shown.profile.rows


def _join_changes(
    changes: Sequence[tuple[str, NumberChange]], shown: ShownRows
) -> CommonCause | None:
    """Describe the first change, and count the fields that have changed like it."""
    if not changes:
        return None
    name, first = changes[0]
    same = [change for _, change in changes if _is_alike(change, first)]
    fields = name if len(same) == 1 else f"{name} and {len(same) - 1} more"
    share = _describe_share(first.share, shown)
    values = f"{share.removesuffix(' of rows')} of values" if share else "values"
    if first.share == 1.0 and first.cause != "unknown":
        values = "all values"
    title = f"{values} of {fields} {first.description}"
    return CommonCause(title, first.cause, "check units, currency and encoding upstream")


def _is_alike(change: NumberChange, first: NumberChange) -> bool:
    """Whether a field has changed in the same way, in about the same share of its values."""
    return change.cause == first.cause and abs(change.share - first.share) <= _SAME_PART


def describe_moved(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Describe how the first numeric feature moved, without a cause.

    None unless nearly all of the rows arrived since the change.
    """
    if not _is_undiluted(shown):
        return None
    features = _list_changed(alerts, population, shown)[:1]
    cause = _join_changes(_describe_features(features, shown), shown)
    if cause is not None:
        return cause._replace(cause="unknown", advice=UNKNOWN_ADVICE)
    for place, entry, _, worth in features:
        before = _read_quantiles(entry, _FINE_RANKS)
        now = shown.shapes.digests.quantile(_FINE_RANKS)[place]
        moved = describe_spread(before, now, rows=worth)
        if moved is not None:
            fields = join_fields(alerts)
            whose = "" if fields == entry.name else f" of {entry.name}"
            title = f"{fields} changed:{whose} {moved}"
            return CommonCause(title, "unknown", UNKNOWN_ADVICE)
    return None


def _find_partly_stuck(features: Sequence[_ChangedFeature], shown: ShownRows) -> CommonCause | None:
    """Detect a value that many rows have and few had before. The title does not show it."""
    fine = shown.shapes.digests.quantile(_FINE_RANKS)
    for place, entry, rows, _ in features:
        share = measure_point(_read_quantiles(entry, _FINE_RANKS), fine[place], rows=rows)
        if share >= _LEAST_STUCK:
            part = _describe_share(share, shown)
            title = f"{entry.name} stuck at one value" + (part and f" in {part}")
            advice = "it may be filled with a default by one of the clients, or its source may hang"
            return CommonCause(title, "stuck", advice)
    return None


def _describe_share(share: float, shown: ShownRows) -> str:
    """Describe which share of the rows after the change is affected; empty if nearly all are.

    share: the share of affected rows among all shown rows, some of which may precede the change.
    """
    rows = max(shown.profile.rows, 1)
    since = min(share * rows / max(min(shown.changed_rows, rows), 1), 1.0)
    return "" if since > _NEARLY_ALL else f"about {since:.0%} of rows"


def _read_traits(entry: NumericReference) -> FieldTraits:
    low, high = entry.quantiles[0], entry.quantiles[-1]
    return FieldTraits(hour=_express_hour(entry), is_share=low >= 0 and high <= 1)


def _express_hour(entry: NumericReference) -> float | None:
    """Return an hour in the field's unit; None if the field does not hold times.

    Times are datetimes, and numbers in fields named after minutes, seconds or hours.
    """
    if entry.kind == "datetime":
        return 3_600.0
    name, low, high = entry.name.casefold(), entry.quantiles[0], entry.quantiles[-1]
    for unit, per_hour in (("minute", 60.0), ("second", 3_600.0), ("hour", 1.0)):
        if unit in name:
            return per_hour if low >= 0 and high <= 24 * per_hour else None
    return None


def _read_quantiles(entry: NumericReference, ranks: Floats) -> Floats:
    """Return the quantiles of the reference at these ranks."""
    return np.interp(ranks, np.linspace(0, 1, len(entry.quantiles)), entry.quantiles)
