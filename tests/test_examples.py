"""What the README says runs, runs as it stands; so does the demo."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
BY_THEMSELVES = sorted(
    path.parent.name for path in EXAMPLES.glob("*/run.py") if path.parent.name != "fastapi_app"
)
BLOCKS = re.compile(r"```python\n(.*?)```", re.DOTALL)


def readme_blocks() -> list[str]:
    """The Python blocks of the README, in order."""
    found = BLOCKS.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    return found


@pytest.mark.parametrize("at", range(len(readme_blocks())))
def test_every_python_block_of_the_readme_runs(at: int, tmp_path: Path) -> None:
    """Each block is a script of its own and runs without a warning."""
    script = tmp_path / "block.py"
    script.write_text(readme_blocks()[at], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr


def test_every_example_has_its_folder_and_says_how_it_is_run() -> None:
    """A README each; what is not a script is a configuration that `tests/components` starts."""
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert {path.parent.name for path in EXAMPLES.glob("*/README.md")} == folders
    assert folders - {*BY_THEMSELVES, "fastapi_app"} == {"collectors"}


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_an_example_runs_to_its_end(name: str, tmp_path: Path) -> None:
    """As its README says, without a warning; its exit status says that all was as it explains."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name / "run.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.demo
@pytest.mark.timeout(120)
def test_the_demo_ends_by_itself_and_its_sums_agree(tmp_path: Path) -> None:
    """A short run of the demo exits with 0: what it sent is what the collector received."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "fastapi_app" / "run.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env={**os.environ, "DEMO_SECONDS": "8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "psi" in done.stdout.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.demo
@pytest.mark.timeout(60)
def test_the_demo_is_ended_by_ctrl_c(tmp_path: Path) -> None:
    """Once claims are being replayed, SIGINT to all of it ends all of it, without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "examples" / "fastapi_app" / "run.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("replay"):
                break
        os.killpg(demo.pid, signal.SIGINT)
        told = demo.stdout.read()  # ends when the last process that can write to it has ended
        assert demo.wait(timeout=20) == 130
    assert "interrupted" in told
    assert "Traceback" not in told
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
