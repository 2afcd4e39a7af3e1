"""What the README says runs, runs as it stands; so does the demo."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
