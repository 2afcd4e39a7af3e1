"""Predictions and labels in event files of Parquet, for the engines that read them."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mlmonitor.errors import ConfigError
from mlmonitor.store.stored_rows import StoredRow, convert_moment

LABEL_COLUMNS = ("event_id", "time", "prediction_id", "actual", "actual_class")

_OBJECTS = ("scores", "outputs", "features", "derived", "invalid")

PREDICTION_COLUMNS = (
    *("event_id", "time", "prediction_id", "status", "segment", "prediction", "prediction_class"),
    *_OBJECTS,
)
"""Columns of a prediction's file that are read."""


def choose_period(
    first: float | None,
    last: float | None,
    *,
    since: date | datetime | None,
    until: date | datetime | None,
) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a period, by default that of all predictions.

    first, last: the times of the oldest and the newest prediction, in seconds since 1970. The end
    is not included.

    Raises:
        ConfigError: there are no predictions, or the period is empty.
    """
    if first is None or last is None:
        raise ConfigError("folder, model, version: there are no predictions of these")
    begin = datetime.fromtimestamp(first, UTC) if since is None else convert_moment(since)
    newest = datetime.fromtimestamp(last, UTC) + timedelta(microseconds=1)
    end = newest if until is None else convert_moment(until)
    if begin >= end:
        raise ConfigError("since, until: expected a period that is not empty")
    return begin, end


def convert_event(row: Mapping[str, Any]) -> StoredRow:
    """Return a prediction, joined with its label, as the database's query returns it."""
    stored: StoredRow = {name: row[name] for name in ("at", "status", "segment")}
    stored |= {name: json.loads(row[name]) if row[name] else {} for name in _OBJECTS}
    for name in ("prediction", "actual"):
        text = row[f"{name}_class"]
        stored[name] = row[name] if text is None else text
    return stored
