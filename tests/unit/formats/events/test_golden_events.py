"""Events written by released versions are read with all their values."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlmonitor import FormatError
from mlmonitor.formats.events import (
    EVENT_MODELS,
    STAGING_COLUMNS,
    check_event,
    decode_events,
    dump_event,
    encode_copy,
    parse_event,
)

LINES = (Path(__file__).parents[3] / "golden" / "events_v1.jsonl").read_bytes().splitlines()
CONTENTS: list[dict[str, Any]] = [json.loads(line) for line in LINES]


def test_the_golden_file_has_events_of_every_schema() -> None:
    """Each of these schemas has columns in the store."""
    assert {content["schema"] for content in CONTENTS} == set(EVENT_MODELS) == set(STAGING_COLUMNS)


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content["event_id"][-2:])
def test_an_event_of_version_1_keeps_every_value(content: dict[str, Any]) -> None:
    """Written again, it differs only in fields with default values."""
    event = check_event(content)
    again = dump_event(event)
    fields = type(event).model_fields
    for name, value in content.items():
        default = fields["schema_name" if name == "schema" else name].default
        assert again.get(name, default) == value, name
    assert check_event(again) == event


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content["event_id"][-2:])
def test_an_event_of_a_newer_version_with_more_fields_is_read(content: dict[str, Any]) -> None:
    """Unknown fields are ignored."""
    newer = content | {"schema_version": 9, "something_new": {"nested": [1, {"deep": None}]}}
    event = parse_event(json.dumps(newer).encode())
    assert event.schema_version == 9
    assert event.event_id == content["event_id"]


def test_decoding_many_events_equals_decoding_each() -> None:
    """Some take the fast path and some their model."""
    assert decode_events(LINES) == CONTENTS


def test_rows_of_the_copy_format_have_a_value_for_every_column() -> None:
    """Absent fields have their defaults."""
    for content in CONTENTS:
        schema = content["schema"]
        data = encode_copy(schema, [content, content])
        assert data.startswith(b"PGCOPY\n\xff\r\n\x00")
        assert data.endswith(b"\xff\xff")
        places, rows = 19, 0
        while data[places : places + 2] != b"\xff\xff":
            assert int.from_bytes(data[places : places + 2]) == len(STAGING_COLUMNS[schema])
            places += 2
            for _ in STAGING_COLUMNS[schema]:
                length = int.from_bytes(data[places : places + 4], signed=True)
                places += 4 + max(length, 0)
            rows += 1
        assert rows == 2


def test_columns_of_the_store_equal_the_fields_of_the_models() -> None:
    """No field is lost, and none is missing."""
    for schema, model in EVENT_MODELS.items():
        fields = set(model.model_fields) - {"schema_name"}
        assert {column.field for column in STAGING_COLUMNS[schema]} == fields  # type: ignore[index]  # a schema


PREDICTION = CONTENTS[1]
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "text": b"hello",
    "a list": b"[]",
    "not UTF-8": b'{"schema":"\xff"}',
    "NaN": LINES[2].replace(b"1100.0", b"NaN"),
    "an infinite number": LINES[2].replace(b"1100.0", b"1e999"),
    "a huge integer": LINES[2].replace(b"1100.0", b"1" * 5_000),
    "deep": b'{"schema":"prediction","features":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested": LINES[1].replace(b'"features":{}', b'"features":{"a":{"b":1}}'),
    "a list as a value": LINES[1].replace(b'"features":{}', b'"features":{"a":[1]}'),
    "a number as an id": LINES[1].replace(b'"c-1"', b"7"),
    "an empty id": LINES[1].replace(b'"c-1"', b'""'),
    "a status": LINES[1].replace(b'"error","error"', b'"maybe","error"'),
    "a time without a zone": LINES[1].replace(b"00:00Z", b"00:00"),
    "a month 13": LINES[1].replace(b"2026-11", b"2026-13"),
    "a year beyond": LINES[1].replace(b"2026-11", b"99999-11"),
    "no model": LINES[1].replace(b'"model":"claims-severity",', b""),
    "a schema": LINES[1].replace(b'"schema":"prediction"', b'"schema":"preddiction"'),
    "no schema": LINES[1].replace(b'"schema":"prediction",', b""),
    "an event id": LINES[1].replace(b"0190a1b2", b"0190-1b2"),
    "U+0000 in a value": LINES[1].replace(b'"c-1"', b'"c\\u0000"'),
    "U+0000 in a name": LINES[1].replace(b'"features":{}', b'"features":{"\\u0000":1}'),
    "a lone surrogate": LINES[1].replace(b'"c-1"', b'"\\ud800"'),
    "a long name": LINES[1].replace(b'"features":{}', b'"features":{"' + b"x" * 2_000 + b'":1}'),
    "two in one": LINES[1] + b"," + LINES[1],
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_message_that_is_not_an_event_is_refused_without_its_values(data: bytes) -> None:
    """Both ways of reading give a short reason."""
    with pytest.raises(FormatError) as refusal:
        parse_event(data)
    message = str(refusal.value)
    assert len(message) < 300
    assert "c-1" not in message
    assert "\x00" not in message
    refused = decode_events([LINES[0], data, LINES[2]])
    assert refused[0] == CONTENTS[0]
    assert isinstance(refused[1], FormatError)
    assert refused[2] == CONTENTS[2]


def test_fragments_that_together_form_an_array_are_refused_one_by_one() -> None:
    """Messages are joined for decoding, which must not make them valid."""
    fragments = [b'{"x":[{}', b"{}]}", LINES[1] + b"," + LINES[1]]
    assert all(isinstance(event, FormatError) for event in decode_events(fragments))


def test_the_repr_of_an_event_shows_no_value() -> None:
    """It may appear in a log line."""
    for content in CONTENTS:
        text = repr(check_event(content))
        assert "1250.5" not in text
        assert "motor" not in text
        assert "c-1" not in text
