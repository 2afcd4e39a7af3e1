"""Unreadable values of training data are reported at the fit, before they matter in production."""

import logging
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmonitor import SchemaError
from support.references import fit_reference


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ([1.0] * 51 + ["n/a"] * 49, "column 'amount': 49% of its values are not numeric"),
        ([1.0] * 60 + [math.inf] * 40, "column 'amount': 40% of its values are infinite"),
        ([True] * 60 + ["maybe"] * 40, "column 'amount': 40% of its values are not boolean"),
    ],
    ids=["texts", "infinite", "no truths"],
)
def test_a_column_with_many_unreadable_values_is_reported_at_fit(
    values: list[Any], answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The message appears once, with the column, the share and the remedy."""
    caplog.set_level(logging.WARNING, "mlmonitor")
    fit_reference({"amount": values, "other": np.arange(100.0)})
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"Reference.fit: {answer}")
    assert "count as missing: convert or remove them first, or declare its kind" in message


def test_missing_values_and_a_few_unreadable_ones_are_not_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nearly every table has some."""
    caplog.set_level(logging.WARNING, "mlmonitor")
    fit_reference({"amount": [1.0] * 500 + [None] * 498 + ["n/a"] * 2})
    assert not caplog.records


def test_two_columns_of_one_name_are_reported_by_name_at_fit() -> None:
    """In a frame of hundreds of columns the name would be hard to find."""
    frame = pd.DataFrame(np.ones((3, 3)), columns=["age", "line", "age"])
    with pytest.raises(SchemaError, match="column 'age': expected each column name once: rename"):
        fit_reference(frame)


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ([f"{row / 7:.2f}" for row in range(100)], "numbers"),
        ([f"2026-03-{1 + row % 28:02d}" for row in range(100)], "dates"),
    ],
    ids=["numbers", "dates"],
)
def test_numbers_and_dates_stored_as_text_are_reported_at_fit(
    texts: list[str], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Values read from a file as text would be compared as categories."""
    fit_reference({"amount": texts})
    assert f"reference: column 'amount' holds {what} as texts, which are compared as" in caplog.text


@pytest.mark.parametrize(
    "texts", [["01067", "10115"], ["1", "2"], ["home", "motor"], ["A-1", "B-2"]]
)
def test_codes_are_not_reported_as_numbers_nor_names_as_dates(
    texts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A postal code consists of digits, but is a name."""
    fit_reference({"code": texts * 50})
    assert not caplog.records
