"""The tree is the architecture: the order of the stages and the size of modules are held here."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlmonitor.catalog import CATALOG

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "mlmonitor"
MODULE_LINES = 310
FORBIDDEN_NAMES = {"utils", "common", "helpers", "core", "base_utils", "misc", "types", "constants"}


def modules() -> list[Path]:
    """All modules of the package."""
    found = sorted(SOURCE.rglob("*.py"))
    assert len(found) > 30
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_fits_in_one_view_of_the_mind(path: Path) -> None:
    """No module is longer than the budget, or has a name that means nothing."""
    assert path.read_text(encoding="utf-8").count("\n") <= MODULE_LINES
    assert path.stem not in FORBIDDEN_NAMES


def test_imports_point_left() -> None:
    """The layers contract holds, exhaustively."""
    lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if lint is None:
        pytest.skip("import-linter is not installed: make check runs it")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_metric_names_are_written_once() -> None:
    """No module but the catalogue holds a metric's name."""
    known = {metric.name for metric in CATALOG}
    for path in modules():
        if path.name == "catalog.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in known, (path, node.value)


def test_nothing_is_unpickled() -> None:
    """No module imports pickle or its like, but for what writes numbers and never reads."""
    forbidden = {"pickle", "shelve", "marshal", "dill", "joblib"}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom) and node.module in forbidden:
                is_written = node.module == "marshal" and [n.name for n in node.names] == ["dumps"]
                assert is_written, path
