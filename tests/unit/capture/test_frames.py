"""Frames of pandas, polars and pyarrow are copied completely and read alike."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frames import JOINED_ROWS
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.results import copy_columns, copy_result
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.capture.read.rows import Rows, gather, read_rows
from mlmonitor.capture.read.tables import Table, batch_table, build_table
from mlmonitor.capture.values import UNREADABLE
from mlmonitor.records import Floats

Make = Callable[[dict[str, Any]], Any]

MAKERS: dict[str, Make] = {
    "pandas": pd.DataFrame,
    "pandas of objects": lambda columns: pd.DataFrame(columns, dtype=object),
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas on arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(
        dtype_backend="pyarrow"
    ),
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "pyarrow": pa.table,
    "record batch": pa.RecordBatch.from_pydict,
    "narwhals": lambda columns: nw.from_native(pl.DataFrame(columns, strict=False)),
}


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def make(request: pytest.FixtureRequest) -> Make:
    """A function that makes a frame from columns."""
    maker: Make = request.param
    return maker


def table(frame: Any) -> Table:
    """Return the frame as the worker reads it."""
    form, rows, payload = Copiers()[type(frame)](frame)
    if form is PayloadForm.FRAME_ROW:
        return build_table(form, [payload], ())
    assert form is PayloadForm.FRAME
    return batch_table(form, payload, rows)


def column(frame: Any, name: str) -> tuple[list[float], list[int]]:
    """Return one numeric column and the counts of its refused values."""
    values = table(frame).column(name)
    assert values is not None
    floats, refused = parse_floats(values)
    return floats.tolist(), refused.tolist()


def same(actual: Floats | list[float], expected: list[float]) -> bool:
    """Return whether the numbers are equal, NaN included."""
    return np.array_equal(actual, expected, equal_nan=True)


def test_a_null_in_a_numeric_column_is_one_missing_value(make: Make) -> None:
    """The numbers around a null are kept, whatever type the library gives the column."""
    frame = make({"i": [1, None, 3], "f": [1.5, None, 3.5], "b": [True, None, False]})
    for name, expected in [
        ("i", [1, math.nan, 3]),
        ("f", [1.5, math.nan, 3.5]),
        ("b", [1, math.nan, 0]),
    ]:
        numbers, refused = column(frame, name)
        assert same(numbers, expected), name
        assert refused == [1, 0, 0], name


def test_full_columns_are_read_without_loss(make: Make) -> None:
    """Nothing is refused if nothing is missing; text in a numeric field has a wrong type."""
    frame = make({"i": [1, 2], "f": [1.5, 2.5], "t": ["1", "2"]})
    assert column(frame, "i") == ([1, 2], [0, 0, 0])
    assert column(frame, "f") == ([1.5, 2.5], [0, 0, 0])
    assert column(frame, "t")[1] == [0, 0, 2]


def test_a_frame_of_one_row_is_a_batch_of_one(make: Make) -> None:
    """Its table has one row."""
    assert table(make({"a": [1.0]})).rows == 1


def test_missing_values_among_texts_stay_missing(make: Make) -> None:
    """Text stays text, and a null is missing."""
    values = table(make({"t": ["x", None]})).column("t")
    assert values is not None
    assert values[0] == "x"
    assert parse_floats(values)[1].tolist() == [1, 0, 1]


def test_missing_values_among_datetimes_stay_missing(make: Make) -> None:
    """The other values become seconds, exact to the microsecond."""
    when = datetime(1970, 1, 2, 0, 0, 0, 250_000)  # noqa: DTZ001 - frames hold naive ones
    values = table(make({"when": [when, None]})).column("when")
    assert values is not None
    datetimes, refused = parse_datetimes(values)
    assert same(datetimes, [86_400.25, math.nan])
    assert refused.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"when": [pd.Timestamp("1970-01-02T02:00", tz="Etc/GMT-2"), pd.NaT]}),
        pl.DataFrame({"when": [datetime(1970, 1, 2, tzinfo=UTC), None]}),
        pa.table({"when": [datetime(1970, 1, 2, tzinfo=UTC), None]}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_datetimes_with_a_time_zone_are_converted_to_utc(frame: Any) -> None:
    """The times are the same moments."""
    values = table(frame).column("when")
    assert values is not None
    assert same(parse_datetimes(values)[0], [86_400, math.nan])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"c": pd.Categorical(["x", None, "y"])}),
        pl.DataFrame({"c": pl.Series(["x", None, "y"], dtype=pl.Categorical)}),
        pa.table({"c": pa.array(["x", None, "y"]).dictionary_encode()}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_missing_values_among_categories_stay_missing(frame: Any) -> None:
    """They may be in a frame or in a separate column."""
    own = copy_columns({"c": frame["c"]})[2]["c"]
    for values in (table(frame).column("c"), own):
        assert values is not None
        assert [values[0], values[2]] == ["x", "y"]
        assert parse_floats(values)[1].tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"d": [timedelta(seconds=2), None]}),
        pl.DataFrame({"d": [timedelta(seconds=2), None]}),
        pa.table({"d": pa.array([timedelta(seconds=2), None])}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_durations_in_frames_are_read_as_seconds(frame: Any) -> None:
    """A duration becomes its number of seconds."""
    seconds, refused = column(frame, "d")
    assert same(seconds, [2.0, math.nan])
    assert refused == [1, 0, 0]


def test_decimals_in_frames_are_read_as_numbers() -> None:
    """Exact decimals become floats."""
    frame = pl.DataFrame({"d": [Decimal("1.25"), None]})
    assert same(column(frame, "d")[0], [1.25, math.nan])


def test_nested_columns_have_a_wrong_type(make: Make) -> None:
    """A list in a cell is not a number, and the other columns are kept."""
    frame = make({"a": [1.0, 2.0], "nested": [[1], [2]]})
    assert column(frame, "nested")[1] == [0, 0, 2]
    assert column(frame, "a")[1] == [0, 0, 0]


@pytest.mark.parametrize("name", ["polars", "pyarrow", "record batch", "pandas", "narwhals"])
def test_the_buffer_behind_a_frame_may_be_reused(name: str) -> None:
    """The frame was made without a copy, and its buffer is overwritten after the call."""
    buffer = np.ones(3)
    frame = (
        pd.DataFrame({"a": buffer}, copy=False)
        if name == "pandas"
        else pa.RecordBatch.from_arrays([pa.array(buffer)], ["a"])
        if name == "record batch"
        else MAKERS[name]({"a": buffer})
    )
    seen, result = table(frame), copy_result(frame)
    own = copy_result(frame["a"])
    buffer[:] = 9.0
    assert parse_floats(seen.column("a"))[0].tolist() == [1.0] * 3
    assert batch_table(PayloadForm.FRAME, result, 3).column("a")[0] == 1.0
    assert own[0] == 1.0


def test_later_changes_of_a_frame_do_not_reach_the_copy() -> None:
    """Cells and columns are assigned, and a column is removed."""
    frame = pd.DataFrame({"a": [2.0, 1.0], "t": ["x", "y"]})
    seen = table(frame)
    frame.loc[0, "a"] = 9.0
    frame["t"] = "z"
    frame.pop("t")
    assert parse_floats(seen.column("a"))[0].tolist() == [2.0, 1.0]
    assert list(seen.column("t")) == ["x", "y"]


def test_columns_of_a_frame_are_named_by_text() -> None:
    """A column called 0 is the field "0"."""
    assert table(pd.DataFrame(np.ones((2, 2)))).names() == {"0": 2, "1": 2}


def test_a_frame_that_names_a_column_twice_is_unreadable() -> None:
    """Its values would be ambiguous."""
    seen = table(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))
    assert seen.rows == 1
    assert seen.column("a") == [UNREADABLE]


def test_a_pandas_series_is_read_as_a_row() -> None:
    """It is read by name, or by position without names."""
    row = pd.DataFrame({"a": [1.0], "b": [2.0]}).iloc[0]
    assert Copiers()[type(row)](row) == (PayloadForm.MAPPING, 1, {"a": 1.0, "b": 2.0})
    for series in (pd.Series([1.0, None]), pl.Series([1.0, None])):
        form, rows, payload = Copiers()[type(series)](series)
        assert (form, rows, payload[0]) == (PayloadForm.SEQUENCE, 1, 1.0)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, None]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype="int64[pyarrow]"),
        pd.Series([1, None], dtype=object),
        pl.Series([1, None]),
        pa.chunked_array([[1, None]]),
        pa.array([1, None]),
        nw.from_native(pl.Series([1, None]), series_only=True),
    ],
    ids=["pandas", "nullable", "on arrow", "objects", "polars", "chunks", "arrow", "narwhals"],
)
def test_a_separate_column_is_read_as_in_its_frame(series: Any) -> None:
    """Columns by name may be series of any library."""
    _, rows, columns = copy_columns({"a": series})
    values = batch_table(PayloadForm.COLUMNS, columns, rows).column("a")
    assert values is not None
    numbers, refused = parse_floats(values)
    assert same(numbers, [1, math.nan])
    assert refused.tolist() == [1, 0, 0]


def test_a_lazy_frame_is_not_collected() -> None:
    """The copier raises TypeError, which the guard holds, and nothing is computed."""
    lazy = pl.LazyFrame({"a": [1.0]})
    with pytest.raises(TypeError):
        Copiers()[type(lazy)](lazy)


def entry(frame: Any, prediction: float) -> Entry:
    """Return a call with this frame."""
    form, rows, payload = Copiers()[type(frame)](frame)
    return PLAIN, form, rows, payload, prediction, 1, None, []


PLAIN = Shape((), Outputs())
ONE_ROWS: list[dict[str, list[Any]]] = [
    {"a": [1.5], "n": [1], "t": ["x"]},
    {"a": [math.nan], "n": [2], "t": ["y"]},
    {"a": [2.5], "n": [3], "t": [None]},
    {"a": [3.5], "t": ["z"], "n": [4]},  # in another order
    {"a": [4], "n": [5], "t": ["x"]},  # of another type
    {"a": [5.5], "n": [(1 << 60) + 1], "t": ["x"]},
    {"a": [6.5], "n": [7]},  # one fewer
    {"a": [7.5], "n": [8]},
    {"a": [8.5, 9.5], "n": [9, 10]},
]


def test_frames_read_together_equal_frames_read_one_by_one(make: Make) -> None:
    """Values, types and order are the same; only frames of equal columns are joined."""
    calls = [entry(make(columns), float(at)) for at, columns in enumerate(ONE_ROWS)]
    runs = [read_rows(run) for run in gather(calls)]
    assert 1 < len(runs) < len(calls)
    assert sum(run.count for run in runs) == sum(len(columns["a"]) for columns in ONE_ROWS)
    alone = [read_rows([call]) for call in calls]
    for name in ("a", "n", "t"):
        assert told(runs, name) == told(alone, name)
    for read_runs in (runs, alone):
        predictions = [value for run in read_runs for value in run.predictions["prediction"]]
        assert predictions[:8] == [*range(8)]


def told(runs: Sequence[Rows], name: str) -> list[Any]:
    """Return every value of a column in all runs with its type, None where it is missing."""
    columns: list[Any] = []
    for run in runs:
        values = run.features.column(name)
        listed = [None] * run.count if values is None else list(values)
        columns += [None if is_missing(value) else (type(value), value) for value in listed]
    return columns


class Hostile:
    """A label that raises when it is converted to text."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (pd.NA, "a"), (Hostile(), Hostile()), ("1", 1)]
)
def test_frames_whose_labels_may_differ_are_read_one_by_one(one: Any, other: Any) -> None:
    """No other call is affected."""
    frames = [pd.DataFrame([[1.0]], columns=[label]) for label in (one, other)]
    calls = [entry(frame, 1.0) for frame in frames]
    runs = [*gather(calls)]
    assert [len(run) for run in runs] == [1, 1]


def test_at_most_32_frames_are_joined(make: Make) -> None:
    """Joining more would hold the interpreter too long."""
    calls = [entry(make({"a": [1.0, 2.0]}), [1.0, 2.0]) for _ in range(70)]
    assert [len(run) for run in gather(calls)] == [32, 32, 6]


def test_large_frames_are_read_one_by_one(make: Make) -> None:
    """Joining them would copy them a second time."""
    rows = JOINED_ROWS + 1
    calls = [entry(make({"a": [1.0] * rows}), 1.0) for _ in range(3)]
    assert [len(run) for run in gather(calls)] == [1, 1, 1]
