"""The guide's example runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mlmonitor

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "testing.md"


def test_the_example_of_the_guide_passes(tmp_path: Path) -> None:
    """Its two tests, in a pytest of their own."""
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
        timeout=50,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
