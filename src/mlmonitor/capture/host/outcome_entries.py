"""Predictions and their actuals, reported together."""

from collections.abc import Mapping, Sized
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.entry import Entry
from mlmonitor.capture.host.label_entries import read_times
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.records import Floats


class OutcomeEntry(NamedTuple):
    """Pairs: an entry of predictions, and an actual for each of its rows.

    predicted_at: when each row was predicted, in seconds since 1970; NaN if it was not given.
    """

    entry: Entry
    actuals: Values
    predicted_at: Floats


def check_pairs(predictions: Any, actuals: int) -> None:
    """Check that there is one prediction for each actual, if both are columns.

    Raises:
        SchemaError: the numbers differ.
    """
    is_column = isinstance(predictions, Sized) and not isinstance(predictions, Mapping | str)
    if is_column and len(predictions) != actuals:
        raise SchemaError(
            f"record_outcomes: expected an actual for each of the {len(predictions)} predictions, "
            f"got {actuals}"
        )


def pair_outcomes(entry: Entry, actuals: Values, predicted_at: Any) -> OutcomeEntry:
    """Pair an entry with the actuals of its rows, and with one time of prediction or one per row.

    Raises:
        SchemaError: there is not one actual, or not one time, for each prediction.
    """
    rows = entry[2]
    values = actuals
    if len(values) != rows:
        raise SchemaError(
            f"record_outcomes: expected an actual for each of the {rows} predictions, "
            f"got {len(values)}"
        )
    times = np.full(1, np.nan) if predicted_at is None else read_times(predicted_at)
    if times.size not in (1, rows):
        raise SchemaError(
            f"record_outcomes: expected one predicted_at, or one for each of the {rows} "
            f"predictions, got {times.size}"
        )
    return OutcomeEntry(entry, values, np.broadcast_to(times, rows))
