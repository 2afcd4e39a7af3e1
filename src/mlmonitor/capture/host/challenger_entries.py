"""Predictions of a challenger model, copied for the worker."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any, NamedTuple

from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.host.label_entries import copy_column, copy_ids
from mlmonitor.capture.host.results import extract_prediction
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.records import Challenger

_MOST_NAMED = 10
"""Declared versions that a message lists."""


class ChallengerEntry(NamedTuple):
    """Copied predictions of a challenger, and the id of each, "" where there is none.

    outputs: how predictions are read. groups: the group of each row, if rows depend on each other.
    """

    version: str
    outputs: Outputs
    predictions: Any
    ids: list[str]
    groups: Values | None = None


def copy_challenger(
    version: str, predictions: Any, ids: object, outputs: Outputs, groups: Any = None
) -> ChallengerEntry:
    """Copy the prediction of one row, or the predictions of many rows in any container.

    Raises:
        SchemaError: there are no ids, or there is not one prediction for each id.
    """
    if ids is None:
        raise SchemaError(
            "record_challenger: expected an id for each prediction, got None: predictions are "
            "paired with those of the version in use, and with labels, by their ids"
        )
    names = copy_ids(ids)
    copied = extract_prediction(outputs, predictions)
    check_rows("record_challenger", copied, len(names))
    return ChallengerEntry(version, outputs, copied, names, copy_groups(groups))


def copy_groups(groups: Any) -> Values | None:
    """Copy the group of one row, or the groups of many; None if none are given."""
    if groups is None:
        return None
    return [groups] if is_value(type(groups)) else copy_column(groups)


def check_version(version: str, declared: Sequence[Challenger]) -> None:
    """Raise SchemaError if no declared challenger has this version."""
    versions = [challenger.version for challenger in declared]
    if version not in versions:
        named = ", ".join(map(repr, versions[:_MOST_NAMED])) or "none so far"
        more = ", ..." if len(versions) > _MOST_NAMED else ""
        raise SchemaError(
            f"record_challenger: expected the version of a declared challenger ({named}{more}), as "
            "a text: declare others in Monitor(challengers=[Challenger(...)])"
        )


def count_predictions(predictions: Any) -> int:
    """Return the number of rows of copied predictions; a single value is one row."""
    if isinstance(predictions, Mapping):
        columns = [len(c) for c in predictions.values() if _is_sized(c)]
        return max(columns, default=1)
    return len(predictions) if _is_sized(predictions) else 1


def _is_sized(value: Any) -> bool:
    is_column = isinstance(value, Sized) and not isinstance(value, str | bytes)
    return is_column and getattr(value, "ndim", 1) > 0


def check_rows(call: str, predictions: Any, rows: int) -> None:
    """Check that there is one copied prediction per row; a single row may have several outputs.

    call: the name of the called method, for the message.

    Raises:
        SchemaError: the numbers differ.
    """
    count = count_predictions(predictions)
    if rows not in (count, 1):
        raise SchemaError(f"{call}: expected a prediction for each of the {rows} ids, got {count}")
