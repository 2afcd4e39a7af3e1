"""A batch that was scored elsewhere becomes one entry, like any call."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

from mlmonitor.capture.entry import Call, Entry, Shape, name
from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.frames import is_frame
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.results import copy_columns, extract_prediction, is_column
from mlmonitor.capture.prediction_ids import id_or_none
from mlmonitor.errors import SchemaError

_NAMED = 3  # columns that an error names
_NAME_CHARACTERS = 60


def batch_entry(
    features: Any,
    predictions: Any,
    ids: Sequence[object] | None,
    *,
    shape: Shape,
    copiers: Copiers,
    guard: Guard,
) -> Entry:
    """The batch, copied. What cannot be read is held back and counted; its rows are not lost.

    Where nothing can be read from `features`, there are as many rows as predictions. Predictions
    that are not one a row are missing.
    """
    copied: Copied = PayloadForm.UNREADABLE, 0, 0
    with guard:
        copied = (
            copy_columns(features)
            if isinstance(features, Mapping)
            else copiers[type(features)](features)
        )
    form, rows, payload = copied
    if form is PayloadForm.COLUMNS:
        with guard:
            _check_columns("features", payload, rows)
    prediction = None
    with guard:
        taken = extract_prediction(shape.outputs, predictions)
        if rows == 0 and isinstance(taken, Sized) and not isinstance(taken, Mapping | str):
            form, rows, payload = PayloadForm.UNREADABLE, len(taken), len(taken)
        if isinstance(taken, dict):
            prediction = taken
            _check_columns("predictions", taken, rows)
        elif _is_one_a_row(taken, rows):
            prediction = taken
    call: Call = []
    with guard:
        if ids is not None:
            name(call, _one_a_row(ids, rows))
    return shape, form, rows, payload, prediction, None, None, call


def _is_one_a_row(prediction: Any, rows: int) -> bool:
    """Whether there are as many predictions as rows; one row may have any.

    Raises:
        SchemaError: there are some, and not as many.
    """
    if rows <= 1 or prediction is None or getattr(prediction, "size", None) == rows:
        return True
    is_many = is_column(prediction) or is_frame(type(prediction))
    met = len(prediction) if is_many else 1
    if met == rows:
        return True
    raise SchemaError(f"predictions: expected one for each of the {rows} rows, got {met}")


def _check_columns(what: str, columns: Mapping[Any, Any], rows: int) -> None:
    """Raise SchemaError for columns that have not a value a row; the others are kept."""
    if rows <= 1:
        return
    bad = [
        f"{str(column)[:_NAME_CHARACTERS]!r} has {len(values)}"
        for column, values in columns.items()
        if is_column(values) and rows not in (len(values), getattr(values, "size", None))
    ]
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise SchemaError(
            f"{what}: expected a value for each of the {rows} rows in every column, but "
            f"{', '.join(bad[:_NAMED])}{more}"
        )


def _one_a_row(ids: Sequence[object], rows: int) -> list[str | None]:
    listed = [ids] if isinstance(ids, str) else ids
    found = [id_or_none(each) for each in listed]
    if len(found) != rows:
        raise SchemaError(f"ids: expected one for each of the {rows} rows, got {len(found)}")
    return found
