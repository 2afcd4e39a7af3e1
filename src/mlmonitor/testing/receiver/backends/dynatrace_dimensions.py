"""How Dynatrace turns OTLP names and attributes into metric keys and dimensions.

Source: docs.dynatrace.com, "About OTLP metrics ingest" (limits, metric keys, dimension keys,
attribute ingestion). All functions are pure; they report what they change.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlmonitor.testing.receiver.decoding import Attributes, AttributeValue, WirePoint, as_text

MOST_DIMENSIONS = 50
LONGEST_DIMENSION_KEY = 100
LONGEST_DIMENSION_VALUE = 255
METRIC_KEY_LENGTHS = range(2, 256)

RESOURCE_DIMENSIONS = ("service.name", "host.", "k8s.", "faas.")
"""Names, or prefixes of names, of resource attributes that become dimensions by default.

The start of a longer list; an environment may add attributes in its settings.
"""

_NOT_IN_METRIC_KEY = re.compile(r"[^A-Za-z0-9_.\-]")
_NOT_IN_DIMENSION_KEY = re.compile(r"[^a-z0-9_.\-]")
_NOT_A_LETTER_FIRST = re.compile(r"^[^A-Za-z]")


class Dimensions(NamedTuple):
    """The dimensions of a point, and the changes made to its attributes."""

    kept: dict[str, str]
    notes: list[str]


def metric_key(name: str) -> str | None:
    """Return a metric's key: invalid characters become `_`; None if none is valid.

    Valid characters are letters, digits, `-`, `_` and dots; the first must be a letter.
    """
    if not re.search(r"[A-Za-z0-9_\-]", name):
        return None
    return _NOT_A_LETTER_FIRST.sub("_", _NOT_IN_METRIC_KEY.sub("_", name))


def dimension_key(key: str) -> str | None:
    """Return a dimension's key; None if no character is valid.

    The key is in lower case, with `_` for invalid characters, and truncated to 100 characters.
    """
    if not re.search(r"[A-Za-z0-9_.\-]", key):
        return None
    valid = _NOT_A_LETTER_FIRST.sub("_", _NOT_IN_DIMENSION_KEY.sub("_", key.lower()))
    return valid[:LONGEST_DIMENSION_KEY]


def dimension_value(value: AttributeValue) -> str | None:
    """Return a value as text, not truncated; None for a type that Dynatrace drops.

    Strings, booleans and integers are accepted; floats, arrays, maps, bytes and a missing value are
    not.
    """
    if isinstance(value, str | bool | int) and value != "":
        return as_text(value)
    return None


def dimensions(point: WirePoint, resource_dimensions: Sequence[str]) -> Dimensions:
    """Return a point's dimensions; its own attributes outrank the scope's, then the resource's."""
    result = Dimensions({}, [])
    source = point.source
    promoted = tuple(
        pair for pair in source.resource if pair[0].startswith(tuple(resource_dimensions))
    )
    for attributes in (point.attributes, source.scope_attributes, promoted):
        _add(result, attributes)
    return result


def _add(result: Dimensions, attributes: Attributes) -> None:
    """Add attributes of the point, its scope or its resource; existing keys keep their values."""
    for key, value in attributes:
        name, text = dimension_key(key), dimension_value(value)
        if name is None:
            result.notes.append(f"dimension dropped, its key has no valid character: {key!r}")
        elif text is None:
            result.notes.append(f"dimension dropped, {_name_kind(value)} is not accepted: {key!r}")
        elif name in result.kept:
            result.notes.append(f"dimension dropped, its key is already in use: {key!r}")
        else:
            result.kept[name] = text[:LONGEST_DIMENSION_VALUE]
            result.notes.extend(_list_changes(key, name, text))


def _list_changes(key: str, name: str, text: str) -> Iterator[str]:
    if len(key) > LONGEST_DIMENSION_KEY:
        yield f"dimension key cut: {name!r}"
    elif key != name:
        yield f"dimension key changed: {key!r} to {name!r}"
    if len(text) > LONGEST_DIMENSION_VALUE:
        yield f"dimension value cut: {name!r}"


def _name_kind(value: AttributeValue) -> str:
    match value:
        case None | "":
            return "nothing"
        case float() | bytes():
            return type(value).__name__
        case _:
            return getattr(value, "kind", "this type")
