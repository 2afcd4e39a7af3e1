"""Convert entries of a reference to plans that bin live values in the same way."""

import numpy as np

from mlmonitor.aggregate.plan import NumericPlan
from mlmonitor.aggregate.sketches.bins import FLOAT32_TOLERANCE, FLOAT64_TOLERANCE, widen
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.formats.reference import CategoricalReference, FieldEntry, NumericReference
from mlmonitor.records import Field, Kind, Role


def field_of(entry: FieldEntry) -> Field:
    """Return the name, role and kind of the field that an entry summarises."""
    return Field(entry.name, Role(entry.role), Kind(entry.kind))


def numeric_plan(entry: NumericReference, deviations: float) -> NumericPlan:
    """Return the bins of a numeric field, and its band: mean ± `deviations` standard deviations.

    Range and band are widened by the rounding error of float32, so that a value rounded to float32
    stays inside.
    """
    edges = np.array(entry.edges, np.float64)
    if entry.mean is None or entry.stddev is None or entry.min is None or entry.max is None:
        return NumericPlan(edges)
    reach = deviations * entry.stddev
    is_time = entry.kind == "datetime"
    tolerance = FLOAT64_TOLERANCE if is_time else FLOAT32_TOLERANCE
    low, high = widen(entry.min, entry.max, tolerance)
    if entry.edges and entry.min == 0:  # a relative tolerance of zero is zero
        low = min(low, entry.edges[0])
    if entry.edges and entry.max == 0:
        high = max(high, entry.edges[-1])
    band_low, band_high = widen(entry.mean - reach, entry.mean + reach, tolerance)
    return NumericPlan(edges, low, high, band_low, band_high)


def dictionary_of(entry: CategoricalReference) -> Dictionary:
    """Return the dictionary that maps a field's categories to codes."""
    return Dictionary(
        entry.categories,
        entry.others,
        is_closed=entry.is_closed,
        is_boolean=entry.kind == "boolean",
        groups=entry.groups,
    )
