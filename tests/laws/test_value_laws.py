"""Laws of values: each value has one name and one number in whatever form it arrives."""

import datetime as dt
import math
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonitor.aggregate.segments import segment_values
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.capture.canonical import category_name, number, unix_seconds
from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.form import Copied
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.results import copy_columns
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.numbers import (
    category_names,
    lookup_values,
    parse_datetimes,
    parse_floats,
)
from mlmonitor.capture.read.rows import read_rows
from mlmonitor.capture.values import Values
from mlmonitor.reference.training_data import feature_columns

Form = Callable[[Sequence[Any]], Any]

SHAPE = Shape(("x",), Outputs())

YEAR_1900, YEAR_2200 = (dt.datetime.fromisoformat(f"{year}-01-01") for year in (1900, 2200))
MOMENTS = st.datetimes(YEAR_1900, YEAR_2200)
DURATIONS = st.timedeltas(dt.timedelta(-30_000), dt.timedelta(30_000))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SINGLES = st.floats(allow_nan=False, allow_infinity=False, width=32)
TEXTS = st.text(max_size=8).filter(lambda text: "\x00" not in text)


def of_rows(make: Callable[[Any], Any] = lambda value: value) -> Form:
    """Return a form of rows with a single value each."""
    return lambda values: [{"x": None if value is None else make(value)} for value in values]


def of_column(make: Callable[[Sequence[Any]], Any]) -> Form:
    """Return a form of columns by name."""
    return lambda values: {"x": make(values)}


ANY = {
    "rows": of_rows(),
    "list": of_column(list),
    "tuple": of_column(tuple),
    "objects": of_column(lambda values: np.array([*values, None], object)[:-1]),
    "pandas objects": of_column(lambda values: pd.Series(values, dtype=object)),
    "pandas categories": of_column(pd.Categorical),
    "frame of objects": lambda values: pd.DataFrame({"x": pd.Series(values, dtype=object)}),
}
TYPED = {
    "pandas": of_column(lambda values: pd.Series(pd.array(values))),
    "pandas array": of_column(pd.array),
    "frame": lambda values: pd.DataFrame({"x": pd.array(values)}),
    "polars": of_column(pl.Series),
    "polars frame": lambda values: pl.DataFrame({"x": values}),
    "arrow": of_column(pa.array),
    "arrow table": lambda values: pa.table({"x": values}),
    "arrow chunks": of_column(lambda values: pa.chunked_array([pa.array(values)])),
    "pandas over arrow": of_column(
        lambda values: pd.Series(pa.array(values).to_pandas(types_mapper=pd.ArrowDtype))
    ),
    "arrow scalars": of_rows(pa.scalar),
}
TIMES = {
    f"numpy {unit}": of_column(
        lambda values, unit=unit: np.array(values, f"{letter(values)}8[{unit}]")
    )
    for unit in ("us", "ns")
} | {
    "numpy scalars": of_rows(lambda value: np.array([value], f"{letter([value])}8[us]")[0]),
    "records": lambda values: np.rec.fromarrays(
        [np.array(values, f"{letter(values)}8[ns]")], names=["x"]
    ),
    "masked": of_column(lambda values: np.ma.array(np.array(values, f"{letter(values)}8[us]"))),
}
INSTANTS = {
    "time zone": of_column(
        lambda values: (
            pd.Series(pd.to_datetime(values)).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
        )
    ),
    "aware": of_rows(
        lambda value: value.replace(tzinfo=dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=-5)))
    ),
    "timestamps": of_rows(pd.Timestamp),
    "polars time zone": of_column(
        lambda values: pl.Series(values, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
    ),
}


def letter(values: Sequence[Any]) -> str:
    """Return numpy's type letter for these times."""
    is_moment = any(isinstance(value, dt.datetime) for value in values)
    return "M" if is_moment else "m"


def captured(features: Any) -> Values:
    """Return the column `x` of a host's call as the worker reads it."""
    copied: Copied = (
        copy_columns(features)
        if isinstance(features, dict)
        else Copiers()[type(features)](features)
    )
    entry: Entry = (SHAPE, *copied, None, 1, None, [])
    column = read_rows([entry]).features.column("x")
    assert column is not None
    return column


def assert_agrees(
    form: Form, values: Sequence[Any], read: Callable[[Values], Any], single: Any
) -> None:
    """Assert that every reader gives each value the same name and number, live and in a fit."""
    names = [category_name(value) for value in values]
    numbers = [nan_or(single(value)) for value in values]
    for column in (captured(form(values)), feature_columns(form(values))[0]["x"]):
        assert category_names(column) == names
        assert [key[0] for key in segment_values([column])] == names
        np.testing.assert_array_equal(read(column)[0], numbers)
        dictionary = Dictionary([name for name in dict.fromkeys(names) if name is not None])
        codes = dictionary.encode(lookup_values(column)).codes.tolist()
        assert [dictionary.top[code] if code >= 0 else None for code in codes] == names


def nan_or(value: float | None) -> float:
    """Return NaN where there is no finite number."""
    return value if value is not None and math.isfinite(value) else math.nan


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Draw columns with at least one value and with gaps."""
    return st.lists(st.one_of(values, st.none()), min_size=1, max_size=6).filter(
        lambda column: any(value is not None for value in column)
    )


@pytest.mark.parametrize("form", [*ANY, *TYPED])
@pytest.mark.parametrize("kind", ["integers", "floats", "texts", "truths"])
def test_numbers_texts_and_booleans_are_the_same_in_every_form(form: str, kind: str) -> None:
    """64-bit integers stay exact beside gaps, and a gap does not turn booleans into numbers."""
    drawn = {"integers": INTEGERS, "floats": FLOATS, "texts": TEXTS, "truths": st.booleans()}

    @settings(max_examples=30)
    @given(some(drawn[kind]))
    def law(values: list[Any]) -> None:
        assert_agrees((ANY | TYPED)[form], values, parse_floats, number)

    law()


@pytest.mark.parametrize("form", [*ANY, *TYPED, *TIMES, *INSTANTS])
def test_a_point_in_time_is_the_same_in_every_form(form: str) -> None:
    """Any unit, time zone and library is covered."""

    @settings(max_examples=30)
    @given(some(MOMENTS))
    def law(values: list[Any]) -> None:
        assert_agrees((ANY | TYPED | TIMES | INSTANTS)[form], values, parse_datetimes, unix_seconds)

    law()


@pytest.mark.parametrize("form", [*ANY, *TYPED, *TIMES])
def test_a_duration_is_the_same_in_every_form(form: str) -> None:
    """Its number is its length in seconds."""

    @settings(max_examples=30)
    @given(some(DURATIONS))
    def law(values: list[Any]) -> None:
        assert_agrees((ANY | TYPED | TIMES)[form], values, parse_floats, number)

    law()


@pytest.mark.parametrize("form", list(ANY))
@settings(max_examples=30)
@given(
    values=some(
        st.one_of(
            st.decimals(allow_nan=False, allow_infinity=False, places=3),
            st.fractions(max_denominator=50),
            st.uuids(),
            st.times(),
            st.dates(),
            st.integers(0, 30).map(lambda day: pd.Period(ordinal=day, freq="D")),
            st.integers(0, 30).map(lambda left: pd.Interval(left, left + 1)),
            st.binary(max_size=5),
        )
    )
)
def test_an_object_that_is_one_value_is_the_same_in_every_form(
    form: str, values: list[Any]
) -> None:
    """Examples are decimals, fractions, ids, times of day, dates, periods, intervals and bytes."""
    if form == "pandas categories":  # one category cannot be of several types
        values = [value for value in values if value is None or type(value) is type(values[-1])]
    assert_agrees(ANY[form], values or [uuid.UUID(int=1)], parse_floats, number)


@given(st.integers(-(2**53), 2**53))
def test_equal_numbers_of_any_type_are_one_category(value: int) -> None:
    """An integer, float, decimal, fraction or numpy scalar has one name and one number."""
    forms = [value, float(value), Decimal(value), Fraction(value), np.int64(value)]
    forms += [np.float64(value), np.longdouble(value), pa.scalar(value)]
    assert {category_name(form) for form in forms} == {str(value)}
    assert {number(form) for form in forms} == {float(value)}


@given(SINGLES.filter(lambda value: not value.is_integer()))
def test_a_float32_and_its_shortest_decimal_are_one_category(value: float) -> None:
    """The 32-bit 0.1, its widening to 64 bits and the float 0.1 have one name."""
    single = np.float32(value)
    assert len({category_name(form) for form in (single, float(single))}) == 1
    assert category_name(float(str(single))) == category_name(single)
