"""Stored predictions with their actuals, as columns of outcomes for a monitor."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.formats.events import MATCH_MISSED
from mlmonitor.records import Floats
from mlmonitor.store.database import sqlstate
from mlmonitor.store.stored_rows import StoredPredictions, StoredRow

_READERS_ONLY = ("42501", "25006")
"""Insufficient privilege, read-only transaction."""

Outputs = list[Any] | dict[str, list[Any]]
"""A main output, or the scores of classes by class."""


class StoredOutcomes(NamedTuple):
    """A chunk of predictions: an actual is None where there is none yet."""

    features: dict[str, list[Any]]
    predictions: Outputs
    actuals: list[Any]
    predicted_at: Floats


def match_missed(connection: Any) -> None:
    """Join labels with predictions that were stored at the same moment, if this user may.

    A user who only reads evaluates what others have joined.
    """
    try:
        connection.execute(MATCH_MISSED)
    except Exception as error:
        if sqlstate(error) not in _READERS_ONLY:
            raise


def read_outcomes(connection: Any, stored: StoredPredictions) -> Iterator[StoredOutcomes]:
    """Yield the predictions of a period that were made, with the actuals known by now."""
    for rows in stored.read(connection):
        predictions = [row for row in rows if row["status"] != "error"]
        if predictions:
            yield StoredOutcomes(
                _read_columns([row["features"] for row in predictions]),
                _read_outputs(predictions),
                [row["actual"] for row in predictions],
                np.array([row["at"] for row in predictions]),
            )


def read_columns(rows: Sequence[StoredRow]) -> tuple[dict[str, list[Any]], Outputs]:
    """Return the features of rows by name, and their outputs."""
    return _read_columns([row["features"] for row in rows]), _read_outputs(rows)


def _read_outputs(rows: Sequence[StoredRow]) -> Outputs:
    """Return the scores of classes, which decide the class, or else the main output."""
    predictions = [row["prediction"] for row in rows]
    has_classes = any(isinstance(value, str | bool) for value in predictions)
    scores = _read_columns([row["scores"] for row in rows]) if has_classes else {}
    if not scores:
        return predictions
    return {name.removeprefix(f"{PREDICTION}."): column for name, column in scores.items()}


def _read_columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return rows by column, None where a row has no value."""
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name) for row in rows] for name in names}
