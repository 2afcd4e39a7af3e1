"""Predictions written to JSON from columns, byte for byte as orjson writes each event."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.events.content.event_source import Content
from mlmonitor.events.content.prediction_rows import FeatureColumns, PredictionRows
from mlmonitor.events.sinks.event_encoder import JsonEncoder
from mlmonitor.events.sinks.event_sink import list_keys

ROWS = 3
TEXTS = ["motor", 'a "quoted", b', "%s, %b", "Zürich", "[1,2]", ""]
NUMBERS = [1.0, -0.0, np.nan, np.inf, 1e300, 5e-324, 0.1, 12345678901234567.0]

texts = st.sampled_from(TEXTS)
cells = st.one_of(
    st.lists(st.one_of(st.none(), texts), min_size=ROWS, max_size=ROWS),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=ROWS, max_size=ROWS),
    st.lists(st.one_of(st.none(), st.floats()), min_size=ROWS, max_size=ROWS),
)
numbers = st.lists(
    st.lists(st.one_of(st.sampled_from(NUMBERS), st.floats()), min_size=ROWS, max_size=ROWS),
    max_size=4,
)


def build_rows(
    values: list[list[float]], others: list[list[Any]], predictions: list[Any], ids: list[str]
) -> PredictionRows:
    """Return the events of three rows whose features have awkward names."""
    names = tuple(f"{TEXTS[place]} {place}" for place in range(len(values)))
    return PredictionRows(
        head={"schema": "prediction", "schema_version": 1},
        tail={"time": "2026-11-29T04:00:00.000000Z", "model": 'the "best", of all'},
        event_ids=[f"event-{row}" for row in range(ROWS)],
        prediction_ids=ids,
        latencies=[0.25, None, 1e-6],
        predictions=predictions,
        features=FeatureColumns(
            names,
            np.array(values, np.float64).reshape(len(values), ROWS),
            [(f"other, {place}", column) for place, column in enumerate(others)],
        ),
    )


@given(numbers, st.lists(cells, max_size=2), cells, st.lists(texts, min_size=ROWS, max_size=ROWS))
def test_the_json_of_columns_equals_that_of_single_events(
    values: list[list[float]], others: list[list[Any]], predictions: list[Any], ids: list[str]
) -> None:
    """Values are numbers of any size, nulls, booleans, and texts with characters of JSON."""
    rows = build_rows(values, others, predictions, ids)
    assert JsonEncoder().encode(rows) == [orjson.dumps(event) for event in rows]
    assert list_keys(rows) == [event["prediction_id"] for event in rows] == ids


def test_prediction_rows_are_a_sequence_of_events() -> None:
    """They can be indexed from both ends and sliced; other indices raise IndexError."""
    rows = build_rows([[1.0, 2.0, 3.0]], [["a", "b", None]], [0.5, None, 1.5], ["x", "y", "z"])
    listed: list[Content] = [*rows]
    assert [event["features"]["other, 0"] for event in listed] == ["a", "b", None]
    assert len(rows) == len(listed) == ROWS
    assert (rows[0], rows[-1], rows[1:]) == (listed[0], listed[-1], listed[1:])
    with pytest.raises(IndexError):
        rows[ROWS]
