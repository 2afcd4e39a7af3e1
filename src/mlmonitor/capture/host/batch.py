"""Turn a batch that was scored elsewhere into an entry like that of a watched call."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np

from mlmonitor.capture.entry import Call, Entry, Shape, TimedCall, name
from mlmonitor.capture.form import UNREADABLE_ROW, Copied, PayloadForm
from mlmonitor.capture.frames import check_collected, get_only_column, is_frame, package_of
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.batch_slices import RecordedBatch
from mlmonitor.capture.host.copiers import Copiers, is_value
from mlmonitor.capture.host.results import copy_columns, extract_prediction, is_column
from mlmonitor.capture.outputs import is_output_list
from mlmonitor.capture.prediction_ids import id_or_none
from mlmonitor.errors import SchemaError

_MOST_IN_ROW = 20
_NAMED = 3  # columns that an error names
_NAME_CHARACTERS = 60
_EXPECTED_BATCH = "expected a frame, columns by name, a two-dimensional array or a list of rows"


def build_batch_entry(
    batch: RecordedBatch,
    *,
    shape: Shape,
    copiers: Copiers,
    guard: Guard,
) -> Entry:
    """Copy the batch. An unreadable part is counted as an internal error; its rows are kept.

    If nothing can be read from `features`, there are as many rows as predictions. If the number of
    predictions differs from the number of rows, predictions are recorded as missing.
    """
    features, predictions, ids, times = batch
    copied: Copied = PayloadForm.UNREADABLE, 0, 0
    with guard:
        _check_dimensions(features, predictions, shape.names)
        copied = _copy_features(features, predictions, copiers)
    form, rows, payload = copied
    if form is PayloadForm.COLUMNS:
        with guard:
            _check_columns("features", payload, rows)
    prediction = None
    with guard:
        check_collected("predictions", predictions)
        extracted = extract_prediction(shape.outputs, predictions)
        if rows == 0 and isinstance(extracted, Sized) and not isinstance(extracted, Mapping | str):
            form, rows, payload = PayloadForm.UNREADABLE, len(extracted), len(extracted)
        if isinstance(extracted, dict):
            prediction = extracted
            _check_columns("predictions", extracted, rows)
        elif _matches_rows(extracted, rows):
            prediction = extracted
    call: Call = [] if times is None else TimedCall()
    for set_property, values in ((_set_times, times), (_set_ids, ids)):
        with guard:
            set_property(call, values, rows)
    return shape, form, rows, payload, prediction, None, None, call


def _set_times(call: Call, times: Any, rows: int) -> None:
    """Set the prediction times of the call.

    Raises:
        SchemaError: there are several times but not one per row; they then count as unknown.
    """
    if isinstance(call, TimedCall) and times is not None:
        call.times = times if times.size in (1, rows) else np.full(1, np.nan)
        if times.size not in (1, rows):
            raise SchemaError(
                f"record: expected one time, or one for each of the {rows} rows, got {times.size}"
            )


def _set_ids(call: Call, ids: Any, rows: int) -> None:
    """Set the ids of the call's rows, if any are given."""
    if ids is not None:
        name(call, _read_ids(ids, rows))


def _copy_features(features: Any, predictions: Any, copiers: Copiers) -> Copied:
    """Copy the features of a batch, in any supported form.

    Raises:
        SchemaError: `features` is not a batch.
    """
    if isinstance(features, Mapping):
        for column, values in features.items():
            if hasattr(values, "__next__"):
                raise SchemaError(
                    f"features: expected a list or an array in every column, but "
                    f"{str(column)[:_NAME_CHARACTERS]!r} is a {type(values).__name__}: "
                    "make a list of it first"
                )
        return copy_columns(features)
    kind = type(features)
    if kind.__name__ == "Series" and package_of(kind) and _has_as_many(predictions, len(features)):
        raise SchemaError(
            f"features: {_EXPECTED_BATCH}, got a Series, which is one row here: "
            "pass a frame, as in series.to_frame()"
        )
    copied = copiers[kind](features)
    if copied is UNREADABLE_ROW:
        advice = ": make a list of its rows first" if hasattr(features, "__iter__") else ""
        raise SchemaError(f"features: {_EXPECTED_BATCH}, got {kind.__name__}{advice}")
    return copied


def _check_dimensions(features: Any, predictions: Any, names: Sequence[str]) -> None:
    """Check that one-dimensional features are one row, not a column or the predictions.

    They pass if there are as many values as names, or no names and at most `_MOST_IN_ROW` values.

    Raises:
        SchemaError: they do not pass, and there is one prediction for each value.
    """
    if not isinstance(features, list | tuple | np.ndarray) or not _are_values(features):
        return
    may_be_row = len(features) == len(names) or (not names and len(features) <= _MOST_IN_ROW)
    if not may_be_row and _has_as_many(predictions, len(features)):
        raise SchemaError(
            f"features: {_EXPECTED_BATCH}, got {len(features)} values of one dimension, which are "
            "one row here: pass features first and predictions second, and a single feature by "
            "its name, as in {'age': values}"
        )


def _are_values(features: Sequence[object] | np.ndarray[Any, Any]) -> bool:
    if isinstance(features, np.ndarray) and features.dtype.kind not in "OV":
        return features.ndim == 1
    return len(features) > 0 and is_value(type(features[0]))


def _has_as_many(predictions: Any, rows: int) -> bool:
    """Whether there are several rows, and `predictions` holds one entry for each."""
    if isinstance(predictions, Mapping):
        return any(_has_as_many(column, rows) for column in predictions.values())
    return rows > 1 and hasattr(predictions, "__len__") and len(predictions) == rows


def _matches_rows(prediction: Any, rows: int) -> bool:
    """Return True if there is one prediction per row; a single row accepts any prediction.

    Raises:
        SchemaError: the number of predictions is not that of the rows.
    """
    if rows <= 1 or prediction is None or getattr(prediction, "size", None) == rows:
        return True
    if is_output_list(prediction, rows):
        return True
    is_many = is_column(prediction) or is_frame(type(prediction))
    count = len(prediction) if is_many else 1
    if count == rows:
        return True
    raise SchemaError(f"predictions: expected one for each of the {rows} rows, got {count}")


def _check_columns(what: str, columns: Mapping[Any, Any], rows: int) -> None:
    """Raise SchemaError if the length of a column is not the number of rows."""
    if rows <= 1:
        return
    wrong = [
        f"{str(column)[:_NAME_CHARACTERS]!r} has {len(values)}"
        for column, values in columns.items()
        if is_column(values) and rows not in (len(values), getattr(values, "size", None))
    ]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise SchemaError(
            f"{what}: expected a value for each of the {rows} rows in every column, but "
            f"{', '.join(wrong[:_NAMED])}{more}"
        )


def _read_ids(ids: Sequence[object], rows: int) -> list[str | None]:
    given = [ids] if isinstance(ids, str) else ids
    if is_frame(type(given)):
        given = get_only_column("ids", given)
    names = [id_or_none(value) for value in given]
    if len(names) != rows:
        hint = ": pass the column itself, not its name" if isinstance(ids, str) else ""
        raise SchemaError(f"ids: expected one for each of the {rows} rows, got {len(names)}{hint}")
    return names
