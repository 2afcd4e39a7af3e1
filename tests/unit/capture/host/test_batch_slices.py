"""Large batches of any type are recorded slice by slice."""

from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.host.batch_slices import RecordedBatch, slice_batch

ROWS = 10
MATRIX = np.arange(2.0 * ROWS).reshape(ROWS, 2)
COLUMNS = {"a": MATRIX[:, 0], "b": MATRIX[:, 1]}
FEATURES = {
    "a matrix": MATRIX,
    "a structured array": np.array(
        [tuple(row) for row in MATRIX], dtype=[("a", "f8"), ("b", "f8")]
    ),
    "columns": COLUMNS,
    "columns of lists": {name: column.tolist() for name, column in COLUMNS.items()},
    "columns of Series": {
        name: pd.Series(column, index=range(5, 15)) for name, column in COLUMNS.items()
    },
    "columns of arrow": {name: pa.array(column) for name, column in COLUMNS.items()},
    "a pandas frame": pd.DataFrame(COLUMNS, index=range(ROWS, 0, -1)),
    "a polars frame": pl.DataFrame(COLUMNS),
    "an arrow table": pa.table(COLUMNS),
    "rows by name": [dict(zip("ab", row, strict=True)) for row in MATRIX.tolist()],
    "rows by position": MATRIX.tolist(),
}
PREDICTIONS = {
    "an array": MATRIX[:, 0],
    "a column": MATRIX[:, :1],
    "a list": MATRIX[:, 0].tolist(),
    "a Series": pd.Series(MATRIX[:, 0]),
    "several outputs by name": {"low": MATRIX[:, 0], "high": MATRIX[:, 1].tolist()},
    "several outputs as scikit-learn returns them": [MATRIX, MATRIX],
    "nothing": None,
}


def values(part: Any) -> Any:
    """Convert any of these types to nested lists."""
    if isinstance(part, dict):
        return {name: values(column) for name, column in part.items()}
    if isinstance(part, list) and part and isinstance(part[0], np.ndarray):
        return [output.tolist() for output in part]
    if isinstance(part, pd.DataFrame | pl.DataFrame | pa.Table):
        return np.asarray(part).tolist()
    return np.asarray(part).tolist()


def joined(parts: list[Any]) -> Any:
    """Join the contents of the slices."""
    if isinstance(parts[0], dict):
        return {name: list(chain(*(part[name] for part in parts))) for name in parts[0]}
    return list(chain(*parts))


@pytest.mark.parametrize("predictions", PREDICTIONS.values(), ids=PREDICTIONS)
@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
def test_slices_of_a_batch_hold_all_its_rows_in_order(features: Any, predictions: Any) -> None:
    """Ten rows in slices of four give four, four and two, each with its predictions and ids."""
    ids = [f"r-{row}" for row in range(ROWS)]
    slices = list(slice_batch(RecordedBatch(features, predictions, ids), 4))
    assert [len(part.ids) for part in slices] == [4, 4, 2]
    assert [row for part in slices for row in part.ids] == ids
    assert joined([values(part.features) for part in slices]) == values(features)
    if predictions is None:
        assert all(part.predictions is None for part in slices)
    elif isinstance(predictions, list) and isinstance(predictions[0], np.ndarray):
        for output in range(2):
            rows = [row for part in slices for row in part.predictions[output].tolist()]
            assert rows == predictions[output].tolist()
    else:
        assert joined([values(part.predictions) for part in slices]) == values(predictions)


@given(rows=st.integers(1, 50), limit=st.integers(1, 60))
def test_no_slice_of_a_batch_is_too_long_or_empty(rows: int, limit: int) -> None:
    """The sizes add up to that of the batch for any numbers."""
    sizes = [
        len(part.features) for part in slice_batch(RecordedBatch(np.ones((rows, 3)), None), limit)
    ]
    assert sum(sizes) == rows
    assert all(0 < size <= limit for size in sizes)


@pytest.mark.parametrize(
    "batch",
    [
        RecordedBatch({"a": [1.0] * ROWS, "b": [1.0] * 3}, None),
        RecordedBatch(MATRIX, [1.0] * 3),
        RecordedBatch(MATRIX, {"low": [1.0] * ROWS, "high": [1.0]}),
        RecordedBatch(MATRIX, 0.5),
        RecordedBatch(MATRIX, MATRIX[:, 0], ["one"]),
        RecordedBatch([1.0] * ROWS, None),
        RecordedBatch({name: iter(column) for name, column in COLUMNS.items()}, None),
        RecordedBatch(object(), MATRIX[:, 0]),
        RecordedBatch(np.ones(ROWS), None),
    ],
    ids=[
        "columns of different lengths",
        "too few predictions",
        "an output that is too short",
        "one prediction for all",
        "too few ids",
        "one long row",
        "iterators",
        "what cannot be read",
        "a vector",
    ],
)
def test_a_batch_with_parts_of_different_lengths_is_not_sliced(
    batch: RecordedBatch,
) -> None:
    """The reader reports the error once for the whole batch."""
    (whole,) = slice_batch(batch, 4)
    assert whole is batch


def test_slices_of_arrays_and_frames_are_views() -> None:
    """Slicing a large batch copies nothing."""
    first = next(slice_batch(RecordedBatch(MATRIX, MATRIX[:, 0]), 4))
    assert np.shares_memory(first.features, MATRIX)
    assert np.shares_memory(first.predictions, MATRIX)
