"""A reference made from a service's first rows."""

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
    """Single calls, gathered."""
    outputs = {} if predictions is None else {"prediction": predictions}
    options: dict[str, Any] = {"ids": [], "failed": [], "identity": None} | named
    return Rows(len(features), MappingTable(features), outputs, **options)


def learned(*parts: Rows, expected: int | None = None, ignore: Sequence[str] = ()) -> Reference:
    """What is learned from all these rows."""
    learner = Learner(
        expected or sum(rows.count for rows in parts), Declared(ignore=frozenset(ignore))
    )
    took = [learner.ingest(rows) for rows in parts]
    assert took == [False] * (len(parts) - 1) + [True]
    return learner.reference()


def without_chance(reference: Reference) -> list[object]:
    """The entries without what is simulated at fit time alone."""
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
    """The reference of the first rows is that of `Reference.fit`, but for what is simulated."""
    rows = [{"x": x, "line": line} for x, line in data]
    scores = [float(at) for at in range(len(rows))]
    cut = min(cut, len(rows) - 1)
    reference = learned(rows_of(rows[:cut], scores[:cut]), rows_of(rows[cut:], scores[cut:]))
    expected = fit_reference(rows, predictions=scores)
    assert reference.content.fields == without_chance(expected)
    assert (reference.rows, reference.is_learned, expected.is_learned) == (len(rows), True, False)


def test_a_failed_call_has_features_but_no_prediction() -> None:
    """Its row counts for the features; its prediction is missing, and no kind of its own."""
    reference = learned(rows_of([{"x": 1.0}, {"x": 2.0}], [ABSENT, 7.0], failed=[True, False]))
    x, prediction = reference.content.fields
    assert (x.missing, sum(x.counts)) == (0, 2)
    assert (prediction.missing, sum(prediction.counts)) == (1, 1)
    assert prediction.kind == "numeric"


def test_ids_and_ignored_features_are_left_out() -> None:
    """Neither the column that holds the prediction's id nor an ignored one is a field."""
    rows = [{"id": "a", "x": 1.0, "secret": 3}, {"id": "b", "x": 2.0, "secret": 4}]
    reference = learned(rows_of(rows, identity="id"), ignore=["secret"])
    assert [field.name for field in reference.fields] == ["x"]


def test_a_column_of_no_kind_is_left_out() -> None:
    """Lists in a column do not keep the other columns from being learned."""
    reference = learned(rows_of([{"x": 1.0, "tags": ["a"]}, {"x": 2.0, "tags": ["b"]}]))
    assert [field.name for field in reference.fields] == ["x"]


def test_a_column_that_some_rows_lack_is_missing_there() -> None:
    """Rows of different functions need not have the same columns."""
    reference = learned(rows_of([{"x": 1.0}]), rows_of([{"y": 2.0}, {"y": 3.0}]))
    counts = {entry.name: (entry.rows, entry.missing) for entry in reference.content.fields}
    assert counts == {"x": (3, 2), "y": (3, 1)}


def test_only_the_needed_rows_of_a_batch_are_learned() -> None:
    """Of a batch of 5,000 rows the first 1,000 become the reference."""
    batch = Rows(5_000, ColumnTable({"x": np.arange(5_000.0)}, 5_000), {}, [], [], None)
    reference = learned(batch, expected=1_000)
    assert (reference.rows, reference.entries([Role.FEATURE])[0].rows) == (1_000, 1_000)
    assert reference.content.fields == without_chance(fit_reference({"x": np.arange(1_000.0)}))


@pytest.mark.parametrize("name", ["", "n" * 1_001, "\ud800"])
def test_a_name_that_cannot_be_saved_is_left_out(name: str) -> None:
    """A client's odd key cannot keep a service from its reference."""
    reference = learned(rows_of([{"x": 1.0, name: 1.0}, {"x": 2.0, name: 1.0}]))
    assert [field.name for field in reference.fields] == ["x"]


@pytest.mark.slow
def test_names_that_clients_make_up_are_bounded() -> None:
    """Of 20,000 keys that came once each, at most `FIELDS` are kept, and the true one is."""
    rows = [{"x": 1.0} | {f"k{at}-{key}": 1.0 for key in range(1_000)} for at in range(20)]
    reference = learned(rows_of(rows))
    assert len(reference.fields) == Learner.FIELDS
    assert reference.fields[0].name == "x"
