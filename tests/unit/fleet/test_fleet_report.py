"""Merged profiles as a report and as a page."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import ConfigError, Profile
from mlmonitor.cli import fleet_command
from mlmonitor.cli.fleet_files import FleetFiles
from mlmonitor.cli.main import main
from support.html_checks import Document
from support.references import fit_reference
from support.shown_models import HOSTILE, START, Columns, claims_reference, draw_claims, predict

REFERENCE = claims_reference(segments=["line"])
HOURS, PROCESSES, ROWS = 5, 2, 300


def draw_hour(hour: int, process: int) -> Columns:
    """Draw the claims of one process; those of the last two hours are shifted."""
    return draw_claims(np.random.default_rng([hour, process]), ROWS, is_shifted=hour >= 3)


def hour_profile(hour: int, process: int) -> Profile:
    """Return their counts."""
    claims = draw_hour(hour, process)
    at = START + 3_600 * hour + process
    return Profile.of(claims, predict(claims), reference=REFERENCE, segments=["line"], at=at)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five hours of two processes, and their reference."""
    folder = tmp_path_factory.mktemp("fleet")
    REFERENCE.save(folder / "r.json")
    for hour in range(HOURS):
        for process in range(PROCESSES):
            hour_profile(hour, process).save(folder / f"{hour}-{process}.profile")
    return folder


def test_the_report_of_a_folder_shows_every_hour_of_all_processes(
    folder: Path, tmp_path: Path
) -> None:
    """The window is the newest hour, and the history has a slice for each hour."""
    arguments = ["fleet", str(folder), "--reference", str(folder / "r.json"), "--by", "hour"]
    reports = ["--report", str(tmp_path / "f.json"), "--report", str(tmp_path / "f.html")]
    assert main([*arguments, *reports, "--model", "claims", "--fail-on", "alert"]) == 1
    report = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert report["status"]["window_rows"] == PROCESSES * ROWS
    assert report["status"]["predictions"] == HOURS * PROCESSES * ROWS
    assert report["time"] == START + 3_600 * (HOURS - 1) + 1
    (limit,) = (part for part in report["history"] if part["field"] == "limit")
    assert limit["slices"]["values"] == [PROCESSES * ROWS] * HOURS
    whole = [
        hour_profile(hour, 0).merge(hour_profile(hour, 1)).status(REFERENCE).field("limit")
        for hour in range(HOURS)
    ]
    assert limit["slices"]["mean"] == pytest.approx([field.mean for field in whole])
    assert limit["drift"]["psi"] == pytest.approx([field.psi for field in whole])
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "600 in this window" in text
    lines = [draw_hour(HOURS - 1, process)["line"] for process in range(PROCESSES)]
    share = 100 * np.mean(np.array(lines) == "travel")
    assert f"Share of travel: {share:.1f}%, " in Document(text).text


def test_a_report_of_a_profile_contains_its_status(tmp_path: Path) -> None:
    """A profile has a single slice, and another file ending is refused at once."""
    profile = hour_profile(4, 0)
    path = profile.report(tmp_path / "f.json", REFERENCE, model="claims", at=START)
    report = json.loads(path.read_text(encoding="utf-8"))
    status = profile.status(REFERENCE, model="claims", at=START)
    assert report["status"] == json.loads(status.to_json())
    assert {len(part["slices"]["start"]) for part in report["history"]} == {1}
    with pytest.raises(ConfigError, match=r"\.html or \.json"):
        profile.report(tmp_path / "f.pdf", REFERENCE)


def test_hostile_names_are_shown_as_text_in_a_fleet_report(tmp_path: Path) -> None:
    """They are names of fields, categories, segments, unknown columns and the model."""

    def draw(seed: int, shift: float) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        columns = {name: rng.normal(shift, 1, 400) for name in HOSTILE}
        return {**columns, "kind": rng.choice([f"{name}!" for name in HOSTILE[:3]], 400)}

    reference = fit_reference(draw(0, 0.0), segments=["kind"])
    reference.save(tmp_path / "r.json")
    live = {**draw(1, 2.0), HOSTILE[0] + "unknown": np.zeros(400)}
    profile = Profile.of(live, reference=reference, segments=["kind"])
    profile.save(tmp_path / f"{HOSTILE[4]}.profile")
    out = tmp_path / "f.html"
    arguments = ["fleet", str(tmp_path), "--reference", str(tmp_path / "r.json")]
    names = ["--model", HOSTILE[0], "--version", HOSTILE[1]]
    assert main([*arguments, "--report", str(out), *names]) == 0
    document = Document(out.read_text(encoding="utf-8"))
    assert document.problems == []
    assert document.find_active() == []
    assert HOSTILE[0] in document.text


def test_profile_files_are_merged_again_only_after_a_change(tmp_path: Path) -> None:
    """The folder is listed each time, so a new process appears."""
    REFERENCE.save(tmp_path / "r.json")
    hour_profile(0, 0).save(tmp_path / "a.profile")
    files = FleetFiles(
        [str(tmp_path)],
        str(tmp_path / "r.json"),
        round_seconds=None,
        identity=("claims", ""),
        ignore=(),
    )
    first = files.read()
    assert files.read() is first
    hour_profile(0, 1).save(tmp_path / "b.profile")
    assert (first.status.window_rows, files.read().status.window_rows) == (ROWS, 2 * ROWS)


def test_the_page_of_a_fleet_is_served_until_the_command_is_interrupted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the rows of all processes, and is reachable from this machine alone."""
    pages = []

    def wait_for_a_reader() -> None:
        url = capsys.readouterr().out.rpartition("serving ")[2].split()[0]
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
            pages.append(answer.read().decode())
        raise KeyboardInterrupt

    monkeypatch.setattr(fleet_command, "_wait", wait_for_a_reader)
    arguments = ["fleet", str(folder), "--reference", str(folder / "r.json"), "--by", "hour"]
    assert main([*arguments, "--serve", "0", "--model", "claims"]) == 0
    (page,) = pages
    assert "600 in this window" in page
    assert "claims" in Document(page).text


def test_a_fleet_report_with_another_ending_is_refused_before_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 2, as for a folder without profiles."""
    REFERENCE.save(tmp_path / "r.json")
    arguments = ["fleet", str(tmp_path), "--reference", str(tmp_path / "r.json")]
    assert main([*arguments, "--report", "f.pdf"]) == 2
    assert ".html or .json" in capsys.readouterr().err
    assert main(arguments) == 2
    assert "a file that ends in .profile" in capsys.readouterr().err
