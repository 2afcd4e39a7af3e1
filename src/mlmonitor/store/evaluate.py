"""Read stored predictions with their actuals, in columns that a monitor can record."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.formats.events import MATCH_MISSED
from mlmonitor.records import Floats
from mlmonitor.store.database import sqlstate
from mlmonitor.store.stored_rows import StoredPredictions, StoredRow

_READERS_ONLY = ("42501", "25006")
"""SQLSTATEs: insufficient privilege, read-only transaction."""

Outputs = list[Any] | dict[str, list[Any]]
"""The values of the main output, or the scores by class."""


class StoredOutcomes(NamedTuple):
    """A chunk of predictions. actuals: None if unknown. predicted_at: in seconds since 1970."""

    features: dict[str, list[Any]]
    predictions: Outputs
    actuals: list[Any]
    predicted_at: Floats


def match_missed(connection: Any) -> None:
    """Join labels with predictions that were stored at the same moment, if the user may write.

    For a user with read access only, this does nothing.
    """
    try:
        connection.execute(MATCH_MISSED)
    except Exception as error:
        if sqlstate(error) not in _READERS_ONLY:
            raise


def read_outcomes(connection: Any, stored: StoredPredictions) -> Iterator[StoredOutcomes]:
    """Yield the predictions of a period, without failed calls, and the actuals known by now."""
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
    """Return the features of rows as columns by name, and the outputs."""
    return _read_columns([row["features"] for row in rows]), _read_outputs(rows)


def _read_outputs(rows: Sequence[StoredRow]) -> Outputs:
    """Return scores by class if predictions are classes with scores, or else the main output."""
    predictions = [row["prediction"] for row in rows]
    has_classes = any(isinstance(value, str | bool) for value in predictions)
    scores = _read_columns([row["scores"] for row in rows]) if has_classes else {}
    if not scores:
        return predictions
    return {name.removeprefix(f"{PREDICTION}."): column for name, column in scores.items()}


def _read_columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Convert rows to columns by name; None where a row has no value."""
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name) for row in rows] for name in names}
