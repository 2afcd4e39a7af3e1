"""Write a report: one self-contained HTML file for people, or JSON for programs."""

import hashlib
import json
from base64 import b64encode
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.environment.library_version import library_version
from mlmonitor.errors import ConfigError
from mlmonitor.formats.atomic_file import check_target, write_atomically
from mlmonitor.formatting import describe_kind, moment
from mlmonitor.present.names import show_name
from mlmonitor.present.renderer import load_environment, read_asset
from mlmonitor.present.views.field_detail import FieldDetail, build_detail
from mlmonitor.present.views.field_list import find_fields
from mlmonitor.present.views.model_page import build_model_page
from mlmonitor.present.views.view_options import ModelReading, ViewOptions
from mlmonitor.records import QUALITIES, Floats, Quality

SCHEMA = 1
"""The version of the JSON report. Fields may be added without a new version, but not removed."""

_SUFFIXES = (".html", ".json")


def write_report(reading: ModelReading, path: str | PathLike[str]) -> Path:
    """Write a report to `path`, as HTML or JSON according to its extension; return the path.

    Promise: the write is atomic; a reader finds the old file or the complete new one.

    Raises:
        ConfigError: the extension is neither `.html` nor `.json`.
        MissingExtra: the extra `report` is not installed, for HTML.
        OSError: the file cannot be written.
    """
    target = check_path(path)
    text = render_json(reading) if target.suffix.lower() == ".json" else render_report(reading)
    write_atomically(target, text.encode())
    return target


def check_path(path: str | PathLike[str]) -> Path:
    """Check the path of a report before any work, and return it.

    Raises:
        ConfigError: `path` is not a path, or does not end in `.html` or `.json`.
        OSError: its folder does not exist, or `path` is itself a folder.
    """
    if not isinstance(path, str | PathLike):
        raise ConfigError(
            f"report: expected a path that ends in .html or .json, got {describe_kind(path)}"
        )
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise ConfigError("report: expected a path that ends in .html or .json")
    check_target(target)
    return target


def render_report(reading: ModelReading) -> str:
    """Return the report as HTML with the details of all fields; it loads nothing from elsewhere.

    Price: 15 to 25 ms and 25 kB per field.
    """
    environment = load_environment("report")
    style, script = read_asset("page.css"), read_asset("report.js")
    options = ViewOptions(with_calm=True)
    page = build_model_page(reading, options)
    details = [_shorten(build_detail(reading, listed)) for listed in find_fields(reading, "")]
    order = {row.link: place for place, row in enumerate(page.fields.rows)}
    details.sort(key=lambda detail: order.get(detail.link, len(order)))
    headline = page.headline
    html: str = environment.get_template("report.html.j2").render(
        title=f"{headline.model} {headline.version}".strip(),
        page=page,
        details=details,
        style=_mark_safe(style),
        script=_mark_safe(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        made_at=moment(reading.snapshot.time),
        library_version=library_version(),
    )
    return html


def _shorten(detail: FieldDetail) -> FieldDetail:
    """Remove the charts over time from a field that has not changed, to save space."""
    if detail.state in ("alert", "moved"):
        return detail
    return replace(detail, level=None, fan=None, invalid=None, drift=None, bar_table=None)


def _hash(text: str) -> str:
    """Return the hash by which the document's content security policy allows a style or script."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _mark_safe(text: str) -> object:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own style sheet and script


def render_json(reading: ModelReading) -> str:
    """Return the report as JSON: the status, and the history of every field over the window."""
    snapshot, status = reading.snapshot, reading.status
    report = {
        "schema": SCHEMA,
        "model": show_name(status.model),
        "version": show_name(status.version),
        "time": snapshot.time,
        "status": status.to_dict(),
        "history": [part for p in snapshot.whole for part in _list_history(p)],
    }
    return json.dumps(report, indent=1, allow_nan=False) + "\n"


def _list_history(population: PopulationSnapshot) -> list[dict[str, Any]]:
    """Return the history of each field of a population by slice; null for slices without values."""
    history, drift = population.history, population.drift_history
    if history is None:
        return []
    parts: list[dict[str, Any]] = []
    for place, field in enumerate(population.plan.schema.fields):
        quality = history.counts["quality"][:, place]
        valid = quality[:, QUALITIES.index(Quality.VALID)]
        course: dict[str, Any] = {
            "field": field.name,
            "role": field.role.value,
            "slices": {
                "start": history.starts.tolist(),
                "values": quality.sum(axis=1).tolist(),
                "invalid": (quality.sum(axis=1) - valid).tolist(),
            },
        }
        if place < len(population.plan.schema.numeric) and not population.is_id_like[place]:
            has_values = history.valid[:, place] > 0
            course["slices"]["numbers"] = history.valid[:, place].tolist()
            for name, values in (("mean", history.mean), ("stddev", history.stddev)):
                numbers = np.where(has_values, values[:, place], np.nan)
                course["slices"][name] = _to_numbers(numbers)
        if drift is not None:
            course["drift"] = {
                "start": drift.starts.tolist(),
                "rows": drift.rows.tolist(),
                "psi": _to_numbers(drift.scores[:, place]),
                "threshold": _to_numbers(drift.thresholds[:, place]),
            }
        parts.append(course)
    return parts


def _to_numbers(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
