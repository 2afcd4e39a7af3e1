"""The report: one self-contained HTML file, or JSON for machines."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmonitor import Config, Monitor
from mlmonitor.errors import ConfigError
from support.html_checks import Document
from support.shown_models import (
    HOSTILE,
    claims_reference,
    hostile_monitor,
    shifted_monitor,
    wide_monitor,
)


@pytest.fixture(scope="module")
def shifted() -> Iterator[Monitor]:
    """Return a monitor whose last twenty minutes have shifted."""
    with shifted_monitor() as monitor:
        yield monitor


def test_a_report_is_one_self_contained_document(shifted: Monitor, tmp_path: Path) -> None:
    """It loads no address, image or font, and every field has a section."""
    path = shifted.report(tmp_path / "report.html")
    html = path.read_text(encoding="utf-8")
    document = Document(html)
    assert document.problems == []
    assert document.find_active() == []
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", html)
    assert "Look" in document.text
    for name in ("limit", "customer_age", "line", "is_weekend", "calm", "prediction", "actual"):
        assert f'data-name="{name}"' in html


def test_links_of_a_report_lead_to_its_sections(shifted: Monitor, tmp_path: Path) -> None:
    """The list of fields and the alerts link to the details of a field."""
    document = Document(shifted.report(tmp_path / "r.html").read_text(encoding="utf-8"))
    targets = {value for _, name, value in document.attributes if name == "href" and value}
    anchors = {target[1:] for target in targets if target.startswith("#")}
    assert len(anchors) > 5
    assert anchors <= {*document.ids}


def test_the_policy_of_a_report_allows_only_its_own_script(
    shifted: Monitor, tmp_path: Path
) -> None:
    """Script and style are allowed by the hash of their text."""
    html = shifted.report(tmp_path / "r.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert body is not None
        digest = b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy.group(1).replace("&#39;", "'")


def test_hostile_names_are_escaped_in_a_report(tmp_path: Path) -> None:
    """No name opens an element or closes the title."""
    with hostile_monitor() as monitor:
        html = monitor.report(tmp_path / "r.html").read_text(encoding="utf-8")
    document = Document(html)
    assert document.problems == []
    assert document.find_active() == []
    assert document.tags.count("script") == 1
    assert HOSTILE[0] in document.text


def test_a_report_of_a_hundred_fields_is_small(tmp_path: Path) -> None:
    """It stays under five megabytes, however many fields have drifted."""
    with wide_monitor(100) as monitor:
        path = monitor.report(tmp_path / "r.html")
    assert 100_000 < path.stat().st_size < 5_000_000


def test_a_json_report_holds_the_status_and_the_course_of_each_field(
    shifted: Monitor, tmp_path: Path
) -> None:
    """It contains no NaN, so every JSON parser accepts it."""
    path = shifted.report(str(tmp_path / "report.json"))
    report = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert {"schema", "model", "version", "time", "status", "history"} <= report.keys()
    assert (report["schema"], report["model"], report["version"]) == (1, "claims-severity", "7")
    assert report["status"]["predictions"] == 3_600
    limit = next(part for part in report["history"] if part["field"] == "limit")
    slices, drift = limit["slices"], limit["drift"]
    assert sum(slices["values"]) == report["status"]["window_rows"]
    assert len(slices["start"]) == len(slices["mean"]) == len(slices["invalid"])
    early, late = drift["psi"][2], drift["psi"][-3]
    assert early < 0.3 < late


def test_slices_of_a_json_report_add_up_to_the_window(shifted: Monitor, tmp_path: Path) -> None:
    """The mean of a field is the mean of its slices, weighted by their numbers of values."""
    report = json.loads(shifted.report(tmp_path / "r.json").read_text(encoding="utf-8"))
    means = {(f["name"], f["role"]): f["mean"] for f in report["status"]["fields"]}
    for part in report["history"]:
        if "mean" not in part["slices"]:
            continue
        slices = part["slices"]
        pairs = [
            (mean, count)
            for mean, count in zip(slices["mean"], slices["numbers"], strict=True)
            if mean is not None
        ]
        whole = sum(mean * count for mean, count in pairs) / sum(count for _, count in pairs)
        assert whole == pytest.approx(means[part["field"], part["role"]], rel=1e-9)


def test_a_report_replaces_an_older_one_atomically(shifted: Monitor, tmp_path: Path) -> None:
    """No temporary file remains in the folder."""
    (tmp_path / "r.html").write_text("old", encoding="utf-8")
    shifted.report(tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.html.gz", ""])
def test_the_file_extension_decides_the_format_of_a_report(
    shifted: Monitor, tmp_path: Path, name: str
) -> None:
    """Another extension is refused before any data is read."""
    with pytest.raises(ConfigError, match=r"\.html or \.json"):
        shifted.report(tmp_path / name)


def test_a_report_can_be_written_in_every_state_of_a_monitor(tmp_path: Path) -> None:
    """Switched off, without a row, and closed."""
    models = {
        "switched off": Monitor("m", exporters=[], config=Config(enabled=False)),
        "No predictions yet": Monitor("m", exporters=[]),
        "No predictions in this window": Monitor("m", reference=claims_reference(), exporters=[]),
    }
    for sentence, monitor in models.items():
        with monitor:
            html = monitor.report(tmp_path / "r.html").read_text(encoding="utf-8")
            monitor.report(tmp_path / "r.json")
        document = Document(html)
        assert document.problems == []
        assert sentence in document.text
