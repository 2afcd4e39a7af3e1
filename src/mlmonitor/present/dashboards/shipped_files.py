"""Write the dashboards and rules that ship with the package into a folder."""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mlmonitor.errors import ConfigError
from mlmonitor.present.dashboards.promql_names import NAMINGS, Naming, render

KINDS: Final = {
    "grafana": (
        (("dashboards", "grafana"), "."),
        (("alerts", "grafana"), "provisioning/alerting"),
    ),
    "dynatrace": ((("dashboards", "dynatrace"), "."), (("alerts", "dynatrace"), ".")),
    "alerts": ((("alerts", "prometheus"), "."), (("alerts", "grafana"), "grafana")),
}
"""The kinds of files: folders of the package, each with its path below the target folder."""


RUNBOOKS: Final = "docs/runbooks"
"""The default base URL of the pages that alerts link to."""


def write_files(
    kind: str, out: Path, *, naming: Naming = "prometheus", runbooks: str = RUNBOOKS
) -> list[Path]:
    """Write all files of one kind into a folder, which is created; return their paths.

    runbooks: the base URL of the pages that alerts link to.

    Existing files with the same names are replaced; other files are left alone. Raises ConfigError
    for an unknown kind or naming, and OSError if the folder cannot be written.
    """
    if kind not in KINDS:
        raise ConfigError(f"dashboards: expected one of {', '.join(KINDS)}")
    if naming not in NAMINGS:
        raise ConfigError(f"naming: expected one of {', '.join(NAMINGS)}")
    written = []
    for path, text in render_files(kind, naming=naming, runbooks=runbooks):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def render_files(
    kind: str, *, naming: Naming, runbooks: str = RUNBOOKS
) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the relative path and the text of every file of a kind, in the names of a backend."""
    for path, shipped in read_templates(kind):
        template = shipped.replace("<runbooks>", runbooks.rstrip("/"))
        if path.suffix == ".json":
            document = _render_json(json.loads(template), naming)
            yield path, json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        else:
            yield path, render(template, naming)


def read_templates(kind: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield path and text of every template of a kind, with catalogue names in angle brackets."""
    for folder, target in KINDS[kind]:
        yield from _walk(files("mlmonitor.present").joinpath(*folder), PurePosixPath(target))


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, path / entry.name)
        elif not entry.name.endswith((".py", ".pyc")):
            yield path / entry.name, entry.read_text(encoding="utf-8")


def _render_json(value: Any, naming: Naming) -> Any:
    """Render the strings of a parsed document, so that encoding it escapes quotes in names."""
    if isinstance(value, str):
        return render(value, naming)
    if isinstance(value, list):
        return [_render_json(item, naming) for item in value]
    if isinstance(value, dict):
        return {render(key, naming): _render_json(item, naming) for key, item in value.items()}
    return value
