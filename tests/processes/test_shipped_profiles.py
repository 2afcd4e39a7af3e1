"""Profiles shipped by three processes as in the guide, and merged by the command."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Profile
from mlmonitor.cli.main import main
from support.references import fit_reference

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "fleet.md"
ROWS = 200
SERVICE = """
import sys
import time
import numpy as np
from mlmonitor import Reference
process, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
monitor = Monitor("claims", reference=Reference.load(folder / "r.json"), exporters=[])
ship_profiles(monitor, folder, every_seconds=seconds)
monitor.record({"x": np.random.default_rng(process).normal(0.35, 1, 200)}, None)
time.sleep(0 if seconds > 60 else 600)
"""


def start(process: int, every_seconds: float, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a service that records rows and ships them with the guide's code."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    arguments = [str(process), str(every_seconds), str(folder)]
    return subprocess.Popen([sys.executable, "-c", code + SERVICE, *arguments])


def count_shipped(folder: Path) -> list[int]:
    """Count the rows of each profile in the folder."""
    return sorted(Profile.load(file).rows for file in folder.glob("*.profile"))


def wait_for(has_happened: Callable[[], bool], seconds: float = 120.0) -> bool:
    """Wait for a condition, and return whether it holds in time."""
    deadline = time.monotonic() + seconds
    while not has_happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    return has_happened()


def test_profiles_of_three_processes_are_merged_into_one_status_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two ship at exit, one every 50 ms until it is killed; no row is lost or counted twice."""
    rng = np.random.default_rng(9)
    reference = fit_reference({"x": rng.normal(0, 1, 5_000)})
    reference.save(tmp_path / "r.json")
    ending = [start(process, 3_600, tmp_path) for process in (0, 1)]
    killed = start(2, 0.05, tmp_path)
    try:
        assert [service.wait(120) for service in ending] == [0, 0]
        assert wait_for(lambda: count_shipped(tmp_path) == [ROWS] * 3)
    finally:
        for service in (*ending, killed):
            service.kill()
            service.wait()
    arguments = ["fleet", str(tmp_path), "--reference", str(tmp_path / "r.json"), "--json"]
    assert main([*arguments, "--fail-on", "alert"]) == 1
    status = json.loads(capsys.readouterr().out)
    assert (status["predictions"], status["window_rows"]) == (3 * ROWS, 3 * ROWS)
    rows = np.concatenate([np.random.default_rng(n).normal(0.35, 1, ROWS) for n in range(3)])
    (field,) = status["fields"]
    assert field["mean"] == pytest.approx(rows.mean())
    alone = [Profile.load(file).status(reference) for file in tmp_path.glob("*.profile")]
    assert [status.alerts for status in alone] == [()] * 3
