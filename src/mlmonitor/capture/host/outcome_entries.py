"""Predictions and their actuals, reported together."""

from collections.abc import Mapping, Sized
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.entry import Entry
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.host.label_entries import read_times
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.records import Floats, Mask

LEAVE_OUT_ITEMS = (
    "pass 0 for an item that is not relevant, and leave out an item whose score or relevance is "
    "unknown"
)


class OutcomeEntry(NamedTuple):
    """Pairs: an entry of predictions, and an actual for each of its rows.

    predicted_at: when each row was predicted, in seconds since 1970; NaN if it was not given.
    """

    entry: Entry
    actuals: Values
    predicted_at: Floats


class RankingEntry(NamedTuple):
    """Scores and relevances of ranked items, `[queries, items]`, NaN after a query's last item.

    actuals: the relevances. predicted_at: as in `OutcomeEntry`, but one time per query.
    """

    scores: Floats
    actuals: Floats
    predicted_at: Floats


def are_rankings(actuals: Any) -> bool:
    """Whether each actual is itself a row: the relevances of one query's items."""
    if isinstance(actuals, np.ndarray):
        return actuals.ndim == 2
    is_list = isinstance(actuals, list) and len(actuals) > 0
    return is_list and all(isinstance(row, list | tuple | np.ndarray) for row in actuals)


def copy_rankings(scores: Any, relevances: Any, predicted_at: Any) -> RankingEntry:
    """Copy rows of scores and of relevances, which may differ in length from query to query.

    Raises:
        SchemaError: there is not one relevance for each score.
    """
    own, others = _pad(scores), _pad(relevances)
    if len(own) != len(others):
        raise SchemaError(
            f"record_outcomes: expected a row of relevances for each row of scores, got "
            f"{len(others):,} of relevances and {len(own):,} of scores"
        )
    own, others = (_widen(rows, max(own.shape[1], others.shape[1])) for rows in (own, others))
    incomplete = int(np.count_nonzero(~mark_complete(own, others)))
    if incomplete:
        raise SchemaError(
            f"record_outcomes: expected a relevance for each score, got more or fewer in "
            f"{incomplete:,} of {len(own):,} queries: {LEAVE_OUT_ITEMS}"
        )
    times = np.full(1, np.nan) if predicted_at is None else read_times(predicted_at)
    return RankingEntry(own, others, np.broadcast_to(times, len(own)))


def mark_complete(scores: Floats, relevances: Floats) -> Mask:
    """Mark the rows whose scores and relevances are present at the same places."""
    return np.asarray((np.isnan(scores) == np.isnan(relevances)).all(axis=1), np.bool_)


def _pad(rows: Any) -> Floats:
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return np.array(rows, np.float64)
    columns = [np.asarray(row, np.float64).reshape(-1) for row in rows]
    padded = np.full((len(columns), max(map(len, columns), default=0)), np.nan)
    for place, column in enumerate(columns):
        padded[place, : len(column)] = column
    return padded


def _widen(rows: Floats, items: int) -> Floats:
    return np.pad(rows, ((0, 0), (0, items - rows.shape[1])), constant_values=np.nan)


def check_columns(predictions: Any, actuals: Any) -> None:
    """Check that both are columns or frames.

    Raises:
        SchemaError: one of them is missing or a single value.
    """
    if is_value(type(predictions)) or is_value(type(actuals)):
        kinds = f"{type(predictions).__name__} and {type(actuals).__name__}"
        raise SchemaError(
            f"record_outcomes: expected a column of predictions and one of actuals, got {kinds}: "
            "pass both, with an actual for each prediction"
        )


def check_pairs(predictions: Any, actuals: int) -> None:
    """Check that a column of predictions has one entry for each actual.

    actuals: the number of actuals.

    Raises:
        SchemaError: the numbers differ.
    """
    is_column = isinstance(predictions, Sized) and not isinstance(predictions, Mapping | str)
    if is_column and len(predictions) != actuals:
        raise SchemaError(
            f"record_outcomes: expected an actual for each of the {len(predictions)} predictions, "
            f"got {actuals} actuals: pass an actual for each prediction, None where it is unknown"
        )


def pair_outcomes(entry: Entry, actuals: Values, predicted_at: Any) -> OutcomeEntry:
    """Pair an entry with the actuals of its rows, and with one time of prediction or one per row.

    Raises:
        SchemaError: there is not one actual for each prediction, or there are several times but not
            one for each prediction.
    """
    rows = entry[2]
    values = actuals
    if len(values) != rows:
        raise SchemaError(
            f"record_outcomes: expected an actual for each of the {rows} predictions, "
            f"got {len(values)} actuals: pass an actual for each prediction, None where it is "
            "unknown"
        )
    times = np.full(1, np.nan) if predicted_at is None else read_times(predicted_at)
    if times.size not in (1, rows):
        raise SchemaError(
            f"record_outcomes: expected one predicted_at, or one for each of the {rows} "
            f"predictions, got {times.size}"
        )
    return OutcomeEntry(entry, values, np.broadcast_to(times, rows))
