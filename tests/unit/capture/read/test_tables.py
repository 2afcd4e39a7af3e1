"""Payloads are read by column, with the same result for every form."""

from typing import Any

import numpy as np
import pytest

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.read.tables import batch_table, build_table
from mlmonitor.capture.values import UNREADABLE

NAMES = ("a", "b")
ROWS = [{"a": 1.0, "b": 2}, {"a": 3.0, "b": 4}]
MATRIX = [[1.0, 2.0], [3.0, 4.0]]


def payloads(*features: Any) -> tuple[PayloadForm, list[Any]]:
    """Return the payloads of some calls, which have one form."""
    copied = [Copiers()[type(row)](row) for row in features]
    (form,) = {form for form, _, _ in copied}
    return form, [payload for _, _, payload in copied]


def table(*features: Any, names: tuple[str, ...] = NAMES) -> Any:
    """Return the table of some calls."""
    return build_table(*payloads(*features), names)


TABLES = {
    "mapping": lambda: table(*ROWS),
    "mappings": lambda: table(ROWS[:1], ROWS[1:]),
    "sequence": lambda: table(*MATRIX),
    "sequences": lambda: table(MATRIX[:1], MATRIX[1:]),
    "array": lambda: table(*map(np.array, MATRIX)),
    "arrays of two types": lambda: table(np.array([1.0, 2.0]), np.array([3, 4])),
    "matrix": lambda: table(np.array(MATRIX)),
    "matrices of two types": lambda: table(np.array([[1.0, 2.0]]), np.array([[3, 4]])),
    "columns": lambda: batch_table(
        PayloadForm.COLUMNS, {"a": [1.0, 3.0], "b": np.array([2, 4])}, 2
    ),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES.keys())
def test_every_form_gives_the_same_columns(make: Any) -> None:
    """Columns, names and the number of rows are the same in every form."""
    columns = make()
    assert columns.rows == 2
    assert list(columns.column("a")) == [1.0, 3.0]
    assert list(columns.column("b")) == [2.0, 4.0]
    assert columns.column("c") in (None, [None, None])
    assert dict(columns.names()) == {"a": 2, "b": 2}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES.keys())
def test_a_matrix_read_in_one_step_equals_its_columns(make: Any) -> None:
    """`matrix` has the requested columns in their order, or is None."""
    columns = make()
    matrix = columns.matrix(["b", "a"])
    if matrix is not None:
        np.testing.assert_array_equal(matrix, [[2.0, 1.0], [4.0, 3.0]])
    assert columns.matrix(["a", "c"]) is None


@pytest.mark.parametrize("form", ["mapping", "sequence", "array", "matrix"])
def test_plain_numbers_are_read_in_one_step(form: str) -> None:
    """The forms that a busy service uses have the fast path."""
    assert TABLES[form]().matrix(NAMES) is not None


@pytest.mark.parametrize("bad", ["2", [2.0], (2.0,), {}, np.array([2.0]), 10**400], ids=repr)
@pytest.mark.parametrize("names", [("a",), ("a", "b")], ids=["one field", "two fields"])
def test_rows_with_a_value_that_is_not_a_number_are_not_read_in_one_step(
    bad: object, names: tuple[str, ...]
) -> None:
    """A list of one number in every row is not read as that number."""
    mappings = [dict.fromkeys(names, bad)] * 2
    assert table(*mappings).matrix(names) is None
    assert build_table(PayloadForm.SEQUENCE, [(bad,) * len(names)] * 2, names).matrix(names) is None


def test_a_row_without_a_key_has_a_missing_value() -> None:
    """The gap is None, in that row alone."""
    assert table({"a": 1.0}, {"b": 2.0}).column("a") == [1.0, None]
    assert build_table(PayloadForm.SEQUENCE, [(1.0,), (3.0, 4.0)], NAMES).column("b") == [None, 4.0]


def test_a_row_that_could_not_be_read_is_unreadable_in_every_column() -> None:
    """Every field of that row has a value of a wrong type."""
    for batch in ([{"a": 1.0}, 5], [(1.0, 2.0), 5]):
        assert table(batch).column("a") == [1.0, UNREADABLE]
    assert table(np.zeros((3, 1, 1))).column("a") == [UNREADABLE] * 3


def test_names_are_text_for_keys_of_any_type() -> None:
    """The value of key 0 is found as "0", as is a column of a frame."""
    columns = table({0: 1.0, "b": 2.0}, {"0": 3.0, None: 4.0})
    assert columns.column("0") == [1.0, 3.0]
    assert dict(columns.names()) == {"0": 2, "b": 1, "None": 1}


class HostileKey:
    """A key that raises when converted to text."""

    def __str__(self) -> str:
        raise RuntimeError


def test_a_key_that_raises_makes_its_row_unreadable() -> None:
    """Other rows are kept."""
    assert table({HostileKey(): 1.0}, {"a": 2.0}).column("a") == [UNREADABLE, 2.0]


def test_values_beyond_the_declared_names_are_reported_by_position() -> None:
    """A row or an array with too many columns gives its surplus names."""
    assert table([1.0, 2.0, 3.0], [1.0, 2.0]).names() == {"a": 2, "b": 2, "[2]": 1}
    assert table(np.ones((2, 3))).names() == {"a": 2, "b": 2, "[2]": 2}


@pytest.mark.parametrize(
    ("rows", "only"),
    [
        ([{"a": 1, "b": 2}], True),
        ([{"a": 1, "b": 2, "c": 3}], False),
        ([{"a": 1, "b": 2}, {"a": 1, "c": 3}], False),
        ([[1, 2], [1]], True),
        ([[1, 2, 3]], False),
        ([np.ones(2)], True),
        ([np.ones(3)], False),
    ],
    ids=["full", "one more", "another", "short", "long", "array", "wide array"],
)
def test_a_table_reports_whether_it_holds_other_columns(rows: list[Any], only: bool) -> None:  # noqa: FBT001 - a row of the table
    """A table whose two fields were read can tell so without comparing names."""
    mixed = table(*rows)
    if mixed.matrix(NAMES) is None:
        mixed.column("a"), mixed.column("b")
    assert mixed.holds_only(2) is only


def test_an_array_of_text_does_not_change_the_numbers_of_other_calls() -> None:
    """Joined arrays keep the type of each call."""
    columns = table(np.array([[1.0, 2.0]]), np.array([["x", "y"]]), np.array([[5.0, 6.0]]))
    assert list(columns.column("a")) == [1.0, "x", 5.0]


@pytest.mark.parametrize(
    "column",
    [[1.0], [1.0, 2.0, 3.0], np.ones((2, 2, 1)), np.array(1.0), 5.0, "ab", None, {"x": 1, "y": 2}],
    ids=["short", "long", "wide", "0-d", "scalar", "text", "none", "mapping"],
)
def test_a_column_without_one_value_a_row_is_unreadable(column: object) -> None:
    """It has a wrong type in each row, and the other columns are kept."""
    columns = batch_table(PayloadForm.COLUMNS, {"bad": column, "good": [1.0, 2.0]}, 2)
    assert columns.column("bad") == [UNREADABLE] * 2
    assert columns.column("good") == [1.0, 2.0]


def test_a_matrix_of_one_column_is_read_as_a_column() -> None:
    """An array `[rows, 1]` has one value a row."""
    columns = batch_table(PayloadForm.COLUMNS, {"a": np.array([[1.0], [2.0]])}, 2)
    np.testing.assert_array_equal(columns.column("a"), [1.0, 2.0])


@pytest.mark.parametrize("form", [PayloadForm.COLUMNS, PayloadForm.FRAME])
def test_joining_whole_batches_is_refused(form: PayloadForm) -> None:
    """It would be an error of the caller."""
    with pytest.raises(ValueError, match="one payload at a time"):
        build_table(form, [], NAMES)


def test_positions_without_names_are_named_from_x0() -> None:
    """Rows, vectors and matrices have the columns x0, x1, and so on."""
    for columns in (
        table([1.0, 2.0], [3.0, 4.0], names=()),
        table(np.array([1.0, 2.0]), np.array([3.0, 4.0]), names=()),
        table(np.array(MATRIX), names=()),
    ):
        assert dict(columns.names()) == {"x0": 2, "x1": 2}
        assert list(columns.column("x1")) == [2.0, 4.0]
        np.testing.assert_array_equal(columns.matrix(["x0", "x1"]), MATRIX)
        assert columns.holds_only(2)


def test_a_wide_row_without_names_does_not_affect_other_rows() -> None:
    """A third value in one of two rows is one value of x2."""
    assert table([1.0, 2.0, 3.0], [1.0, 2.0], names=()).names() == {"x0": 2, "x1": 2, "x2": 1}
