"""Slice large batches, so that recording one needs a bounded amount of memory."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.form import PLAIN_TYPES
from mlmonitor.capture.frames import is_frame
from mlmonitor.records import Floats


class RecordedBatch(NamedTuple):
    """The arguments of one call of `record`, before they are copied.

    times: when the rows were predicted, in seconds since 1970, one for all or one per row.
    """

    features: Any
    predictions: Any
    ids: Any = None
    times: Floats | None = None


def slice_batch(batch: RecordedBatch, rows_per_slice: int) -> Iterator[RecordedBatch]:
    """Yield the batch in order, at most `rows_per_slice` rows at a time.

    Arrays and frames are sliced without copying. A batch stays whole if it is small, or if one of
    its parts does not have one entry per row or has a type that cannot be sliced.
    Price: one slice of each column; no value is read.
    """
    rows = _count_rows(batch.features)
    if rows is None or rows <= rows_per_slice or not _fits(batch, rows):
        yield batch
        return
    for start in range(0, rows, rows_per_slice):
        stop = min(start + rows_per_slice, rows)
        features, predictions, ids = (_slice(p, rows, start, stop) for p in batch[:3])
        times = batch.times
        own = times if times is None or times.size != rows else times[start:stop]
        yield RecordedBatch(features, predictions, ids, own)


def _count_rows(features: Any) -> int | None:
    """Number of rows; None if `features` cannot be sliced by row."""
    if isinstance(features, np.ndarray):
        is_rows = features.ndim == 2 or (features.ndim == 1 and features.dtype.names is not None)
        return len(features) if is_rows else None
    if is_frame(type(features)):
        return len(features) if _has_slices(features) and hasattr(features, "__len__") else None
    if isinstance(features, Mapping):
        lengths = {_measure_length(column) for column in features.values()}
        return lengths.pop() if len(lengths) == 1 else None
    if isinstance(features, list) and features and type(features[0]) not in PLAIN_TYPES:
        return len(features)
    return None


def _fits(batch: RecordedBatch, rows: int) -> bool:
    """Whether predictions and ids have one entry per row."""
    ids_fit = batch.ids is None or _measure_length(batch.ids) == rows
    return ids_fit and (batch.predictions is None or _has_rows(batch.predictions, rows))


def _has_rows(predictions: Any, rows: int) -> bool:
    """Whether there is one prediction per row, in one container or in one container per output."""
    if isinstance(predictions, Mapping):
        return all(_measure_length(column) == rows for column in predictions.values())
    if _is_outputs(predictions, rows):
        return True
    return _measure_length(predictions) == rows


def _is_outputs(predictions: Any, rows: int) -> bool:
    """Whether `predictions` is a list with an array per output, as from `predict_proba`."""
    is_list = isinstance(predictions, list) and 0 < len(predictions) < rows
    return is_list and all(isinstance(p, np.ndarray) and len(p) == rows for p in predictions)


def _measure_length(column: Any) -> int | None:
    """Length of a column; None if it cannot be sliced."""
    if isinstance(column, list | tuple):
        return len(column)
    if isinstance(column, np.ndarray):
        return len(column) if column.ndim else None
    if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
        return None
    return len(column) if _has_slices(column) else None


def _has_slices(table: Any) -> bool:
    return hasattr(table, "iloc") or callable(getattr(table, "slice", None))


def _slice(part: Any, rows: int, start: int, stop: int) -> Any:
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {name: _slice(column, rows, start, stop) for name, column in part.items()}
    if _is_outputs(part, rows):
        return [output[start:stop] for output in part]
    return _slice_column(part, start, stop)


def _slice_column(column: Any, start: int, stop: int) -> Any:
    if hasattr(column, "iloc"):
        return column.iloc[start:stop]
    if isinstance(column, list | tuple | np.ndarray):
        return column[start:stop]
    return column.slice(start, stop - start)
