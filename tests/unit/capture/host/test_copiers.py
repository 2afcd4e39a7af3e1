"""Features of any type are copied so that their owner can no longer change them."""

import array as plain_array
import dataclasses
import math
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from types import MappingProxyType, SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict, RootModel

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.host.copiers import Copiers, is_value
from mlmonitor.capture.host.results import copy_columns, copy_result
from mlmonitor.capture.values import UNREADABLE


class Claim(BaseModel):
    """A request body as a service would define it."""

    model_config = ConfigDict(extra="allow")

    a: float
    b: str = "x"


@dataclasses.dataclass
class Row:
    """A named tuple as a row."""

    a: float
    b: str = "x"


@dataclasses.dataclass(slots=True)
class Slotted:
    """A row without a `__dict__`."""

    a: float
    b: str = "x"


@attrs.define
class Attrs:
    """A row defined with attrs."""

    a: float
    b: str = "x"


class Plain:
    """A row that is a plain object."""

    def __init__(self, a: float, b: str = "x") -> None:
        self.a, self.b = a, b


class Colour(Enum):
    """A label with a `__dict__` of its own."""

    RED = "red"


Pair = namedtuple("Pair", ["a", "b"])  # noqa: PYI024 - the plain one is met in services, too
NAMED = {"a": 1.0, "b": "x"}


class Hostile(Mapping[str, object]):
    """A mapping whose every method raises."""

    def __getitem__(self, key: str) -> object:
        raise RuntimeError

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


def copied(features: Any) -> tuple[PayloadForm, int, Any]:
    """Copy features with new copiers."""
    return Copiers()[type(features)](features)


@pytest.mark.parametrize(
    "features",
    [
        dict(NAMED),
        OrderedDict(NAMED),
        MappingProxyType(NAMED),
        Claim(a=1.0),
        Row(1.0),
        Slotted(1.0),
        Attrs(1.0),
        Plain(1.0),
        SimpleNamespace(**NAMED),
        Pair(1.0, "x"),
        pd.Series(NAMED),
        np.array([(1.0, "x")], dtype=[("a", float), ("b", "U1")])[0],
        RootModel[dict[str, Any]](dict(NAMED)),
    ],
    ids=lambda features: type(features).__name__,
)
def test_any_object_with_named_values_is_read_as_one_row(features: object) -> None:
    """Mappings, models, dataclasses, named tuples, objects and series are rows by name."""
    assert copied(features) == (PayloadForm.MAPPING, 1, NAMED)


def test_extra_fields_of_a_pydantic_model_are_recorded() -> None:
    """The model's configuration allows extra fields."""
    assert copied(Claim(a=1.0, c=2))[2] == {"a": 1.0, "b": "x", "c": 2}


@pytest.mark.parametrize(
    "features",
    [
        (1.0, "x", None),
        [1.0, "x", None],
        np.array([1.0, "x", None], object),
        pd.Series([1.0, "x", None], dtype=object),
        RootModel[list[Any]]([1.0, "x", None]),
    ],
    ids=lambda features: type(features).__name__,
)
def test_a_sequence_of_values_is_read_as_one_row(features: object) -> None:
    """Tuples, lists and vectors of any values are rows by position."""
    assert copied(features) == (PayloadForm.SEQUENCE, 1, (1.0, "x", None))


@pytest.mark.parametrize(
    "value",
    [Decimal(1), date(2024, 1, 1), Colour.RED, pd.Timestamp("2024"), pd.NA, np.array(1.0), 1 + 2j],
    ids=repr,
)
def test_a_row_may_start_with_a_value_of_any_type(value: object) -> None:
    """A list whose first value is not a number is still one row."""
    assert copied([value, 2.0])[:2] == (PayloadForm.SEQUENCE, 1)


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", ">f8", "i8", "u1", "?", "M8[ns]", "m8[s]"], ids=lambda dtype: dtype
)
def test_a_numeric_vector_is_copied_as_its_bytes(dtype: str) -> None:
    """A vector of any numeric type is read back from its bytes unchanged."""
    vector = np.arange(2).astype(dtype)
    form, rows, (kind, data) = copied(vector)
    assert (form, rows) == (PayloadForm.ARRAY, 1)
    np.testing.assert_array_equal(np.frombuffer(data, kind), vector)


def test_a_strided_vector_is_copied_in_its_own_order() -> None:
    """A column of a larger array is copied value by value and not byte by byte."""
    _, _, (kind, data) = copied(np.arange(6.0).reshape(3, 2)[::-1, 1])
    assert np.frombuffer(data, kind).tolist() == [5.0, 3.0, 1.0]


@pytest.mark.parametrize(
    "empty",
    [[], (), np.array([]), np.empty((0, 2)), pd.DataFrame({"a": []})],
    ids=["list", "tuple", "vector", "matrix", "frame"],
)
def test_an_empty_sequence_is_a_batch_without_rows(empty: object) -> None:
    """It is no row, whatever its type."""
    assert copied(empty)[1] == 0


@pytest.mark.parametrize(
    "features",
    [5.0, "text", b"bytes", None, object(), np.float64(5), np.array(5.0), {1, 2}, iter([1])],
    ids=lambda features: type(features).__name__,
)
def test_features_without_values_are_an_unreadable_row(features: object) -> None:
    """A scalar, a text, a set or an iterator is one unreadable row; iterators are not consumed."""
    assert copied(features)[:2] == (PayloadForm.UNREADABLE, 1)
    if isinstance(features, Iterator):
        assert list(features) == [1]


def test_an_array_of_too_many_dimensions_counts_its_rows() -> None:
    """Four images are four rows, although none can be read."""
    assert copied(np.zeros((4, 3, 3))) == (PayloadForm.UNREADABLE, 4, 4)


@pytest.mark.parametrize(
    "good",
    [dict(NAMED), Claim(a=1.0), Row(1.0), Attrs(1.0), Pair(1.0, "x"), pd.Series(NAMED)],
    ids=lambda row: type(row).__name__,
)
def test_an_unreadable_mapping_does_not_affect_other_rows(good: object) -> None:
    """Among mappings, None is a row without values, and anything else an unreadable row."""
    bad = [None, 5, "text", [1.0], Hostile(), np.zeros((2, 2))]
    for batch in ([good, *bad, good], [*bad, good, good]):
        form, rows, payload = copied(batch)
        assert (form, rows) == (PayloadForm.MAPPINGS, 8)
        assert payload.count(NAMED) == 2
        assert payload.count({}) == 1
        assert payload.count(None) == 5


def test_an_unreadable_sequence_does_not_affect_other_rows() -> None:
    """Among sequences, None is a row without values, and a single value an unreadable row."""
    form, rows, payload = copied([None, [1.0, 2], (3.0, 4), np.array([5.0, 6]), 7, "text"])
    assert (form, rows) == (PayloadForm.SEQUENCES, 6)
    assert payload[1:4] == [(1.0, 2), (3.0, 4), (5.0, 6)]
    assert payload[0] == ()
    assert payload[0] is not UNREADABLE
    assert payload[4] is payload[5] is UNREADABLE


def test_a_list_among_other_values_of_a_row_is_an_invalid_value() -> None:
    """One nested value does not make a batch of the row."""
    assert copied([1.0, [2.0], 3.0])[:2] == (PayloadForm.SEQUENCE, 1)


def test_a_list_that_contains_itself_is_copied_quickly() -> None:
    """Only the rows of the outer list are read."""
    endless: list[object] = [1.0]
    endless += [endless, endless]
    assert copied(endless)[1] == 3


def test_a_structured_array_is_read_as_rows_by_name() -> None:
    """Every element is a row, and a masked value is missing."""
    rows = np.array([(1.0, 2), (3.0, 4)], dtype=[("a", "f8"), ("b", "i4")])
    assert copied(rows) == (PayloadForm.MAPPINGS, 2, [{"a": 1.0, "b": 2}, {"a": 3.0, "b": 4}])
    assert copied(rows.view(np.recarray))[2] == copied(rows)[2]
    masked = np.ma.array(rows, mask=[(0, 1), (0, 0)])
    assert copied(masked)[2] == [{"a": 1.0, "b": None}, {"a": 3.0, "b": 4}]


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_masked_values_are_not_passed_to_the_worker(shape: tuple[int, ...]) -> None:
    """Neither the number below a mask nor numpy's filler 1e20 is recorded."""
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]).reshape(shape)
    _, _, payload = copied(masked)
    array = payload if len(shape) == 2 else np.frombuffer(payload[1], payload[0])
    np.testing.assert_array_equal(np.ravel(array), [1.0, np.nan, 3.0])


def test_features_are_recorded_as_they_were_before_later_changes() -> None:
    """No change to the original reaches a copy, for any type of features."""
    mapping, row, batch = {"a": 1.0}, [1.0], [{"a": 1.0}, [1.0]]
    vector, matrix, model = np.ones(2), np.ones((2, 2)), Claim(a=1.0)
    sources = [mapping, row, batch, vector, matrix, model]
    before = repr([copied(source) for source in sources])
    copies = [copied(source) for source in sources]
    mapping["a"], row[0], vector[:], matrix[:], model.a = 9.0, 9.0, 9.0, 9.0, 9.0
    batch[0]["a"], batch[1] = 9.0, None
    assert repr(copies) == before


def test_types_created_at_run_time_do_not_fill_the_memory() -> None:
    """Copiers of thousands of types are not all cached."""
    copiers = Copiers()
    for _ in range(3_000):
        kind = type("Made", (), {})
        assert copiers[kind](kind())[0] is PayloadForm.MAPPING
    assert len(copiers) <= 1_024


def test_a_batch_of_columns_has_as_many_rows_as_most_of_its_columns() -> None:
    """A single column of another length does not decide."""
    form, rows, _ = copy_columns({"a": [1, 2], "b": (1, 2), "c": [1, 2, 3, 4]})
    assert (form, rows) == (PayloadForm.COLUMNS, 2)
    assert copy_columns({"a": [1], "b": [1, 2, 3]})[1] == 3


@pytest.mark.parametrize(
    "column",
    [5.0, None, "text", b"bytes", {"x": 1}, np.array(1.0), iter([1, 2])],
    ids=lambda column: type(column).__name__,
)
def test_single_values_do_not_determine_the_number_of_rows(column: object) -> None:
    """A scalar, a text or a mapping in place of a column does not affect the other columns."""
    form, rows, payload = copy_columns({"bad": column, "good": [1.0, 2.0]})
    assert (form, rows, payload["good"]) == (PayloadForm.COLUMNS, 2, [1.0, 2.0])


def test_a_mapping_of_single_values_is_read_as_one_row() -> None:
    """If it is recorded as a batch, it is a batch of one row."""
    assert copy_columns({"a": 1.0, "b": "x"}) == (PayloadForm.MAPPING, 1, {"a": 1.0, "b": "x"})
    assert copy_columns({})[:2] == (PayloadForm.COLUMNS, 0)


def test_a_column_that_raises_does_not_affect_other_columns() -> None:
    """It is unreadable, and the others are kept."""
    _, rows, payload = copy_columns({"bad": Hostile(), "good": [1.0]})
    assert (rows, payload) == (1, {"bad": UNREADABLE, "good": [1.0]})


@pytest.mark.parametrize(
    "collection",
    [deque([1.0]), plain_array.array("d", [1.0]), {1.0}, range(1, 2), {"a": 1.0}.values(), (1.0,)],
    ids=lambda collection: type(collection).__name__,
)
def test_every_collection_in_a_result_is_copied_to_a_list(collection: Any) -> None:
    """The list is independent of the original."""
    copy = copy_result(collection)
    assert copy == [1.0]
    assert isinstance(copy, list)


def test_results_are_recorded_as_they_were_before_later_changes() -> None:
    """Nested lists are copied as well."""
    row = Row(a=1.0)
    row.b = ["x"]  # type: ignore[assignment]  # as services do
    result = {"list": [[1.0]], "array": np.ones(2), "row": row, "frame": pd.DataFrame({"a": [1.0]})}
    copy = copy_result(result)
    result["list"][0][0], result["array"][:], row.b[0] = 9.0, 9.0, "y"
    result["frame"].loc[0, "a"] = 9.0
    assert copy["list"] == [[1.0]]
    assert copy["array"].tolist() == [1.0, 1.0]
    assert copy["row"] == {"a": 1.0, "b": ["x"]}
    assert copy["frame"]["a"].tolist() == [1.0]


@pytest.mark.parametrize(
    "value",
    [1.0, "x", None, Decimal(1), date(2024, 1, 1), Colour.RED, pd.Timestamp("2024"), pd.NA],
    ids=repr,
)
def test_a_single_value_is_recorded_without_a_copy(value: object) -> None:
    """It cannot be changed."""
    assert copy_result(value) is value
    assert is_value(type(value))


@pytest.mark.parametrize(
    "kind", [list, tuple, dict, set, deque, np.ndarray, np.void, pd.DataFrame, pd.Series, Plain]
)
def test_collections_do_not_count_as_single_values(kind: type) -> None:
    """Neither do rows and tables."""
    assert not is_value(kind)


def test_structured_arrays_as_results_are_columns() -> None:
    """One of their rows is a mapping, and a masked float is NaN."""
    rows = np.array([(1.0, 2)], dtype=[("a", "f8"), ("b", "i4")])
    assert {name: column.tolist() for name, column in copy_result(rows).items()} == {
        "a": [1.0],
        "b": [2],
    }
    assert copy_result(rows[0]) == {"a": 1.0, "b": 2}
    assert math.isnan(copy_result(np.ma.array([1.0], mask=[1]))[0])


def test_a_named_tuple_as_a_result_keeps_its_names() -> None:
    """Its fields are named outputs."""
    assert copy_result(Pair(1.0, [2.0])) == {"a": 1.0, "b": [2.0]}


def test_an_object_inside_a_result_is_not_copied() -> None:
    """A result that refers to its model is recorded without the model, which is unreadable."""
    model = SimpleNamespace(weights=[0.0] * 200_000)
    copy = copy_result(SimpleNamespace(score=0.5, labels=["x"], model=model, parts={"m": [model]}))
    assert copy == {
        "score": 0.5,
        "labels": ["x"],
        "model": UNREADABLE,
        "parts": {"m": [UNREADABLE]},
    }


def test_lists_nested_sixty_levels_deep_are_copied_quickly() -> None:
    """Below a row or column nothing is a value, so 2 to the 60 shared lists are not visited."""
    endless: list[object] = []
    endless.append(endless)
    shared: list[object] = [1.0]
    for _ in range(60):
        shared = [shared, shared]
    assert copy_result(shared) == [[[UNREADABLE] * 2] * 2] * 2
    assert copy_result(endless) == [[[UNREADABLE]]]
    assert copy_result(SimpleNamespace(tree=shared)) == {"tree": [[UNREADABLE] * 2] * 2}


def test_a_result_is_copied_up_to_a_number_of_nested_elements() -> None:
    """Of ten lists of 20,000 numbers in rows, five are copied; an object's lists count as well."""
    rows = [[[0.0] * 20_000] for _ in range(10)]
    assert [row[0] is UNREADABLE for row in copy_result(rows)] == [False] * 5 + [True] * 5
    assert copy_result(SimpleNamespace(a=[0.0] * 100_000, b=[0.0])) == {
        "a": [0.0] * 100_000,
        "b": UNREADABLE,
    }


def test_a_batch_of_any_length_is_copied_whole() -> None:
    """Rows, columns and rows that are objects do not count towards the limit."""
    rows = 150_000
    assert copy_result([[0.0, 1.0]] * rows) == [[0.0, 1.0]] * rows
    assert copy_result({"a": [0.0] * rows}) == {"a": [0.0] * rows}
    assert copy_result([Pair(0.0, 1.0)] * rows) == [{"a": 0.0, "b": 1.0}] * rows


def test_an_array_of_one_value_is_copied_to_that_value() -> None:
    """Inside a list as well, where an array would not be read."""
    assert [type(value) for value in copy_result([np.array(0.5), np.array(1)])] == [
        np.float64,
        np.int64,
    ]
