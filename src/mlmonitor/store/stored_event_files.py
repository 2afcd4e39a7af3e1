"""Read predictions and labels from Parquet event files by engines such as Spark."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self

from mlmonitor.errors import ConfigError
from mlmonitor.store.stored_rows import StoredRow, choose_period

LABEL_COLUMNS = ("event_id", "time", "prediction_id", "actual", "actual_class")

_OBJECTS = ("scores", "outputs", "features", "derived", "invalid")

PREDICTION_COLUMNS = (
    *("event_id", "time", "prediction_id", "status", "segment", "prediction", "prediction_class"),
    *_OBJECTS,
)
"""Columns that are read from files of predictions."""


class ModelFiles(NamedTuple):
    """The predictions of a model's version in a folder of `Files(format="parquet")`.

    since, until: the period; `until` is exclusive.
    """

    folder: str
    model: str
    version: str
    since: datetime
    until: datetime

    @classmethod
    def choose(
        cls,
        folder: str,
        model: str,
        version: str,
        times: tuple[float | None, float | None],
        *,
        since: date | datetime | None,
        until: date | datetime | None,
    ) -> Self:
        """Choose the period of a model to read, by default that of all its predictions.

        times: the times of the oldest and newest prediction, in seconds since 1970, or None.

        Raises:
            ConfigError: there are no predictions, or the period is empty.
        """
        first, last = times
        if first is None or last is None:
            raise ConfigError("folder, model, version: there are no predictions of these")
        end = datetime.fromtimestamp(last, UTC) + timedelta(microseconds=1)
        period = choose_period(datetime.fromtimestamp(first, UTC), end, since=since, until=until)
        return cls(folder, model, version, *period)


def convert_event(row: Mapping[str, Any]) -> StoredRow:
    """Convert a row of a prediction with its label to the form that the database returns."""
    stored: StoredRow = {name: row[name] for name in ("at", "status", "segment")}
    stored |= {name: json.loads(row[name]) if row[name] else {} for name in _OBJECTS}
    for name in ("prediction", "actual"):
        text = row[f"{name}_class"]
        stored[name] = row[name] if text is None else text
    return stored
