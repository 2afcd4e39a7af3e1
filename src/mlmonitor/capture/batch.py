"""A batch that was scored elsewhere becomes one entry, like any call."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

from mlmonitor.capture.calls import Call, Entry, Shape, name
from mlmonitor.capture.forms import Copied, Copiers, Form
from mlmonitor.capture.frozen import copy_columns
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.identity import id_or_none
from mlmonitor.errors import SchemaError


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

    Where nothing can be read from `features`, there are as many rows as predictions.
    """
    copied: Copied = Form.UNREADABLE, 0, 0
    with guard:
        copied = (
            copy_columns(features)
            if isinstance(features, Mapping)
            else copiers[type(features)](features)
        )
    form, rows, payload = copied
    prediction = None
    with guard:
        prediction = shape.outputs.taken(predictions)
    if rows == 0 and isinstance(prediction, Sized) and not isinstance(prediction, Mapping | str):
        form, rows, payload = Form.UNREADABLE, len(prediction), len(prediction)
    call: Call = []
    with guard:
        if ids is not None:
            name(call, _one_a_row(ids, rows))
    return shape, form, rows, payload, prediction, None, None, call


def _one_a_row(ids: Sequence[object], rows: int) -> list[str | None]:
    listed = [ids] if isinstance(ids, str) else ids
    found = [id_or_none(each) for each in listed]
    if len(found) != rows:
        raise SchemaError(f"ids: wanted one for each of the {rows} rows, met {len(found)}")
    return found
