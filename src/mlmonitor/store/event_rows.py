"""Predictions of the log as rows, in the form that the service's own readers expect."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import MappingTable
from mlmonitor.capture.values import UNREADABLE, Values
from mlmonitor.records import ABSENT

Event = Mapping[str, Any]


def build_rows(events: Sequence[Event], outputs: Iterable[str], *, with_derived: bool) -> Rows:
    """Return predictions as rows with some outputs, and with derived fields among the features."""
    return Rows(
        len(events),
        MappingTable([read_features(event, with_derived=with_derived) for event in events]),
        {name: _read_output(events, name) for name in outputs},
        [],
        [],
        None,
    )


def read_features(event: Event, *, with_derived: bool) -> Mapping[str, Any]:
    """Return the features of a prediction; a value that was unreadable is so again."""
    features: dict[str, Any] = event.get("features") or {}
    derived, invalid = event.get("derived"), event.get("invalid")
    if invalid or (derived and with_derived):
        features = features | (derived or {})
        for name, reason in (invalid or {}).items():
            features[name] = np.inf if reason == "nonfinite" else UNREADABLE
    return features


def _read_output(events: Sequence[Event], name: str) -> Values:
    """Return the values of one output; those of failed calls are rightly absent."""
    return [ABSENT if e["status"] == "error" else output_value(e, name) for e in events]


def output_value(event: Event, name: str) -> Any:
    """Return one output of a prediction; a value that was unreadable is so again."""
    invalid = event.get("invalid")
    if invalid and name in invalid:
        return np.inf if invalid[name] == "nonfinite" else UNREADABLE
    if name == PREDICTION:
        return event.get("prediction")
    scores = event.get("scores")
    if scores and name in scores:
        return scores[name]
    outputs = event.get("outputs")
    return outputs.get(name) if outputs else None
