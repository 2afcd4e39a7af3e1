"""Extract the queries of the shipped dashboards and rules from their files."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from mlmonitor.present.dashboards.promql_names import Naming
from mlmonitor.present.dashboards.shipped_files import render_files

CHOICES: Mapping[str, str] = {
    "$__rate_interval": "4m",
    "$__range": "1h",
    "$window": "1h",
    "$environment": ".*",
    "$model": ".*",
    "$version": ".*",
    "$segment": "all|",
    "$role": ".*",
    "$field": ".*",
    "$measure": "psi",
}
"""The values of Grafana's variables in expressions: everything, unless a test says otherwise."""


def substituted(expression: str, choices: Mapping[str, str] = CHOICES) -> str:
    """Replace Grafana's variables in an expression, as Grafana does before sending it."""
    for name, value in {**CHOICES, **choices}.items():
        expression = expression.replace(name, value)
    return expression


def expressions(kind: str, naming: Naming) -> Iterator[tuple[str, str]]:
    """Yield the location and the text of each PromQL expression in the files of one kind."""
    for path, text in render_files(kind, naming=naming):
        for title, expression in file_expressions(path, text):
            yield f"{path}: {title}", substituted(expression)


def file_expressions(path: PurePosixPath, text: str) -> Iterator[tuple[str, str]]:
    """Yield the title of each panel or rule in a file, with its PromQL expression."""
    if path.suffix == ".json":
        yield from _search(json.loads(text), path.stem)
    elif path.name.endswith(".rules.yml"):
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], rule["expr"]
    elif path.parts[-2:] == ("alerting", "alerts.yml") or path.parts[0] == "grafana":
        yield from _search(yaml.safe_load(text.replace("$$", "$")), path.stem)


def _search(value: Any, title: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _search(item, title)
    elif isinstance(value, dict):
        name = value.get("title")
        title = name if isinstance(name, str) and name else title
        for key, item in value.items():
            is_text = isinstance(item, str)
            if key == "expr" and is_text:
                yield title, item
            elif key == "query" and is_text and item.startswith("query_result("):
                yield f"a variable of {title}", item.removeprefix("query_result(")[:-1]
            elif not is_text:
                yield from _search(item, title)


def recorded_names() -> set[str]:
    """Return the names of all series that recording rules compute."""
    return {
        rule["record"]
        for path, text in render_files("alerts", naming="prometheus")
        if path.name.endswith(".rules.yml")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a dashboard's panels with queries, in either schema, with title and description."""
    if "spec" in board:
        for element in board["spec"]["elements"].values():
            yield element["spec"]
    else:
        yield from (panel for panel in board["panels"] if panel["type"] not in ("row", "text"))
