"""The examples of the guides run unchanged."""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import mlmonitor
from mlmonitor.cli.main import main
from mlmonitor.testing import OtlpReceiver

DOCTOR = Path(__file__).parents[1] / "docs" / "guides" / "doctor.md"
GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "testing.md"


def test_the_example_of_the_guide_to_testing_passes(tmp_path: Path) -> None:
    """Its two tests run in a pytest process of their own."""
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "test_example.py").write_text(example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    package = Path(mlmonitor.__file__).parents[1]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_guide_to_the_doctor_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command prints what the page shows; only the receiver's address is replaced."""
    page = DOCTOR.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "doctor.md", "exec"), {})  # noqa: S102 - our own page
    blocks = re.findall(r"```console\n\$ mlmonitor (.*?)\n(.*?)```", page, re.DOTALL)
    statuses = []
    with OtlpReceiver() as receiver:
        here = receiver.url.removeprefix("http://")
        for command, printed in blocks:
            with nullcontext() if "1 stored" in printed else receiver.down():
                statuses.append(main(command.replace("localhost:4318", here).split()))
            out, err = capsys.readouterr()
            shown = (out + err).replace(here, "localhost:4318")
            assert [line.rstrip() for line in shown.splitlines()] == printed.splitlines()
    assert statuses == [0, 1, 2, 0]


def test_every_fleet_query_excludes_segments_so_that_no_row_counts_twice() -> None:
    """A model with segments also exports each count for all rows, as `segment="all"`."""
    root = GUIDE.parents[2]
    rules = (root / "examples" / "collectors" / "fleet.rules.yml").read_text(encoding="utf-8")
    guide = (GUIDE.parent / "fleet.md").read_text(encoding="utf-8")
    queries = [*re.findall(r"```promql\n(.*?)```", guide, re.DOTALL), rules]
    queries += re.findall(r"`(increase\(.*?)`", guide)
    names = r"mlmonitor_(?:field_distribution_bucket|field_bin_total|reference_\w+)"
    selectors = [text for query in queries for text in re.findall(rf"{names}(?:{{.*?}})?", query)]
    assert len(selectors) > 10
    assert [text for text in selectors if 'segment=~"all|"' not in text] == []
