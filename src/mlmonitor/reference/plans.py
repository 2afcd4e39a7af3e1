"""How the entries of a reference cut up what comes."""

import numpy as np

from mlmonitor.aggregate.plan import NumericPlan
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.formats.reference import CategoricalReference, FieldEntry, NumericReference
from mlmonitor.records import Field, Kind, Role


def field_of(entry: FieldEntry) -> Field:
    """The field that an entry is about."""
    return Field(entry.name, Role(entry.role), Kind(entry.kind))


def numeric_plan(entry: NumericReference, deviations: float) -> NumericPlan:
    """How a numeric field is cut up; its band is the mean ± `deviations`."""
    edges = np.array(entry.edges, np.float64)
    if entry.mean is None or entry.stddev is None or entry.min is None or entry.max is None:
        return NumericPlan(edges)
    reach = deviations * entry.stddev
    return NumericPlan(edges, entry.min, entry.max, entry.mean - reach, entry.mean + reach)


def dictionary_of(entry: CategoricalReference) -> Dictionary:
    """The codes of a field's categories."""
    return Dictionary(
        entry.categories,
        entry.others,
        is_closed=entry.is_closed,
        is_boolean=entry.kind == "boolean",
    )
