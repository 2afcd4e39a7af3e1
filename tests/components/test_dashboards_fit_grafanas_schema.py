"""Grafana's own types accept every shipped dashboard and refuse a misspelt one.

Only types are checked; what a panel looks like can be seen only in Grafana.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlmonitor.present.dashboards.shipped_files import render_files
from support.backends import program

pytestmark = pytest.mark.integration

PANELS = {
    "timeseries": "TimeSeries",
    "stat": "Stat",
    "table": "Table",
    "barchart": "BarChart",
    "text": "Text",
}
NO_FIELDS = ("stat", "text")  # panels of which a field has no options of its own
PLUGIN = "@grafana/schema/dist/esm/raw/composable/{}/panelcfg/x/{}PanelCfg_types.gen"

# An enumeration is written as the text of its member, and panels fill in what is left out.
HEAD = """\
import type { Dashboard } from "@grafana/schema";
import type { Spec } from "@grafana/schema/apis/dashboard.grafana.app/v2";
type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Part<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
"""


def boards() -> list[tuple[str, dict[str, Any]]]:
    """Every Grafana dashboard with its path."""
    return [
        (str(path), json.loads(text))
        for path, text in render_files("grafana", naming="prometheus")
        if path.suffix == ".json"
    ]


def list_panels(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """List the plugin, options and field configuration of each panel, in either schema."""
    if "spec" in board:
        for element in board["spec"]["elements"].values():
            config = element["spec"]["vizConfig"]
            yield config["group"], config["spec"]["options"], config["spec"]["fieldConfig"]
    else:
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield panel["type"], panel.get("options", {}), panel.get("fieldConfig", {})


def declare(board: dict[str, Any]) -> Iterator[str]:
    """Declare a dashboard and its panels as constants of Grafana's types."""
    is_v2 = "spec" in board
    yield f"Plain<{'Spec' if is_v2 else 'Dashboard'}> = {json.dumps(board.get('spec', board))}"
    for plugin, options, fields in list_panels(board):
        yield f"Part<{PANELS[plugin]}.Options> = {json.dumps(options)}"
        custom = fields.get("defaults", {}).get("custom", {})
        if plugin in NO_FIELDS:
            assert not custom, plugin
        else:
            yield f"Part<{PANELS[plugin]}.FieldConfig> = {json.dumps(custom)}"


def check_types(folder: Path, declarations: list[str]) -> str:
    """Return the errors of the TypeScript compiler."""
    compiler = program("tsc")
    imports = [
        f'import type * as {name} from "{PLUGIN.format(plugin, name)}";'
        for plugin, name in PANELS.items()
    ]
    constants = [f"export const c{number}: {text};" for number, text in enumerate(declarations)]
    (folder / "boards.ts").write_text("\n".join([HEAD, *imports, *constants]), encoding="utf-8")
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(compiler.parent / "node_modules")
    options = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]
    command = [
        compiler,
        *options,
        "--moduleResolution",
        "bundler",
        "--pretty",
        "false",
        "boards.ts",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_every_dashboard_fits_the_types_of_grafana(tmp_path: Path) -> None:
    """Both schemas are checked, down to the options of panels and of their fields."""
    declarations = [text for _, board in boards() for text in declare(board)]
    assert len(declarations) > 150
    assert check_types(tmp_path, declarations) == ""


@pytest.mark.parametrize("name", ["metrics/drift.json", "metrics-v2/drift.json"])
def test_a_misspelt_option_of_a_dashboard_is_refused(name: str, tmp_path: Path) -> None:
    """The compiler reports an unknown option of a dashboard, of a panel and of a field."""
    board = dict(boards())[name]
    texts = list(declare(board))
    spoilt = [
        text[:-1] + (", " if text[-2] != "{" else "") + '"misspelt": 1}' for text in texts[:3]
    ]
    report = check_types(tmp_path, spoilt)
    assert report.count("'\"misspelt\"' does not exist") == len(spoilt), report
