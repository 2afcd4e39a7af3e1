"""Parse and validate events from untrusted bytes, and convert events to JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mlmonitor.errors import FormatError
from mlmonitor.formats.events.event_models import EVENT_MODELS, Event

EVENT_BYTES = 8 << 20
"""A larger message is refused before it is parsed."""


def parse_event(data: bytes) -> Event:
    """Read one event from JSON.

    Raises:
        FormatError: the data is too large, not JSON, or not an event of a known schema. The message
            names the field and what was expected, never a value.
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
        # Validated as JSON, in which times are texts and tuples are arrays.
        return model.model_validate_json(json.dumps(content, allow_nan=False))
    except ValidationError as error:
        raise FormatError(f"{name}: {_describe_first_faults(error)}") from None
    except (ValueError, TypeError, RecursionError):
        raise FormatError(f"{name}: expected values of JSON") from None


def decode_events(messages: Sequence[bytes]) -> list[dict[str, Any] | FormatError]:
    """Parse and validate events; return each as a dictionary, or as an error if it is invalid."""
    return [_decode_one(data) for data in messages]


def _decode_one(data: bytes) -> dict[str, Any] | FormatError:
    """Parse and validate one event; return the error instead of raising it."""
    try:
        parse_event(data)
    except FormatError as error:
        return error
    content: dict[str, Any] = json.loads(data)
    return content


def dump_event(event: Event) -> dict[str, Any]:
    """Convert an event to a dictionary for JSON, without fields that have their default."""
    content: dict[str, Any] = event.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    name: str = event.schema_name
    return {"schema": name, "schema_version": event.schema_version} | content


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _describe_first_faults(error: ValidationError) -> str:
    """Describe the first three errors by field and expectation, without values."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{_place(f['loc'])}: {_make_message(f['type'], f['msg'])}" for f in faults[:3]
    )


def _make_message(kind: str, text: str) -> str:
    return text.removeprefix("Value error, ") if kind != "json_invalid" else "expected JSON"


def _place(steps: tuple[int | str, ...]) -> str:
    """Return only the outermost field of a location: inner keys may be data, such as categories."""
    return ascii(steps[0])[:60].strip("'") if steps else "event"
