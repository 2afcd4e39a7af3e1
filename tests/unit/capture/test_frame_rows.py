"""One-row frames are read like rows, and joined only if their columns agree."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlmonitor.capture import frame_rows
from mlmonitor.capture.canonical import category_name, number
from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frame_rows import copy_frame_row
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.numbers import category_names, parse_floats
from mlmonitor.capture.read.rows import Rows, gather, read_rows

SHAPE = Shape((), Outputs())
BIG = 2**53 + 1
FRAMES: dict[str, pd.DataFrame] = {
    "floats": pd.DataFrame({"x": [0.1], "y": [2.5]}),
    "float32 beside integers": pd.DataFrame({"x": np.array([0.1], "f4"), "y": [3]}),
    "an integer beyond 2**53 beside a float": pd.DataFrame({"x": [BIG], "y": [0.5]}),
    "a missing float": pd.DataFrame({"x": [np.nan], "y": [1.0]}),
    "a boolean beside a float": pd.DataFrame({"x": [True], "y": [1.0]}),
    "booleans": pd.DataFrame({"x": [True], "y": [False]}),
    "a text": pd.DataFrame({"x": ["north"], "y": [1.0]}),
    "a category": pd.DataFrame({"x": pd.Categorical(["b"], ["a", "b"]), "y": [1.0]}),
    "a category of integers": pd.DataFrame({"x": pd.Categorical([7], [7, 9]), "y": ["n"]}),
    "a datetime": pd.DataFrame({"x": np.array(["2024-02-03T04:05:06.123456789"], "M8[ns]")}),
    "a datetime with a zone": pd.DataFrame(
        {"x": pd.to_datetime(["2024-02-03"]).tz_localize("Asia/Tokyo"), "y": [1]}
    ),
    "a duration": pd.DataFrame({"x": pd.to_timedelta(["1h"]), "y": [1]}),
    "a nullable integer": pd.DataFrame({"x": pd.array([BIG], "Int64"), "y": [1.0]}),
    "a missing nullable integer": pd.DataFrame({"x": pd.array([None], "Int64"), "y": [1.0]}),
    "a decimal of arrow": pd.DataFrame(
        {"x": pd.array([Decimal("1.5")], pd.ArrowDtype(pa.decimal128(10, 2))), "y": [1.0]}
    ),
    "numbers, truths and texts": pd.DataFrame(
        {"x": ["north"], "f": [0.5], "i": [3], "b": [True], "h": np.array([0.1], "f4")}
    ),
    "a missing text": pd.DataFrame({"x": pd.array([None], "str"), "y": [1.0]}),
    "objects": pd.DataFrame({"x": [dt.date(2024, 1, 1)], "y": [b"raw"]}, dtype=object),
}


def entry_of(frame: Any) -> Entry:
    """Return the queued call with a frame."""
    return (SHAPE, *Copiers()[type(frame)](frame), None, 1, None, [])


def read_all(*frames: Any) -> list[Rows]:
    """Return what the worker reads from calls with these frames, joined where they agree."""
    return [read_rows(run) for run in gather([entry_of(frame) for frame in frames])]


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_one_row_frame_is_read_like_a_longer_frame(frame: pd.DataFrame) -> None:
    """Longer frames are read by column."""
    (rows,) = read_all(frame)
    (both,) = read_all(pd.concat([frame, frame], ignore_index=True))
    for name in frame.columns:
        column, twice = rows.features.column(name), both.features.column(name)
        assert column is not None
        assert twice is not None
        assert category_names(column) == category_names(twice)[:1]
        np.testing.assert_array_equal(parse_floats(column)[0], parse_floats(twice)[0][:1])


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_with_the_same_columns_are_read_together_in_order(frame: pd.DataFrame) -> None:
    """Many calls give one table."""
    other = frame.iloc[[0]].copy()
    (rows,) = read_all(frame, other, frame)
    assert rows.count == rows.features.rows == 3
    (column,) = [rows.features.column("x")]
    assert column is not None
    assert category_names(column) == [category_name(frame["x"].tolist()[0])] * 3


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_internal_arrays_of_pandas_and_its_public_interface_give_the_same_values(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of pandas may therefore store other arrays."""
    by_arrays = copy_frame_row(frame)
    monkeypatch.setattr(frame_rows, "_copy_blocks", lambda _: None)
    by_interface = copy_frame_row(frame)
    if by_arrays is None or by_interface is None:
        assert by_arrays is by_interface
        return
    assert by_arrays.dtype == by_interface.dtype
    pd.testing.assert_frame_equal(pd.DataFrame(by_arrays), pd.DataFrame(by_interface))
    for ours, theirs in zip(by_arrays[0].tolist(), by_interface[0].tolist(), strict=True):
        assert type(ours) is type(theirs)


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"y": [1.0], "x": [2.0]}),
        pd.DataFrame({"x": [1.0], "z": [2.0]}),
        pd.DataFrame({"x": [1], "y": [2]}),
        pd.DataFrame({"x": ["1"], "y": [2.0]}),
        pd.DataFrame({"x": [1.0]}),
    ],
    ids=["another order", "another name", "another type", "a text", "fewer columns"],
)
def test_frames_with_other_columns_are_not_joined(other: pd.DataFrame) -> None:
    """Each is read by its own columns and types."""
    first, second = read_all(pd.DataFrame({"x": [1.0], "y": [2.0]}), other)
    assert first.features.column("x")[0] == 1.0  # type: ignore[index]
    assert category_names(second.features.column("x")) == [  # type: ignore[arg-type]
        category_name(other["x"].tolist()[0])
    ]


def test_columns_labelled_1_and_true_are_not_joined() -> None:
    """They are equal in Python but have different names."""
    numbered, true = pd.DataFrame([[1.0]], columns=[1]), pd.DataFrame([[2.0]], columns=[True])
    assert [list(rows.features.names()) for rows in read_all(numbered, true)] == [["1"], ["True"]]


def test_two_columns_of_one_name_make_an_unreadable_row() -> None:
    """The values have a wrong type."""
    (rows,) = read_all(pd.DataFrame([[1.0, 2.0]], columns=["x", "x"]))
    assert rows.count == 1
    assert number(rows.features.column("x")[0]) is None  # type: ignore[index]


def test_a_later_change_of_the_frame_does_not_change_what_was_recorded() -> None:
    """Values and labels are copied."""
    frame = pd.DataFrame(np.array([[1.0, 2.0]]), columns=["x", "y"])
    entry = entry_of(frame)
    frame.loc[0, "x"] = 9.0
    frame.columns = ["a", "b"]
    assert entry[1] is PayloadForm.FRAME_ROW
    assert read_rows([entry]).features.column("x")[0] == 1.0  # type: ignore[index]


def test_columns_that_the_reference_lacks_are_reported_by_name() -> None:
    """They count as unknown fields."""
    (rows,) = read_all(pd.DataFrame({"x": [1.0], "extra": [2.0]}))
    assert not rows.features.holds_only(2)
    assert rows.features.names() == {"x": 1, "extra": 1}
    assert rows.features.column("missing") is None
