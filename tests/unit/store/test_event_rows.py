"""Stored predictions become the rows that the service saw, without additional fields."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config
from mlmonitor.capture.values import UNREADABLE
from mlmonitor.store.backtest import backtest
from mlmonitor.store.event_rows import add_derived, output_value, read_features, unread_value
from support.references import fit_reference

ROWS = 400
START = datetime(2026, 1, 31, tzinfo=UTC)


class StoredList:
    """Stored predictions in memory."""

    since = START

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events

    def read(self, _connection: Any, *, chunk_rows: int = ROWS) -> Iterator[list[dict[str, Any]]]:
        """Yield all of them at once."""
        del chunk_rows
        yield self.events

    def withheld(self, _connection: Any) -> list[str]:
        """Return no names."""
        return []


def store_predictions(invalid: dict[str, str]) -> StoredList:
    """Return predictions of a feature and a derived field; every second has refused values."""
    rng = np.random.default_rng(1)
    return StoredList(
        [
            {
                "at": START.timestamp() + row,
                "status": "ok",
                "segment": "all",
                "prediction": None if row % 2 and "prediction" in invalid else float(value),
                "features": {"amount": float(value)},
                "derived": {"note.length": None if row % 2 else 3.0},
                "invalid": invalid if row % 2 else {},
            }
            for row, value in enumerate(rng.normal(size=ROWS))
        ]
    )


@pytest.mark.parametrize("name", ["note.length", "prediction"])
def test_a_backtest_adds_no_field_for_the_reason_of_a_refused_value(name: str) -> None:
    """The reason of a refused derived field or output is not a new feature of the row."""
    rng = np.random.default_rng(2)
    reference = fit_reference({"amount": rng.normal(size=5_000)})
    stored = store_predictions({name: "wrong_type"})

    result = backtest(None, stored, reference, {"usual": Config()}, check_rows=ROWS)["usual"]

    assert result.rows == ROWS
    assert [alert.field for alert in result.alerts] == []


@pytest.mark.parametrize("with_derived", [True, False])
def test_derived_fields_are_added_only_if_they_are_requested(*, with_derived: bool) -> None:
    """In rows with refused values, requested fields that were refused are unreadable."""
    row = add_derived(
        {"amount": None, "age": 3.0},
        {"note.length": None, "note.words": 2.0},
        {"amount": "nonfinite", "note.length": "wrong_type", "prediction": "nonfinite"},
        with_derived=with_derived,
    )

    derived = {"note.length": UNREADABLE, "note.words": 2.0} if with_derived else {}
    assert row == {"amount": np.inf, "age": 3.0} | derived


def test_a_refused_output_leaves_the_feature_of_the_same_name_unchanged() -> None:
    """In a stacked model a feature may have the name of an output."""
    event = {
        "prediction": None,
        "features": {"prediction": 0.25},
        "scores": {"amount": 0.5},
        "invalid": {"prediction": "nonfinite", "amount": "wrong_type"},
    }

    assert read_features(event, with_derived=False) == {"prediction": 0.25}
    assert output_value(event, "prediction") == unread_value("nonfinite")
    assert output_value(event, "amount") == 0.5
