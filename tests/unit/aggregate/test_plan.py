"""Plans: what is fixed before the first row, and when two plans are equal."""

import numpy as np
import pytest

from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.records import Field, Kind, Role

X = Field("x", Role.FEATURE, Kind.NUMERIC)
Y = Field("y", Role.FEATURE, Kind.DATETIME)
C = Field("c", Role.FEATURE, Kind.CATEGORICAL)
EDGES = np.array([1.0, 2.0])


def a_plan(**changes: object) -> Plan:
    """Return a plan of two fields, with something changed."""
    numeric = {"edges": EDGES, "low": 0.0, "high": 5.0, "band_low": 1.0, "band_high": 4.0}
    book = {"top": ["a"], "other": ["b"], "is_closed": True, "is_boolean": False}
    for name, value in changes.items():
        (numeric if name in numeric else book)[name] = value
    field = changes.get("field", X)
    book.pop("field", None)
    return Plan.build([field, C], {field: NumericPlan(**numeric)}, {C: Dictionary(**book)})


def test_numeric_fields_come_first_in_a_plan() -> None:
    """Datetimes are numeric, and the order within each kind is kept."""
    plan = Plan.build([C, Y, X], {X: NumericPlan(EDGES)}, {})
    assert plan.schema.fields == (Y, X, C)
    assert plan.bins == [1, 3]
    assert plan.edges.tolist() == [[np.inf, np.inf], [1.0, 2.0]]


def test_a_numeric_field_without_a_plan_has_one_bin_for_all_values() -> None:
    """Every value is in range and in the band, and every category is new."""
    plan = Plan.build([X, C], {}, {})
    assert plan.probes.tolist() == [[-np.inf, np.inf, -np.inf, np.inf]]
    assert plan.dictionaries[0].names == ("__other__", "__new__")
    assert plan.widest_dictionary == 2


def test_a_plan_without_fields_is_valid() -> None:
    """Its tables are empty and have the right shape."""
    plan = Plan.build([], {}, {})
    assert (plan.edges.shape, plan.probes.shape, plan.widest_dictionary) == ((0, 0), (0, 4), 0)


def test_plans_with_equal_contents_are_equal() -> None:
    """They have the same hash and the same fingerprint of sixteen bytes."""
    one, two = a_plan(), a_plan()
    assert one == two
    assert hash(one) == hash(two)
    assert len(one.fingerprint) == 16
    assert one != "a plan"


@pytest.mark.parametrize(
    "change",
    [
        {"edges": np.array([1.0, 2.5])},
        {"edges": np.array([1.0])},
        {"low": -1.0},
        {"high": 6.0},
        {"band_low": 0.5},
        {"band_high": 4.5},
        {"top": ["b"], "other": ["a"]},
        {"other": []},
        {"is_closed": False},
        {"is_boolean": True},
        {"field": X._replace(role=Role.PREDICTION)},
        {"field": X._replace(kind=Kind.DATETIME)},
        {"field": X._replace(name="z")},
    ],
    ids=str,
)
def test_plans_that_differ_in_anything_are_unequal(change: dict[str, object]) -> None:
    """Counts must not be added if an edge, bound, category, name or role differs."""
    assert a_plan(**change) != a_plan()
    assert a_plan(**change).fingerprint != a_plan().fingerprint
