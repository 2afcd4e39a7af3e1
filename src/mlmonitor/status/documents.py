"""A status as plain data and as HTML, for programs and notebooks."""

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from mlmonitor.display.markup import add_items, add_table, add_text, new_fragment, to_text
from mlmonitor.formatting import counted, short
from mlmonitor.status.field_table import invalid_count
from mlmonitor.status.lines import alert_title

if TYPE_CHECKING:
    from mlmonitor.status.field_status import FieldStatus
    from mlmonitor.status.status import Status

_HEAD = ("field", "role", "rows", "invalid", "mean", "at training", "psi", "threshold", "")


def to_plain(value: Any) -> Any:
    """Convert a value to dicts, lists, strings, numbers and None; non-finite numbers become None.

    Dataclasses and named tuples become dicts of their fields; keys of mappings become strings.
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
    """Return a status as one JSON object, without NaN or Infinity, which strict parsers reject."""
    return json.dumps(to_plain(status), indent=indent, allow_nan=False)


def to_html(status: "Status") -> str:
    """Return a status as an HTML fragment without scripts, with all names escaped."""
    failed = sum(status.errors.values())
    facts = f"{status.predictions:,} predictions, {failed:,} failed, {status.window_rows:,} rows"
    title = f"{status.model} {status.version}".strip()
    root = new_fragment(title, f": {status.state}; {facts} in the window")
    for sentence in (status.verdict, status.reference_warning):
        if sentence is not None:
            add_text(root, str(sentence))
    for version, challenge in status.challenges.items():
        add_text(root, f"challenger {version}: {challenge.summary}")
    if status.incidents:
        add_items(root, ((incident.title, incident.advice) for incident in status.incidents))
    if status.alerts:
        add_items(root, ((alert_title(alert), alert.reason) for alert in status.alerts))
    if status.fields:
        add_table(root, _HEAD, map(_build_cells, status.fields))
    return to_text(root)


def _build_cells(field: "FieldStatus") -> tuple[str, ...]:
    trained = None if field.training is None else field.training.mean
    return (
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
