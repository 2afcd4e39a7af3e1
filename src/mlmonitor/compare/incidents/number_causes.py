"""The common cause of alerts on numeric features, from the quantiles of the window."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from mlmonitor.aggregate.window import View
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.common_cause import CommonCause
from mlmonitor.compare.incidents.number_changes import (
    RANKS,
    are_swapped,
    describe_numbers,
    find_filler,
)
from mlmonitor.compare.population import Population
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import short
from mlmonitor.records import Floats
from mlmonitor.reference.disclosure import LEAST_ROWS

_FILLER_RANKS = np.linspace(0, 1, 41)
_FILLED_SHARE = 0.05  # of the rows, at least, where two of these ranks have one value
_LEAST_MISSING = 0.02
_MOST_PAIRED = 20  # fields that are compared with each other


def find_number_cause(
    alerts: Sequence[Alert], population: Population, view: View
) -> CommonCause | None:
    """Return how numeric features changed: filled, swapped, scaled, shifted; None if unknown."""
    pairs = [
        (place, entry)
        for place in locate_fields(alerts, population)
        if isinstance(entry := population.entries[place], NumericReference)
        and entry.quantiles
        and entry.role == "feature"
        and not entry.id_like
    ]
    if not pairs:
        return None
    return _find_filled(pairs, view) or _find_swapped(pairs, view) or _find_moved(pairs, view)


def locate_fields(alerts: Sequence[Alert], population: Population) -> list[int]:
    """Return the indices of the alerts' fields in the schema of all rows."""
    keys = {(alert.role, alert.field) for alert in alerts}
    fields = population.plan.schema.fields
    return [place for place, field in enumerate(fields) if (field.role, field.name) in keys]


def _find_filled(pairs: Sequence[tuple[int, NumericReference]], view: View) -> CommonCause | None:
    """Detect one value, outside the range, that a part of the rows has. It is nobody's own."""
    quantiles = view.shapes.digests.quantile(_FILLER_RANKS)
    for place, entry in pairs:
        rows = int(view.profile.quality[place].sum())
        if entry.min is None or entry.max is None or rows * _FILLED_SHARE < LEAST_ROWS:
            continue
        before = _read_quantiles(entry, _FILLER_RANKS)
        value = find_filler(before, quantiles[place], low=entry.min, high=entry.max)
        if value is None:
            continue
        missing = 1 - int(view.profile.bins[place].sum()) / rows
        expected = entry.missing / max(entry.rows, 1)
        is_recoded = expected >= _LEAST_MISSING and missing < expected / 2
        what = "missing values coded as" if is_recoded else "part of the values filled with"
        title = f"{entry.name}: {what} {short(value)}"
        return CommonCause(title, "filled", "send missing values as missing: ask who fills it")
    return None


def _find_swapped(pairs: Sequence[tuple[int, NumericReference]], view: View) -> CommonCause | None:
    """Detect two features, each of which has the quantiles of the other."""
    quantiles = view.shapes.digests.quantile(RANKS)
    for (place, entry), (other_place, other) in combinations(pairs[:_MOST_PAIRED], 2):
        before = _read_quantiles(entry, RANKS), _read_quantiles(other, RANKS)
        if are_swapped(before, (quantiles[place], quantiles[other_place])):
            title = f"{entry.name} and {other.name} swapped"
            return CommonCause(title, "swapped", "look at the order of the columns upstream")
    return None


def _find_moved(pairs: Sequence[tuple[int, NumericReference]], view: View) -> CommonCause | None:
    """Detect features whose values are those of the reference, scaled or shifted."""
    quantiles = view.shapes.digests.quantile(RANKS)
    changes = []
    for place, entry in pairs:
        change = describe_numbers(
            _read_quantiles(entry, RANKS),
            quantiles[place],
            hour=_express_hour(entry),
            is_share=entry.quantiles[0] >= 0 and entry.quantiles[-1] <= 1,
        )
        if change is not None:
            changes.append((entry.name, change))
    if not changes:
        return None
    name, (cause, description) = changes[0]
    same = [change for _, change in changes if change.cause == cause]
    fields = name if len(same) == 1 else f"{name} and {len(same) - 1} more"
    title = f"all values of {fields} {description}"
    return CommonCause(title, cause, "check units, currency and encoding upstream")


def _express_hour(entry: NumericReference) -> float | None:
    """Return an hour in the field's unit: of datetimes, and of fields that are named hours."""
    if entry.kind == "datetime":
        return 3_600.0
    is_hour = "hour" in entry.name.casefold() and entry.quantiles[0] >= 0
    return 1.0 if is_hour and entry.quantiles[-1] <= 24 else None


def _read_quantiles(entry: NumericReference, ranks: Floats) -> Floats:
    """Return the quantiles of the reference at these ranks."""
    return np.interp(ranks, np.linspace(0, 1, len(entry.quantiles)), entry.quantiles)
