"""Read events from untrusted bytes, and write events."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from mlmonitor.errors import FormatError, import_extra
from mlmonitor.formats.events.event_models import EVENT_MODELS, Event

EVENT_BYTES = 8 << 20
"""A larger message is refused before it is parsed."""


def parse_event(data: bytes) -> Event:
    """Read one event from JSON.

    Raises:
        FormatError: it is too large, not JSON, or not an event of a known schema. The message names
            the place and what was expected, never a value.
    """
    if len(data) > EVENT_BYTES:
        raise FormatError(f"event: larger than {EVENT_BYTES >> 20} MiB")
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise FormatError("event: expected JSON in UTF-8, without NaN or Infinity") from None
    return check_event(content)


def check_event(content: object) -> Event:
    """Validate the content of one event, such as a decoded Avro record.

    Raises:
        FormatError: as for `parse_event`.
    """
    if not isinstance(content, Mapping):
        raise FormatError("event: expected an object")
    name = content.get("schema")
    model = EVENT_MODELS.get(name) if isinstance(name, str) else None
    if model is None:
        raise FormatError(f"schema: expected one of {', '.join(EVENT_MODELS)}")
    try:
        # As JSON, where times are texts and tuples are arrays.
        return model.model_validate_json(json.dumps(content, allow_nan=False))
    except ValidationError as error:
        raise FormatError(f"{name}: {_describe_first_faults(error)}") from None
    except (ValueError, TypeError, RecursionError):
        raise FormatError(f"{name}: expected values of JSON") from None


def decode_events(messages: Sequence[bytes]) -> list[dict[str, Any] | FormatError]:
    """Read many events at once; each is its content as JSON has it, or why it was refused.

    Price: 3 us a prediction of 20 features, since only what looks unusual is validated by its
    model: every other event has exactly the types that the model demands.

    Raises:
        MissingExtra: orjson is not installed.
    """
    loads = import_extra("orjson", extra="kafka").loads
    joined = b"[" + b",".join(messages) + b"]"
    contents = None
    with suppress(ValueError):
        contents = None if b"\\u0000" in joined else loads(joined)
    if contents is None or len(contents) != len(messages):
        contents = [None] * len(messages)
    return [
        content if _is_usual(content, data) else _decode_one(data)
        for content, data in zip(contents, messages, strict=True)
    ]


def _decode_one(data: bytes) -> dict[str, Any] | FormatError:
    """Validate one event by its model."""
    try:
        parse_event(data)
    except FormatError as error:
        return error
    content: dict[str, Any] = json.loads(data)
    return content


_USUAL_BYTES = 20_000
_USUAL_CHARACTERS = 200
_match_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_SCALARS: frozenset[type] = frozenset({float, int, str, bool, type(None)})
_USUAL_TYPES: Mapping[str, frozenset[type]] = {
    "schema": frozenset({str}),
    "schema_version": frozenset({int}),
    "event_id": frozenset({str}),
    "time": frozenset({str}),
    "model": frozenset({str}),
    "model_version": frozenset({str}),
    "instance": frozenset({str}),
    "prediction_id": frozenset({str}),
    "status": frozenset({str}),
    "error": frozenset({str, type(None)}),
    "latency_seconds": frozenset({float, int, type(None)}),
    "segment": frozenset({str}),
    "group": frozenset({str, type(None)}),
    "prediction": _SCALARS,
    "features": frozenset({dict}),
}


def _is_usual(content: Any, data: bytes) -> bool:
    """Whether this is certainly a prediction, and one that its model accepts."""
    if type(content) is not dict or content.get("schema") != "prediction":
        return False
    if len(data) > _USUAL_BYTES:
        return False
    try:
        event_id = content["event_id"]
        if not (
            _match_uuid(event_id)
            # so that no message is read as a part of another, and none as two
            and event_id.encode() in data
            and data.count(b'"event_id"') == 1
            and content["status"] in ("ok", "error")
            and content["prediction_id"]
            and content["model"]
            and content["schema_version"] >= 1
            and _is_time(content["time"])
        ):
            return False
    except (KeyError, TypeError):
        return False
    return _has_usual_values(content)


def _has_usual_values(content: dict[str, Any]) -> bool:
    if not _has_usual_shape((*content, *map(type, content.values()))):
        return False
    for value in content.values():
        if type(value) is dict:
            if not _is_flat(value):
                return False
        elif type(value) is str and len(value) > _USUAL_CHARACTERS:
            return False
    return True


def _is_flat(values: dict[str, Any]) -> bool:
    kinds = [*map(type, values.values())]
    if not _are_names_and_scalars((*values, *kinds)):
        return False
    if str in kinds:
        return max(len(text) for text in values.values() if type(text) is str) <= _USUAL_CHARACTERS
    return True


@lru_cache(maxsize=1_024)  # the events of a model have the same fields, and most the same types
def _has_usual_shape(names_and_types: tuple[Any, ...]) -> bool:
    half = len(names_and_types) // 2
    return all(
        kind in _USUAL_TYPES.get(name, ())
        for name, kind in zip(names_and_types[:half], names_and_types[half:], strict=True)
    )


@lru_cache(maxsize=1_024)
def _are_names_and_scalars(names_and_types: tuple[Any, ...]) -> bool:
    half = len(names_and_types) // 2
    names, kinds = names_and_types[:half], set(names_and_types[half:])
    return kinds <= _SCALARS and all(0 < len(name) <= _USUAL_CHARACTERS for name in names)


@lru_cache(maxsize=4_096)  # the events of a block have the same time
def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).utcoffset() is not None and text[10] == "T"
    except ValueError:
        return False


def dump_event(event: Event) -> dict[str, Any]:
    """Return the content of an event as JSON has it, without fields at their defaults."""
    content: dict[str, Any] = event.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    name: str = event.schema_name
    return {"schema": name, "schema_version": event.schema_version} | content


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _describe_first_faults(error: ValidationError) -> str:
    """Describe the first faults by place and expectation, never by the value."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{_place(f['loc'])}: {_make_message(f['type'], f['msg'])}" for f in faults[:3]
    )


def _make_message(kind: str, text: str) -> str:
    return text.removeprefix("Value error, ") if kind != "json_invalid" else "expected JSON"


def _place(steps: tuple[int | str, ...]) -> str:
    """Name the field alone: what follows it may be the name of a feature, which is data."""
    return ascii(steps[0])[:60].strip("'") if steps else "event"
