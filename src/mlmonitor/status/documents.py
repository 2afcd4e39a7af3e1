"""A status as plain data and as HTML, for programs and notebooks."""

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pydantic_core import to_jsonable_python

from mlmonitor.formatting import counted, short
from mlmonitor.status.field_table import invalid_count
from mlmonitor.status.lines import alert_title

if TYPE_CHECKING:
    from mlmonitor.status.status import Status

_HEAD = ("field", "role", "rows", "invalid", "mean", "at training", "psi", "threshold", "")


def to_plain(value: Any) -> Any:
    """Convert to dicts, lists, strings, numbers and None; non-finite numbers become None.

    Dataclasses and named tuples become dicts of their fields, keys of mappings become strings.
    """
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: to_plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: to_plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, Mapping):
        return {str(to_jsonable_python(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return to_jsonable_python(value, inf_nan_mode="null", serialize_unknown=True)


def to_json(status: "Status", *, indent: int | None = None) -> str:
    """The status as one JSON object; valid for every parser, without NaN or Infinity."""
    return json.dumps(to_plain(status), indent=indent, allow_nan=False)


def to_html(status: "Status") -> str:
    """The status as a fragment of HTML without scripts, with every name escaped."""
    root = ET.Element("div")
    title = ET.SubElement(root, "p")
    ET.SubElement(title, "b").text = f"{status.model} {status.version}".strip()
    failed = sum(status.errors.values())
    facts = f"{status.predictions:,} predictions, {failed:,} failed, {status.window_rows:,} rows"
    title[-1].tail = f": {status.state}; {facts} in the window"
    if status.reference_warning is not None:
        ET.SubElement(root, "p").text = status.reference_warning
    _add_alerts(root, status)
    _add_fields(root, status)
    return ET.tostring(root, encoding="unicode", method="html")


def _add_alerts(root: ET.Element, status: "Status") -> None:
    if not status.alerts:
        return
    listing = ET.SubElement(root, "ul")
    for alert in status.alerts:
        item = ET.SubElement(listing, "li")
        ET.SubElement(item, "b").text = alert_title(alert)
        item[-1].tail = f" {alert.reason}"


def _add_fields(root: ET.Element, status: "Status") -> None:
    if not status.fields:
        return
    table = ET.SubElement(root, "table")
    head = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for name in _HEAD:
        ET.SubElement(head, "th").text = name
    body = ET.SubElement(table, "tbody")
    for field in status.fields:
        trained = None if field.training is None else field.training.mean
        cells = (
            field.name,
            field.role.value,
            counted(field.count),
            counted(invalid_count(field)),
            short(field.mean),
            short(trained),
            short(field.psi),
            short(field.psi_threshold),
            "alert" if field.has_alert else "",
        )
        row = ET.SubElement(body, "tr")
        for cell in cells:
            ET.SubElement(row, "td").text = cell
