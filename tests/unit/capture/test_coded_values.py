"""A column of codes reads like the list of its values."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.capture.frame_columns import read_column
from mlmonitor.capture.read.numbers import category_names, parse_datetimes, parse_floats
from mlmonitor.capture.values import CodedValues

VALUES = st.one_of(
    st.sampled_from(["a", "b", "2024-01-01", "x" * 70, ""]),
    st.sampled_from([None, 1, 1.0, True, 0.5, float("nan"), float("inf"), 10**400, b"a"]),
    st.sampled_from([np.datetime64("2024-01-01", "us"), complex(1, 2)]),
)


@st.composite
def columns(draw: st.DrawFn) -> CodedValues:
    """Draw a column with unused categories and some equal ones."""
    categories = draw(st.lists(VALUES, max_size=8))
    places = st.integers(-1, len(categories) - 1)
    codes = draw(st.lists(places, min_size=len(categories), max_size=20))
    return CodedValues(categories, np.array(codes, draw(st.sampled_from(["i1", "i4", "i8"]))))


@given(columns())
def test_coded_values_read_like_the_list_of_their_values(column: CodedValues) -> None:
    """Length, values, names, numbers and times are compared."""
    listed = list(column)
    assert len(column) == len(listed)
    assert [column[row] for row in range(len(column))] == pytest.approx(listed, nan_ok=True)
    assert category_names(column) == category_names(listed)
    for read in (parse_floats, parse_datetimes):
        for ours, theirs in zip(read(column), read(listed), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@given(column=columns(), is_boolean=st.booleans(), is_closed=st.booleans())
def test_coded_values_are_encoded_like_the_list_of_their_values(
    *, column: CodedValues, is_boolean: bool, is_closed: bool
) -> None:
    """Codes, counts, refused values, and new and other names are compared."""
    dictionary = Dictionary(["a", "true"], ["b"], is_boolean=is_boolean, is_closed=is_closed)
    ours, theirs = dictionary.encode(column), dictionary.encode(list(column))
    assert ours.codes.tolist() == theirs.codes.tolist()
    assert ours.counts.tolist() == theirs.counts.tolist()
    assert (ours.missing, ours.wrong_type) == (theirs.missing, theirs.wrong_type)
    assert (ours.new, ours.other) == (theirs.new, theirs.other)


@given(columns(), st.integers(0, 20), st.integers(0, 20))
def test_a_slice_of_codes_equals_the_slice_of_their_values(
    column: CodedValues, start: int, stop: int
) -> None:
    """Slices and reordered rows are compared."""
    assert category_names(column[start:stop]) == category_names(list(column)[start:stop])
    rows = np.arange(len(column))[::-1]
    assert category_names(column.select_rows(rows)) == category_names(list(column)[::-1])


TEXTS = ["b", None, "a", "b"]
NUMBERS = [1, None, 3, 1]
TRUTHS = [True, None, False, True]
CODED: dict[str, tuple[Any, list[Any]]] = {
    "pandas category": (pd.Series(TEXTS, dtype="category"), TEXTS),
    "pandas category of numbers": (pd.Series(NUMBERS, dtype="category"), NUMBERS),
    "pandas texts": (pd.Series(TEXTS, dtype="string[pyarrow]"), TEXTS),
    "pandas booleans with gaps": (pd.array(TRUTHS, "boolean"), TRUTHS),
    "polars Categorical": (pl.Series(TEXTS, dtype=pl.Categorical), TEXTS),
    "polars Enum": (pl.Series(TEXTS, dtype=pl.Enum(["z", "b", "a"])), TEXTS),
    "polars texts": (pl.Series(TEXTS), TEXTS),
    "polars booleans with gaps": (pl.Series(TRUTHS), TRUTHS),
    "arrow dictionary": (pa.array(TEXTS).dictionary_encode(), TEXTS),
    "arrow dictionary of numbers": (pa.array(NUMBERS).dictionary_encode(), NUMBERS),
    "arrow chunks": (
        pa.chunked_array([pa.array(TEXTS[:2]), pa.array(TEXTS[2:])]).dictionary_encode(),
        TEXTS,
    ),
    "arrow chunks with dictionaries of their own": (
        pa.chunked_array([pa.array(part).dictionary_encode() for part in (TEXTS[:2], TEXTS[2:])]),
        TEXTS,
    ),
    "arrow texts": (pa.array(TEXTS), TEXTS),
    "arrow booleans with gaps": (pa.array(TRUTHS), TRUTHS),
}


@pytest.mark.parametrize(("column", "values"), CODED.values(), ids=CODED)
def test_categorical_columns_of_every_library_are_read_by_their_codes(
    column: Any, values: list[Any]
) -> None:
    """None of them is read value by value."""
    coded = read_column(column)
    assert isinstance(coded, CodedValues)
    assert category_names(coded) == category_names(values)


WITH_GAPS: dict[str, Any] = {
    "pandas": pd.array(NUMBERS, "Int64"),
    "polars": pl.Series(NUMBERS, dtype=pl.Int16),
    "arrow": pa.array(NUMBERS),
}


@pytest.mark.parametrize("column", WITH_GAPS.values(), ids=WITH_GAPS)
def test_integers_with_gaps_are_floats_and_keep_their_names(column: Any) -> None:
    """An integer and an equal float have one name."""
    values = read_column(column)
    assert isinstance(values, np.ndarray)
    assert category_names(values) == ["1", None, "3", "1"]


BIG = [2**53 + 1, None]


@pytest.mark.parametrize(
    "column",
    [pd.array(BIG, "Int64"), pl.Series(BIG), pa.array(BIG)],
    ids=["pandas", "polars", "arrow"],
)
def test_an_integer_too_large_for_a_float_stays_exact_beside_a_gap(column: Any) -> None:
    """It is read as an object instead."""
    assert category_names(read_column(column)) == [str(2**53 + 1), None]


def test_a_dictionary_longer_than_its_column_keeps_only_the_categories_in_use() -> None:
    """A slice of a large column is such a case."""
    column = CodedValues([str(name) for name in range(1_000)], np.array([999, -1, 3]))
    assert column.categories == ["3", "999"]
    assert list(column) == ["999", None, "3"]


@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u4", "i8", "u8"])
def test_codes_of_every_type_are_counted(code: str) -> None:
    """Unsigned 64-bit codes are included, which numpy does not convert implicitly."""
    column = CodedValues(["a", "b", "c"], np.array([0, 2, 2, 0, 0], code))
    missing, rows = column.row_counts()
    assert (missing, rows.tolist()) == (0, [3, 0, 2])


WIDTHS = ["Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"]


@pytest.mark.parametrize("width", WIDTHS)
def test_integers_with_gaps_of_every_width_are_the_same_floats(width: str) -> None:
    """They come in a column, a part of it, and two chunks."""
    given = [None, 0, 127, None, 5, 9, None, 1, 2, None, 3]
    nullable = pd.array(given, width)
    whole = pa.array(given, getattr(pa, width.lower())())
    columns = [nullable, nullable[3:], pl.Series(given, dtype=getattr(pl, width))]
    columns += [
        whole,
        whole[3:],
        pa.chunked_array([whole[:2], whole[2:]]),
        pa.chunked_array([whole]),
    ]
    for column in columns:
        values = read_column(column)
        expected = [np.nan if v is None else v for v in given[len(given) - len(values) :]]
        assert isinstance(values, np.ndarray)
        np.testing.assert_array_equal(values, expected)


def test_a_number_hidden_behind_a_gap_does_not_decide_the_type() -> None:
    """A masked number too large for a float does not make the column one of objects."""
    hidden = pd.arrays.IntegerArray(np.array([2**53 + 1, 3]), np.array([True, False]))
    values = read_column(hidden)
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, [np.nan, 3.0])
