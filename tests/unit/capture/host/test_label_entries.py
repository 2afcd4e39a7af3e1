"""Labels are handed over as columns: ids as text, actuals copied."""

import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlmonitor.capture.host.label_entries import copy_labels
from mlmonitor.errors import SchemaError

UUID = uuid.UUID("0190b5c0-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ((1, 2), ["1", "2"]),
        (np.array([1, 2]), ["1", "2"]),
        (np.array([1.0, 2.5]), ["1", "2.5"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", None]), ["a", ""]),
        (pd.Series([1, 2]), ["1", "2"]),
        (pl.Series(["a", "b"]), ["a", "b"]),
        ({"a": 1.0, "b": 2.0}.keys(), ["a", "b"]),
        ([UUID, 7], [str(UUID), "7"]),
        ([decimal.Decimal(5), True], ["5", "True"]),
        (
            np.array(["2024-01-01", "2024-01-02"], "M8[ns]").astype("M8[D]"),
            ["2024-01-01", "2024-01-02"],
        ),
    ],
    ids=str,
)
def test_many_ids_in_any_container_are_converted_to_texts(ids: Any, expected: list[str]) -> None:
    """The text is the same as for the prediction, and empty if the id names nothing."""
    assert copy_labels(ids, [0.0, 1.0]).ids == expected


@pytest.mark.parametrize(("one", "text"), [("a", "a"), (7, "7"), (np.array(7), "7"), (None, "")])
def test_a_single_id_has_one_actual_even_if_it_is_a_list(one: object, text: str) -> None:
    """A list given for a single prediction is one actual."""
    entry = copy_labels(one, [1, 2])
    assert (entry.ids, entry.actuals) == ([text], [[1, 2]])


@pytest.mark.parametrize(
    "actuals", [np.array([1.0, 2.0]), pd.Series([1.0, 2.0]), np.ma.array([1.0, 2.0])]
)
def test_arrays_of_actuals_are_copied(actuals: Any) -> None:
    """Later changes to the caller's array do not reach the label."""
    entry = copy_labels(["a", "b"], actuals)
    actuals[0] = 99.0
    assert isinstance(entry.actuals, np.ndarray)
    assert entry.actuals.tolist() == [1.0, 2.0]


def test_a_masked_actual_is_missing() -> None:
    """It is treated like NaN."""
    entry = copy_labels(["a", "b"], np.ma.array([1.0, 2.0], mask=[False, True]))
    assert np.isnan(entry.actuals).tolist() == [False, True]


def test_different_numbers_of_ids_and_actuals_are_refused() -> None:
    """The message contains both numbers."""
    with pytest.raises(SchemaError, match="each of the 3 ids, got 2"):
        copy_labels(["a", "b", "c"], [1.0, 2.0])
