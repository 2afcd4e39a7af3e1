"""Convert stored predictions to rows in the form that a live service reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import MappingTable
from mlmonitor.capture.values import UNREADABLE, Values
from mlmonitor.formats.events import PredictionBlock
from mlmonitor.records import ABSENT

Event = Mapping[str, Any]


def build_rows(events: Sequence[Event], outputs: Iterable[str], *, with_derived: bool) -> Rows:
    """Convert predictions to rows; `with_derived` adds derived fields to the features."""
    return Rows(
        len(events),
        MappingTable([read_features(event, with_derived=with_derived) for event in events]),
        {name: _read_output(events, name) for name in outputs},
        [],
        [],
        None,
    )


def read_features(event: Event, *, with_derived: bool) -> Mapping[str, Any]:
    """Return the features of a prediction; an invalid value is replaced, see `unread_value`."""
    return add_derived(
        event.get("features") or {},
        event.get("derived") or {},
        event.get("invalid") or {},
        with_derived=with_derived,
    )


def add_derived(
    features: Mapping[str, Any],
    derived: Mapping[str, Any],
    invalid: Mapping[str, str],
    *,
    with_derived: bool,
) -> Mapping[str, Any]:
    """Return the features, and the derived fields if requested; refused values are replaced.

    `invalid` names outputs and derived fields as well, so no field is added for its names; it only
    explains values that are None, see `unread_value`.
    """
    fields = {**features, **derived} if with_derived and derived else features
    refused = [name for name in invalid if name in fields and fields[name] is None]
    if not refused:
        return fields
    return {**fields, **{name: unread_value(invalid[name]) for name in refused}}


def unread_value(reason: str) -> object:
    """Return a value that a reader will refuse for this reason."""
    return np.inf if reason == "nonfinite" else UNREADABLE


def read_outputs(block: PredictionBlock, name: str, rows: Sequence[int]) -> Values:
    """Return one output in some rows of a block; see `output_value`. Failed calls have none."""
    columns = block.columns
    values: Sequence[Any] = columns.prediction
    if name != PREDICTION:
        pairs = zip(columns.scores, columns.outputs, strict=True)
        values = [scores.get(name, outputs.get(name)) for scores, outputs in pairs]
    return [
        ABSENT
        if columns.status[row] == "error"
        else _explain(values[row], name, columns.invalid[row])
        for row in rows
    ]


def _read_output(events: Sequence[Event], name: str) -> Values:
    """Return the values of one output; a failed call has none, which is not a defect."""
    return [ABSENT if e["status"] == "error" else output_value(e, name) for e in events]


def output_value(event: Event, name: str) -> Any:
    """Return one output of a prediction; an invalid value is replaced, see `unread_value`."""
    return _explain(_find_output(event, name), name, event.get("invalid") or {})


def _find_output(event: Event, name: str) -> Any:
    """Return one output of a prediction as it is stored."""
    if name == PREDICTION:
        return event.get("prediction")
    scores = event.get("scores")
    if scores and name in scores:
        return scores[name]
    outputs = event.get("outputs")
    return outputs.get(name) if outputs else None


def _explain(value: Any, name: str, invalid: Mapping[str, str]) -> Any:
    """Return a stored value; if it is None because it was refused, return its `unread_value`."""
    return unread_value(invalid[name]) if value is None and name in invalid else value
