"""A reference learned from the first rows of a service."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Reference, Role
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable, MappingTable
from mlmonitor.records import ABSENT, Declared
from mlmonitor.reference.learner import Learner
from support.references import fit_reference


def rows_of(features: list[dict[Any, Any]], predictions: Any = None, **named: Any) -> Rows:
    """Gather single calls into rows."""
    outputs = {} if predictions is None else {"prediction": predictions}
    options: dict[str, Any] = {"ids": [], "failed": [], "identity": None} | named
    return Rows(len(features), MappingTable(features), outputs, **options)


def learned(*parts: Rows, expected: int | None = None, ignore: Sequence[str] = ()) -> Reference:
    """Learn a reference from all of these rows."""
    learner = Learner(
        expected or sum(rows.count for rows in parts), Declared(ignore=frozenset(ignore))
    )
    took = [learner.ingest(rows) for rows in parts]
    assert took == [False] * (len(parts) - 1) + [True]
    return learner.reference()


def without_chance(reference: Reference) -> list[object]:
    """Return the entries of a reference without the simulated critical values."""
    return [entry.model_copy(update={"critical": {}}) for entry in reference.content.fields]


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.text(max_size=3))),
        min_size=2,
        max_size=40,
    ),
    st.integers(1, 39),
)
def test_a_learned_reference_equals_one_fitted_to_the_same_rows(
    data: list[tuple[float | None, str | None]], cut: int
) -> None:
    """Only the critical values differ, which `Reference.fit` simulates."""
    rows = [{"x": x, "line": line} for x, line in data]
    scores = [float(at) for at in range(len(rows))]
    cut = min(cut, len(rows) - 1)
    reference = learned(rows_of(rows[:cut], scores[:cut]), rows_of(rows[cut:], scores[cut:]))
    expected = fit_reference(rows, predictions=scores)
    assert reference.content.fields == without_chance(expected)
    assert (reference.rows, reference.is_learned, expected.is_learned) == (len(rows), True, False)


def test_a_failed_call_has_features_but_no_prediction() -> None:
    """Its row counts for the features; its missing prediction does not affect the kind."""
    reference = learned(rows_of([{"x": 1.0}, {"x": 2.0}], [ABSENT, 7.0], failed=[True, False]))
    x, prediction = reference.content.fields
    assert (x.missing, sum(x.counts)) == (0, 2)
    assert (prediction.missing, sum(prediction.counts)) == (1, 1)
    assert prediction.kind == "numeric"


def test_the_id_column_and_ignored_features_are_left_out() -> None:
    """The id of a prediction is not a feature, and ignored fields were excluded by the user."""
    rows = [{"id": "a", "x": 1.0, "secret": 3}, {"id": "b", "x": 2.0, "secret": 4}]
    reference = learned(rows_of(rows, identity="id"), ignore=["secret"])
    assert [field.name for field in reference.fields] == ["x"]


def test_a_column_whose_kind_is_unknown_is_left_out() -> None:
    """Lists in one column do not prevent the other columns from being learned."""
    reference = learned(rows_of([{"x": 1.0, "tags": ["a"]}, {"x": 2.0, "tags": ["b"]}]))
    assert [field.name for field in reference.fields] == ["x"]


def test_a_column_that_some_rows_lack_is_missing_in_them() -> None:
    """Rows of different functions need not have the same columns."""
    reference = learned(rows_of([{"x": 1.0}]), rows_of([{"y": 2.0}, {"y": 3.0}]))
    counts = {entry.name: (entry.rows, entry.missing) for entry in reference.content.fields}
    assert counts == {"x": (3, 2), "y": (3, 1)}


def test_only_the_needed_rows_of_a_batch_are_learned() -> None:
    """The first 1,000 rows of a batch of 5,000 become the reference."""
    batch = Rows(5_000, ColumnTable({"x": np.arange(5_000.0)}, 5_000), {}, [], [], None)
    reference = learned(batch, expected=1_000)
    assert (reference.rows, reference.entries([Role.FEATURE])[0].rows) == (1_000, 1_000)
    assert reference.content.fields == without_chance(fit_reference({"x": np.arange(1_000.0)}))


@pytest.mark.parametrize("name", ["", "n" * 1_001, "\ud800"])
def test_a_name_that_cannot_be_saved_is_left_out(name: str) -> None:
    """An odd key sent by a client must not prevent a service from learning."""
    reference = learned(rows_of([{"x": 1.0, name: 1.0}, {"x": 2.0, name: 1.0}]))
    assert [field.name for field in reference.fields] == ["x"]


@pytest.mark.slow
def test_the_number_of_learned_fields_is_bounded() -> None:
    """Of 20,000 keys that occur once, at most `FIELDS` are kept; the real feature is one."""
    rows = [{"x": 1.0} | {f"k{at}-{key}": 1.0 for key in range(1_000)} for at in range(20)]
    reference = learned(rows_of(rows))
    assert len(reference.fields) == Learner.FIELDS
    assert reference.fields[0].name == "x"
