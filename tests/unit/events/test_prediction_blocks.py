"""Predictions read in bulk: the same rows and refusals as one by one."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mlmonitor.errors import FormatError
from mlmonitor.formats.events import (
    EVENT_MODELS,
    PredictionBlock,
    build_record_types,
    encode_copy,
    encode_predictions,
    parse_event,
    read_content,
    read_records,
)
from support.store_events import START, EventSource

LATEST = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1e6)
TEXT = "Zürich 🦄 \t"


def draw_event(**changes: Any) -> dict[str, Any]:
    """Draw a prediction with some fields changed."""
    return EventSource(3).prediction(START) | changes


EVENTS = {
    "plain": {},
    "failed": {"status": "error", "error": "ValueError", "prediction": None},
    "class": {"prediction": TEXT, "scores": {"a": 0.25, "b": None}, "outputs": {"c": TEXT}},
    "boolean": {"prediction": True},
    "integer": {"prediction": 7, "features": {"n": 9_007_199_254_740_993, "b": False}},
    "zero": {"prediction": -0.0, "latency_seconds": 0},
    "no_features": {"features": {}, "latency_seconds": None},
    "names": {"features": {TEXT: TEXT, '"; drop': "\\N", "none": None}},
    "trace": {"trace_id": "0" * 31 + "1", "span_id": "f" * 16, "group": "sha256:1"},
    "derived": {"derived": {"a.length": 3.0}, "invalid": {"b": "nonfinite"}, "sample": 0.25},
    "segment": {"segment": TEXT, "model": TEXT, "model_version": "", "instance": TEXT},
    "newer": {"schema_version": 3, "mood": {"of": ["the", "day"]}},
    "offset": {"time": "2026-11-27T23:59:59.999999+05:30"},
}


def build_block(events: list[dict[str, Any]]) -> PredictionBlock:
    """Read messages in bulk; none of them may need its model."""
    records = read_records([orjson.dumps(event) for event in events])
    assert None not in records
    block, left_out = PredictionBlock.from_records(records, earliest=0, latest=LATEST)
    assert list(left_out) == []
    return block


@pytest.mark.parametrize("changes", EVENTS.values(), ids=EVENTS)
def test_columns_are_encoded_as_the_same_rows_as_single_events(changes: dict[str, Any]) -> None:
    """They are encoded alone and among others that differ in each column."""
    event = draw_event(**changes)
    assert encode_predictions(build_block([event])) == encode_copy("prediction", [event])
    others = [draw_event(**other) for other in EVENTS.values()]
    events = [event, *others, event]
    assert encode_predictions(build_block(events)) == encode_copy("prediction", events)


def test_equal_outputs_of_different_types_keep_their_types() -> None:
    """1 and True are equal in Python but not in a database."""
    events = [draw_event(outputs={"c": value}) for value in (1, True, 1.0)]
    assert encode_predictions(build_block(events)) == encode_copy("prediction", events)


def test_blocks_of_records_and_of_events_are_joined_in_order() -> None:
    """Their days are joined as well."""
    events = [draw_event(**changes) for changes in EVENTS.values()]
    blocks = [build_block(events[:4]), PredictionBlock.from_contents(events[4:])]
    joined = PredictionBlock.join(blocks)
    assert joined.rows == len(events)
    assert list(joined.columns.segment) == [event.get("segment", "all") for event in events]
    assert [*joined.features] == [event["features"] for event in events]
    assert joined.days == ["2026-11-27"]


def test_an_empty_block_of_predictions_is_an_empty_copy() -> None:
    """It has only the header and the trailer of the format."""
    empty = PredictionBlock.from_contents([])
    assert encode_predictions(empty) == encode_copy("prediction", [])


def write(**changes: Any) -> bytes:
    """Return a message with some fields changed."""
    return orjson.dumps(draw_event(**changes))


HOSTILE = {
    "empty": b"",
    "list": b"[]",
    "two": write() + b"," + write(),
    "deep": b"[" * 100_000,
    "deep_features": write().replace(b'"features":{', b'"features":{"x":' + b"[" * 100_000),
    "no_id": write(event_id=None),
    "upper_case_id": write(event_id="01A21CE0-6E00-7A09-9E8E-63FC00000000"),
    "id_of_other_digits": write(event_id="\u0660" * 8 + "-6e00-7a09-9e8e-63fc00000000"),
    "id_with_a_line_end": write(event_id="01a21ce0-6e00-7a09-9e8e-63fc0000000\n"),
    "trace_with_a_line_end": write(trace_id="0" * 31 + "1\n"),
    "no_time": write(time="yesterday"),
    "naive_time": write(time="2026-01-01T00:00:00"),
    "nested": write(features={"a": {"b": 1}}),
    "array": write(features={"a": [1]}),
    "features_are_a_list": write(features=[1.0]),
    "no_name": write(features={"": 1.0}),
    "long_name": write(features={"n" * 1_001: 1.0}),
    "long_text": write(features={"n": "x" * 1_001}),
    "null_character": write(features={"a": "x\x00y"}),
    "null_in_a_name": write(features={"a\x00": 1.0}),
    "surrogate": write().replace(b'"test"', b'"\\ud800"'),
    "not_utf8": write().replace(b'"line":"', b'"line":"\xff'),
    "infinite": write().replace(b'"latency_seconds":0.012', b'"latency_seconds":1e999'),
    "infinite_feature": write().replace(b'"features":{', b'"features":{"x":1e999,'),
    "not_a_number": write().replace(b'"features":{', b'"features":{"x":NaN,'),
    "huge_integer": write().replace(b'"features":{', b'"features":{"x":1' + b"0" * 400 + b","),
    "status": write(status="perhaps"),
    "sample": write(sample=0.0),
    "reason": write(invalid={"a": "ugly"}),
    "score": write(scores={"a": "text"}),
    "boolean_latency": write(latency_seconds=True),
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
def test_an_event_that_its_model_refuses_is_not_read_in_bulk_either(message: bytes) -> None:
    """The rows around it are read."""
    with pytest.raises(FormatError):
        parse_event(message)
    good = write()
    records = [record for record in read_records([good, message, good]) if record is not None]
    block, left_out = PredictionBlock.from_records(records, earliest=0, latest=LATEST)
    assert block.rows == 2
    assert list(left_out) in ([], [1])


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59Z", "2030-01-01T00:00:00.000001Z"])
def test_times_out_of_range_are_left_out(time: str) -> None:
    """The caller gives the range."""
    records = read_records([write(), write(time=time)])
    block, left_out = PredictionBlock.from_records(records, earliest=0, latest=LATEST)
    assert (block.rows, list(left_out)) == (1, [1])


def test_labels_and_figures_read_in_bulk_equal_those_read_by_their_models() -> None:
    """The values are those that were sent."""
    source = EventSource()
    prediction = source.prediction(START)
    pair = source.envelope("label", START) | {
        "actual": 10.0,
        "prediction": 13.0,
        "predicted_at": "2026-11-27T08:00:00+01:00",
    }
    events = [source.label(prediction, START), pair, source.kpi(START, 2.0)]
    messages = [orjson.dumps(event) for event in events]
    for message, record in zip(messages, read_records(messages), strict=True):
        content = read_content(record)
        assert content is not None
        model = EVENT_MODELS[content["schema"]]
        assert model.model_validate_json(orjson.dumps(content)) == parse_event(message)


def test_a_label_without_a_prediction_is_left_to_its_model() -> None:
    """The model's error says what is missing."""
    source = EventSource()
    label = source.label(source.prediction(START), START, prediction_id=None)
    (record,) = read_records([orjson.dumps(label)])
    assert read_content(record) is None


def test_numbers_with_thousands_of_digits_are_rewritten() -> None:
    """The database would refuse them as they were sent."""
    message = write().replace(b'"features":{', b'"features":{"x":1e-20000,')
    block, _ = PredictionBlock.from_records(read_records([message]), earliest=0, latest=LATEST)
    assert b"1e-20000" in encode_predictions(block)
    assert b"1e-20000" not in encode_predictions(block.rewrite())


def test_records_have_the_columns_of_a_block_in_the_same_order() -> None:
    """The two are built from one another by position."""
    assert build_record_types().prediction.__struct_fields__ == (  # type: ignore[attr-defined]  # a struct's
        PredictionBlock.from_contents([]).columns._fields
    )
