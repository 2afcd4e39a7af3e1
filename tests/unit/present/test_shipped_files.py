"""Dashboards and rules query only metrics of the catalogue, under the names of each backend."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from mlmonitor import ConfigError
from mlmonitor.catalog import CATALOG
from mlmonitor.cli.main import main
from mlmonitor.present.dashboards import promql_names
from mlmonitor.present.dashboards.promql_names import NAMINGS, Naming, metric_name, render
from mlmonitor.present.dashboards.shipped_files import (
    KINDS,
    read_templates,
    render_files,
    write_files,
)
from support.dashboards import expressions, panels, recorded_names

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
FOLDERS = ("metrics", "metrics-v2", "events", "events-v2")
METRIC_BOARDS = ("overview", "drift", "field", "performance", "kpis")


def names_of(naming: Naming) -> set[str]:
    """Return the names under which a backend stores the catalogue, histogram parts included."""
    parts = ("bucket", "sum", "count")
    return {
        metric_name(metric, part, naming)
        for metric in CATALOG
        for part in (parts if metric.kind == "histogram" else (None,))
    }


def selectors(expression: str) -> Iterator[str]:
    """Yield the names of all metrics in a parsed expression."""
    parsed = promql_parser.parse(expression)
    text = parsed.prettify()
    yield from re.findall(r'__name__="([^"]+)"', text)
    yield from re.findall(r"(?<![\w:\"$.])(mlmonitor[_:a-zA-Z0-9]+)(?=[\s{\[(),]|$)", text)


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_expression_parses_and_queries_only_metrics_of_the_catalogue(naming: Naming) -> None:
    """Panels of both dashboard schemas, alert rules and dashboard variables are covered."""
    exported = names_of(naming) | recorded_names()
    asked: set[str] = set()
    for kind in ("grafana", "alerts"):
        shipped_expressions = list(expressions(kind, naming))
        assert shipped_expressions
        for where, expression in shipped_expressions:
            names = set(selectors(expression))
            assert names, (where, expression)
            assert names <= exported, (where, names - exported)
            asked |= names
    assert len(asked) > 40


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_placeholder_of_a_shipped_file_is_filled(naming: Naming) -> None:
    """No angle brackets of a template remain in the files that users get."""
    for kind in KINDS:
        for path, text in render_files(kind, naming=naming):
            assert "<mlmonitor" not in text, path
            assert "<key:" not in text, path
            assert "<runbooks>" not in text, path
            assert not re.search(r"<(bare:)?(model|error|deployment)\.", text), path


TEMPLATES = {
    metric.name: template
    for kind in KINDS
    for _, template in read_templates(kind)
    for metric in promql_names.metrics_in(template)
}
"""Each metric that a shipped file names, with one such file."""


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_metric_removed_from_the_catalogue_breaks_the_files_that_query_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build fails before a user sees an empty panel."""
    left = tuple(metric for metric in CATALOG if metric.name != name)
    monkeypatch.setattr(promql_names, "CATALOG", left)
    with pytest.raises(ConfigError, match=re.escape(name)):
        render(TEMPLATES[name], "prometheus")


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_is_written_if_its_metrics_left_the_catalogue(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that cannot be rendered is not written."""
    monkeypatch.setattr(promql_names, "CATALOG", ())
    with pytest.raises(ConfigError, match="mlmonitor"):
        write_files(kind, tmp_path)


def test_almost_every_metric_is_shown_or_alerted_on() -> None:
    """The exceptions, which serve other backends or need no picture, are listed here."""
    elsewhere = {
        "mlmonitor.field.sum",  # for Dynatrace and OpenTelemetry providers
        "mlmonitor.prediction.duration.bucket",
        "mlmonitor.prediction.duration.sum",
    }
    names = {metric.name for metric in CATALOG}
    shown = {
        metric.name
        for kind in ("grafana", "alerts")
        for _, template in read_templates(kind)
        for metric in promql_names.metrics_in(template)
    }
    assert names - shown == elsewhere & names


def test_a_histogram_can_only_be_queried_by_its_parts() -> None:
    """A query for the metric without `_bucket`, `_sum` or `_count` would return nothing."""
    with pytest.raises(ConfigError, match="histogram"):
        render("<mlmonitor.prediction.duration>{}", "prometheus")
    with pytest.raises(ConfigError, match="gauge"):
        render("<mlmonitor.drift.score|bucket>{}", "prometheus")


def test_each_naming_writes_the_metric_names_of_its_backend() -> None:
    """The three naming strategies of Prometheus are covered."""
    template = 'sum by (<model.name>) (<mlmonitor.predictions>{<error.type>!=""})'
    assert [render(template, naming) for naming in NAMINGS] == [
        'sum by (model_name) (mlmonitor_predictions_total{error_type!=""})',
        'sum by (model_name) (mlmonitor_predictions{error_type!=""})',
        'sum by ("model.name") ({"mlmonitor.predictions","error.type"!=""})',
    ]
    assert render("{{<bare:model.name>}}", "utf8") == "{{model.name}}"


@pytest.mark.skipif(
    find_spec("grafana_foundation_sdk") is None, reason="grafana-foundation-sdk is not installed"
)
def test_the_shipped_files_equal_the_output_of_their_builders() -> None:
    """`make dashboards` would change nothing."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "dashboards/generate.py"]
    done = subprocess.run(
        [*command, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def boards(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the Grafana dashboards of a folder."""
    for path, text in render_files("grafana", naming="prometheus"):
        if path.parent.name == folder:
            yield path.stem, json.loads(text)


def test_there_are_five_dashboards_in_both_schemas() -> None:
    """Each has the same name in both."""
    for folder in ("metrics", "metrics-v2"):
        assert {name for name, _ in boards(folder)} == set(METRIC_BOARDS)
    for name, board in boards("metrics"):
        assert board["uid"] == f"mlmonitor-{name}"
        assert board["schemaVersion"] >= 42
    for name, board in boards("metrics-v2"):
        assert board["apiVersion"] == "dashboard.grafana.app/v2"
        assert board["kind"] == "Dashboard"
        assert board["metadata"]["name"] == f"mlmonitor-{name}"


def test_every_panel_says_what_is_good_and_what_to_do() -> None:
    """In both schemas it has a unit and a description that is longer than a title."""
    for folder in FOLDERS:
        for name, board in boards(folder):
            shown = list(panels(board))
            assert shown
            for panel in shown:
                assert len(panel["description"]) > 25, (name, panel["title"])
                assert panel["description"].rstrip().endswith("."), (name, panel["title"])


def test_panels_of_one_dashboard_do_not_overlap() -> None:
    """No panel is wider than the page either."""
    for name, board in (*boards("metrics"), *boards("events")):
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place.get("x", 0), place.get("x", 0) + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert all(x < 24 for x, _ in cells), (name, panel["title"])
            assert not cells & taken, (name, panel["title"])
            taken |= cells


def test_panels_have_unique_numbers() -> None:
    """Links to a single panel use its number."""
    for name, board in (*boards("metrics"), *boards("events")):
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers), name


def test_a_row_of_a_table_links_to_its_field() -> None:
    """The link passes model, version, role and field to a dashboard that exists."""
    text = json.dumps(dict(boards("metrics"))["drift"])
    assert "/d/mlmonitor-field?" in text
    for name in ("model", "version", "role", "field"):
        assert f"var-{name}=${{__data.fields.{name}}}" in text


def test_schema_v2_lays_out_every_element_once() -> None:
    """Grafana does not draw an element missing from the layout, and fails on an unknown one."""
    for name, board in (*boards("metrics-v2"), *boards("events-v2")):
        spec = board["spec"]
        placed = [
            item["spec"]["element"]["name"]
            for row in spec["layout"]["spec"]["rows"]
            for item in row["spec"]["layout"]["spec"]["items"]
        ]
        assert sorted(placed) == sorted(spec["elements"]), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_variable_of_a_query_is_defined_by_the_dashboard(folder: str) -> None:
    """A misspelt variable would match nothing."""
    for name, board in boards(folder):
        spec = board.get("spec", board)
        declared = {
            variable["spec"]["name"] if "spec" in variable else variable["name"]
            for variable in (spec.get("variables") or spec["templating"]["list"])
        }
        used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(board)))
        assert used - {"datasource"} <= declared, name
        assert {"datasource", "model", "version", "segment"} <= declared


def test_provisioning_files_name_what_is_written() -> None:
    """Data sources have the uids used by the alerts, and the dashboard folders exist."""
    texts = {path.as_posix(): text for path, text in render_files("grafana", naming="mimir")}
    sources = yaml.safe_load(texts["provisioning/datasources/mlmonitor.yml"])["datasources"]
    assert [source["uid"] for source in sources] == ["prometheus", "mlmonitor-events"]
    _, postgres = sources
    assert postgres["jsonData"]["database"] == "$MLMONITOR_POSTGRES_DATABASE"
    assert postgres["url"] == "$MLMONITOR_POSTGRES_HOST:$MLMONITOR_POSTGRES_PORT"
    assert postgres["user"] == "$MLMONITOR_POSTGRES_USER"
    assert postgres["secureJsonData"] == {"password": "$MLMONITOR_POSTGRES_PASSWORD"}
    providers = yaml.safe_load(texts["provisioning/dashboards/mlmonitor.yml"])["providers"]
    folders = {path.split("/")[0] for path in texts}
    for provider in providers:
        assert provider["options"]["path"].rpartition("/")[2] in folders


def alerting_rules() -> list[dict[str, Any]]:
    """Yield the alerting rules for Prometheus and Mimir."""
    texts = {path.name: text for path, text in render_files("alerts", naming="prometheus")}
    groups = yaml.safe_load(texts["alerts.rules.yml"])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_has_its_runbook() -> None:
    """Every runbook has an alert, too, whose name is its heading."""
    linked = {}
    for rule in alerting_rules():
        folder, _, page = rule["annotations"]["runbook_url"].rpartition("/")
        assert folder == "docs/runbooks"
        linked[page] = rule["alert"]
    pages = {path.name: path for path in RUNBOOKS.glob("*.md") if path.name != "README.md"}
    assert pages.keys() == linked.keys()
    contents = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for page, path in pages.items():
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {linked[page]}\n")
        for heading in ("## Look first", "## Then", "## When it is wrong"):
            assert heading in text, page
        assert f"[{linked[page]}]({page})" in contents


def test_every_alert_has_a_summary_a_severity_and_a_wait() -> None:
    """Only internal errors of the library are reported without a wait."""
    for rule in alerting_rules():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert (rule["for"] == "0m") == (rule["alert"] == "MlmonitorInternalErrors")


def test_runbooks_are_linked_at_the_address_given(tmp_path: Path) -> None:
    """The address may end in a slash."""
    write_files("alerts", tmp_path, runbooks="https://wiki.example/runbooks/")
    for name in ("alerts.rules.yml", "grafana/alerts.yml"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "runbook_url: https://wiki.example/runbooks/drift.md" in text


def test_grafana_and_prometheus_have_the_same_alerts() -> None:
    """Name, wait, severity and text are equal."""
    texts = {path.as_posix(): text for path, text in render_files("alerts", naming="mimir")}
    document = yaml.safe_load(texts["grafana/alerts.yml"])
    assert document["apiVersion"] == 1
    (group,) = document["groups"]
    mine = {rule["title"]: rule for rule in group["rules"]}
    rules = {rule["alert"]: rule for rule in alerting_rules()}
    assert mine.keys() == rules.keys()
    assert len({rule["uid"] for rule in mine.values()}) == len(mine)
    for name, rule in mine.items():
        assert len(rule["uid"]) <= 40
        assert rule["for"] == rules[name]["for"]
        assert rule["labels"] == rules[name]["labels"]
        assert {query["refId"] for query in rule["data"]} >= {rule["condition"]}
        assert not re.search(r"(?<!\$)\$(?!\$)", json.dumps(rule)), "Grafana would replace it"


def test_rule_groups_are_small_enough_for_mimir() -> None:
    """By default its ruler accepts twenty rules in a group."""
    for path, text in render_files("alerts", naming="mimir"):
        if path.name.endswith(".rules.yml"):
            for group in yaml.safe_load(text)["groups"]:
                assert len(group["rules"]) <= 20


@pytest.mark.parametrize("kind", ["grafana", "alerts", "dynatrace"])
def test_the_dashboards_command_lists_the_files_that_it_wrote(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is created if needed, and its other files are left unchanged."""
    out = tmp_path / "a" / "b"
    assert main(["dashboards", "write", kind, "--naming", "utf8", "--out", str(out)]) == 0
    said = capsys.readouterr().out.split()
    written = {path for path in out.rglob("*") if path.is_file()}
    assert {Path(line) for line in said} == written
    assert written
    (out / "mine.txt").write_text("mine")
    assert main(["dashboards", "write", kind, "--out", str(out)]) == 0
    assert (out / "mine.txt").read_text() == "mine"


def test_an_unknown_kind_or_naming_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The message lists the valid ones."""
    with pytest.raises(ConfigError, match="grafana, dynatrace, alerts"):
        write_files("kibana", tmp_path)
    with pytest.raises(ConfigError, match="prometheus, mimir, utf8"):
        write_files("grafana", tmp_path, naming="loki")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it, and the exit status is that of a configuration error."""
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "below")
    assert main(["dashboards", "write", "alerts", "--out", out]) == 2
    assert "Not a directory" in capsys.readouterr().err


def test_writing_dashboards_imports_no_library_that_builds_them(tmp_path: Path) -> None:
    """The shipped files are data, so neither Grafana's builders nor a YAML library is needed."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlmonitor.present.dashboards.shipped_files import write_files\n"
        f"write_files('grafana', Path({str(tmp_path)!r}))\n"
        "print(sorted({'grafana_foundation_sdk', 'yaml', 'promql_parser'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_rules_of_the_examples_are_those_that_ship() -> None:
    """`make dashboards` writes both."""
    texts = {path.name: text for path, text in render_files("alerts", naming="prometheus")}
    example = ROOT / "examples" / "collectors" / "fleet.rules.yml"
    assert example.read_text(encoding="utf-8") == texts["fleet.rules.yml"]
