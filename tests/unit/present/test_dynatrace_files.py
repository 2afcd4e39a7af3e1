"""Files for Dynatrace keep to its documented formats and limits; no tenant has loaded them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlmonitor.catalog import CATALOG, IDENTITY, SEGMENT
from mlmonitor.present.dashboards.shipped_files import render_files, write_files

TEXTS = {path.as_posix(): text for path, text in render_files("dynatrace", naming="prometheus")}
METRICS = {metric.name: metric for metric in CATALOG}
DOCUMENTS = ("overview", "drift", "data", "kpis")
SERVICE = "service.name"
"""A resource attribute that Dynatrace takes as a dimension by default."""
LOOKS = {"lineChart", "bandChart", "table", "singleValue", "barChart"}
FUNCTIONS = {"eq", "ne"}
ALERTS = {
    rule["alert"]
    for path, text in render_files("alerts", naming="prometheus")
    if path.name == "alerts.rules.yml"
    for group in yaml.safe_load(text)["groups"]
    for rule in group["rules"]
} - {"MlmonitorFleetDrift"}
"""All but evidence of summed counts, which needs recording rules."""


def load(path: str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(TEXTS[path])


def metrics_in(text: str) -> list[str]:
    """Return the names of all metrics in a query or a selector."""
    return re.findall(r"mlmonitor\.[a-z_.]+[a-z]", text)


def check_dql(query: str) -> None:
    """Check that a `timeseries` command uses metrics of the catalogue with their dimensions."""
    command, *rest = query.split("\n")
    assert command.startswith("timeseries ")
    names = metrics_in(command)
    assert names
    assert set(names) <= METRICS.keys()
    for opening, closing in ("{}", "()", "[]"):
        assert query.count(opening) == query.count(closing), query
    assert query.count('"') % 2 == 0
    split = re.search(r"by:\{([^}]*)\}", command)
    assert split is not None
    asked = {name.strip() for name in split[1].split(",")}
    asked |= set(re.findall(r"([a-z.]+) [!=]= ", command))
    asked |= set(re.findall(r"in\(([a-z.]+),", command))
    for name in names:
        has = {*METRICS[name].attributes, *IDENTITY, SEGMENT, SERVICE}
        assert asked <= has, (name, asked - has)
    assert all(line.startswith("| ") for line in rest)


def check_selector(selector: str) -> None:
    """Check a classic selector: every metric is split, and only by dimensions that it has."""
    for part in re.split(r" [-/] ", selector):
        if part.startswith("custom.db.query"):
            continue
        match = re.fullmatch(
            r'([a-z_.]+)(?::filter\((\w+)\("([a-z.]+)","[a-z]+"\)\))?:splitBy\(([^)]*)\):(\w+)',
            part,
        )
        assert match is not None, part
        name, function, dimension, by, how = match.groups()
        attributes = {*METRICS[name].attributes, *IDENTITY, SEGMENT, SERVICE}
        assert function is None or function in FUNCTIONS
        assert dimension is None or dimension in attributes
        assert {text.strip('"') for text in by.split(",")} <= attributes
        assert how in {"avg", "sum", "max", "min"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_the_documented_shape(name: str) -> None:
    """Every tile lies on the grid of 24 columns, and no two tiles overlap."""
    document = load(f"documents/{name}.json")
    assert document.keys() == {"version", "variables", "tiles", "layouts"}
    assert document["tiles"].keys() == document["layouts"].keys()
    taken: set[tuple[int, int]] = set()
    for number, place in document["layouts"].items():
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, number
        taken |= cells
    assert document["tiles"]["0"]["type"] == "markdown"
    for tile in list(document["tiles"].values())[1:]:
        assert tile["type"] == "data"
        assert tile["visualization"] in LOOKS
        check_dql(tile["query"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_declares_exactly_the_variables_that_its_queries_use(name: str) -> None:
    """Names consist of letters, as documented; several values are read with `array()`."""
    document = load(f"documents/{name}.json")
    declared = [variable["key"] for variable in document["variables"]]
    assert all(re.fullmatch(r"[A-Za-z0-9]+", key) for key in declared)
    used = set()
    for tile in document["tiles"].values():
        query = tile.get("query", "")
        used |= set(re.findall(r"array\(\$(\w+)\)", query))
        assert query.count("$") == len(re.findall(r"array\(\$\w+\)", query))
    assert used == set(declared)
    for variable in document["variables"]:
        assert variable["type"] == "query"
        assert variable["input"].startswith("timeseries ")
        assert set(metrics_in(variable["input"])) <= METRICS.keys()


def test_a_band_chart_has_a_lower_an_upper_and_a_value_series() -> None:
    """The documentation of band charts requires the three series."""
    tiles = load("documents/data.json")["tiles"].values()
    (band,) = (tile for tile in tiles if tile.get("visualization") == "bandChart")
    for name in ("lower = ", "upper = ", "mean = "):
        assert name in band["query"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_classic_dashboard_has_the_documented_shape(name: str) -> None:
    """Bounds lie on the grid of 38 pixels, no id is set, and every query has a selector."""
    board = load(f"classic/{name}.json")
    assert board.keys() == {"dashboardMetadata", "tiles"}
    assert board["dashboardMetadata"].keys() >= {"name", "owner", "shared"}
    for tile in board["tiles"]:
        assert tile.keys() >= {"name", "tileType", "configured", "bounds"}
        assert all(value % 38 == 0 for value in tile["bounds"].values())
        assert tile["tileType"] in {"DATA_EXPLORER", "MARKDOWN"}
        for query in tile.get("queries", ()):
            if not query["metricSelector"].startswith("custom.db.query"):
                check_selector(query["metricSelector"])
            assert query["metricSelector"] in tile["metricExpressions"][0]


def test_the_results_of_sql_queries_are_shown_in_one_tile() -> None:
    """They are one metric, distinguished by the name of the query."""
    assert 'custom.db.query:splitBy("query_name")' in TEXTS["classic/data.json"].replace('\\"', '"')


def detectors() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the title and the analyzer input of each detector."""
    resources = load("terraform/saas/detectors.tf.json")["resource"]
    for resource in resources["dynatrace_davis_anomaly_detectors"].values():
        fields = resource["analyzer"]["input"]["analyzer_input_field"]
        yield resource["title"], {field["key"]: field["value"] for field in fields}


def test_every_alert_has_a_detector_and_a_metric_event() -> None:
    """Both exist for Terraform and for Monaco, and link to the runbook of the alert."""
    events = load("terraform/managed/events.tf.json")["resource"]["dynatrace_metric_events"]
    assert {title for title, _ in detectors()} == ALERTS
    assert {event["summary"] for event in events.values()} == ALERTS
    for project in ("saas", "managed"):
        configs = yaml.safe_load(TEXTS[f"monaco/{project}/config.yaml"])["configs"]
        names = {config["config"]["name"] for config in configs}
        assert names >= ALERTS
        for config in configs:
            template = TEXTS[f"monaco/{project}/{config['config']['template']}"]
            if config["config"]["name"] in ALERTS:
                assert "docs/runbooks/" in template


def test_detectors_keep_to_the_documented_limits() -> None:
    """Samples are of one minute, windows of at most sixty, and values are texts."""
    for title, fields in detectors():
        assert all(isinstance(value, str) for value in fields.values())
        assert "interval:1m" in fields["query"]
        assert "from:" not in fields["query"]
        check_dql(fields["query"])
        assert 1 <= int(fields["violatingSamples"]) <= int(fields["slidingWindow"]) <= 60
        assert fields["alertCondition"] in {"ABOVE", "BELOW"}
        assert ("threshold" in fields) != ("numberOfSignalFluctuations" in fields)
        assert (fields["alertOnMissingData"] == "true") == (title == "MlmonitorHeartbeatMissing")


def test_the_query_of_a_detector_leaves_one_series() -> None:
    """Auxiliary series are removed, because each remaining one would be analysed."""
    for title, fields in detectors():
        series = re.findall(r"(\w+) = \w+\(mlmonitor", fields["query"])
        added = re.findall(r"fieldsAdd (\w+) =", fields["query"])
        removed = re.findall(r"fieldsRemove ([\w, ]+)", fields["query"])
        left = {*series, *added} - {name for text in removed for name in text.split(", ")}
        assert len(left) == 1, title


def test_metric_events_keep_to_the_documented_rules() -> None:
    """Selectors may have learned baselines; plain metric keys may not, so none are used."""
    events = load("terraform/managed/events.tf.json")["resource"]["dynatrace_metric_events"]
    for event in events.values():
        query, model = event["query_definition"], event["model_properties"]
        assert query["type"] == "METRIC_SELECTOR"
        check_selector(query["metric_selector"])
        assert 1 <= model["violating_samples"] <= model["samples"] <= 60
        has_threshold = model["type"] == "STATIC_THRESHOLD"
        assert ("threshold" in model) == has_threshold
        assert ("signal_fluctuation" in model) != has_threshold
        assert event["event_template"].keys() >= {"description", "event_type", "title"}


def test_every_metric_has_metadata_within_the_documented_limits() -> None:
    """Units have at most 63 characters and descriptions at most 1,023."""
    for project in ("saas", "managed"):
        path = f"terraform/{project}/metadata.tf.json"
        metadata = load(path)["resource"]["dynatrace_metric_metadata"]
        names = {item["metric_id"].removeprefix("metric-") for item in metadata.values()}
        assert names == METRICS.keys()
        for item in metadata.values():
            assert 0 < len(item["unit"]) <= 63
            assert 0 < len(item["description"]) <= 1_023
            assert item["display_name"]
            assert 2 <= len(item["metric_id"]) <= 255


def test_every_file_referenced_by_terraform_or_monaco_is_written() -> None:
    """References are `file` calls of Terraform and templates of Monaco."""
    for path, text in TEXTS.items():
        folder = path.rpartition("/")[0]
        for target in re.findall(r"\$\{path\.module\}/([\w./-]+)", text):
            parts: list[str] = []
            for part in f"{folder}/{target}".split("/"):
                parts = parts[:-1] if part == ".." else [*parts, part]
            assert "/".join(parts) in TEXTS, (path, target)
        if path.endswith("config.yaml"):
            configs = yaml.safe_load(text)["configs"]
            assert len({config["id"] for config in configs}) == len(configs)
            for config in configs:
                assert f"{folder}/{config['config']['template']}" in TEXTS


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.parametrize("project", ["saas", "managed"])
def test_terraform_accepts_the_files(project: str, tmp_path: Path) -> None:
    """Syntax, references and files are checked; the provider is not downloaded."""
    write_files("dynatrace", tmp_path)
    command = ["terraform", f"-chdir={tmp_path}/terraform/{project}", "validate", "-json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    problems = json.loads(done.stdout[done.stdout.index("{") :])["diagnostics"]
    summaries = {problem["summary"] for problem in problems if problem["severity"] == "error"}
    assert summaries == {"Missing required provider"}


def test_settings_for_monaco_name_their_schemas() -> None:
    """Detectors for SaaS, metric events for Managed; documents and classic dashboards."""
    kinds = {
        project: {
            json.dumps(config["type"], sort_keys=True)
            for config in yaml.safe_load(TEXTS[f"monaco/{project}/config.yaml"])["configs"]
        }
        for project in ("saas", "managed")
    }
    assert kinds["saas"] == {
        '{"document": {"kind": "dashboard", "private": false}}',
        '{"settings": {"schema": "builtin:davis.anomaly-detectors", "scope": "environment"}}',
    }
    events = "builtin:anomaly-detection.metric-events"
    assert kinds["managed"] == {
        '{"api": "dashboard"}',
        f'{{"settings": {{"schema": "{events}", "scope": "environment"}}}}',
    }
    manifest = yaml.safe_load(TEXTS["monaco/manifest.yaml"])
    assert {project["name"] for project in manifest["projects"]} == {"saas", "managed"}
    assert "dt0" not in TEXTS["monaco/manifest.yaml"]
