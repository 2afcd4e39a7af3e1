"""The architecture of the tree: stages, sizes, names and words.

`LEFT` lists what existed before its rule; the list may only shrink.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mlmonitor.catalog import CATALOG

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "mlmonitor"
MODULE_LINES = 300
FOLDER_MODULES = 12
FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "common", "helpers", "core", "base_utils", "misc", "types", "constants"}
RETIRED_METHODS = {"take", "look", "note", "turn", "of"}
RETIRED_WORDS = re.compile(
    r"\b(tells?|told|comes?|came|takes? in|took in|whoever|whatever|so many|chance makes|parted"
    r"|anew|for good|in vain|hence|whence|laid by|breathes?|born|is no (?:float|number|string))\b",
    re.IGNORECASE,
)
VAGUE_LOCALS = {"found", "told", "known", "each", "met", "made", "held"}
BOUND = re.compile(rf"\b({'|'.join(sorted(VAGUE_LOCALS))})( in\b|[:,)\]]| [:+*|-]?=)")
LEFT: dict[str, set[str]] = {
    "long modules": set(),
    "long functions": set(),
    "methods": {"profiling/row_profile.py"},  # `Profile.of` is public
    "words": set(),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Return all modules of the package."""
    paths = sorted(SOURCE.rglob("*.py"))
    assert len(paths) > 30
    return paths


def name_of(path: Path) -> str:
    """Return a module's path in the package, as in the lists above."""
    return path.relative_to(SOURCE).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    """Parse a module, once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(path: Path) -> Iterator[ast.AST]:
    """Return all syntax nodes of a module."""
    return ast.walk(parse(path))


def docstrings(path: Path) -> Iterator[str]:
    """Return the docstrings of a module and of its classes, functions and values."""
    for node in nodes(path):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def methods(path: Path) -> Iterator[Function]:
    """Return the functions of a module's classes."""
    for node in nodes(path):
        if isinstance(node, ast.ClassDef):
            yield from (child for child in node.body if isinstance(child, Function))


def lines_of_code(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def twice(places: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the names that occur in more than one place."""
    return {name: where for name, where in places.items() if len(where) > 1}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_module_has_more_than_300_lines_or_a_meaningless_name(path: Path) -> None:
    """`LEFT` lists the exceptions."""
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES or name_of(path) in LEFT["long modules"], lines
    assert path.stem not in FORBIDDEN_NAMES


def test_a_function_has_at_most_60_lines_of_code() -> None:
    """Statements, arguments and branches are counted by ruff."""
    for path in modules():
        for node in nodes(path):
            if isinstance(node, Function) and name_of(path) not in LEFT["long functions"]:
                assert lines_of_code(node) <= FUNCTION_LINES, (name_of(path), node.name)


def test_a_folder_has_at_most_twelve_modules() -> None:
    """`__init__` is not counted, and the root of the package is a folder too."""
    modules_by_folder: dict[Path, list[str]] = defaultdict(list)
    for path in modules():
        if path.stem != "__init__":
            modules_by_folder[path.parent].append(path.name)
    assert {
        name_of(folder): names
        for folder, names in modules_by_folder.items()
        if len(names) > FOLDER_MODULES
    } == {}


def test_module_names_are_unique_in_the_package() -> None:
    """A file name in a traceback therefore identifies its module."""
    places = defaultdict(list)
    for path in modules():
        if path.stem != "__init__":
            places[path.stem].append(name_of(path))
    assert twice(places) == {}


def test_class_names_are_unique_in_the_package() -> None:
    """Each class name has one meaning in the package."""
    places = defaultdict(list)
    for path in modules():
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(path))
    assert twice(places) == {}


def test_no_method_has_a_name_that_the_project_no_longer_uses() -> None:
    """Each verb has one meaning: update, merge, ingest, drain, evaluate or reset."""
    retired = {
        f"{name_of(path)}: {method.name}"
        for path in modules()
        for method in methods(path)
        if method.name.lstrip("_") in RETIRED_METHODS
    }
    assert {where for where in retired if where.split(":")[0] not in LEFT["methods"]} == set()


def vague_locals(path: Path) -> set[str]:
    """Return the locals and parameters of a file whose names say nothing."""
    source = path.read_text(encoding="utf-8")
    if not BOUND.search(source):  # spares parsing most files
        return set()
    return {
        name
        for function in ast.walk(ast.parse(source))
        if isinstance(function, Function)
        for node in ast.walk(function)
        if (name := bound_name(node)) in VAGUE_LOCALS
    }


def bound_name(node: ast.AST) -> str:
    """Return the name that a node binds as a variable or parameter, or None."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return node.arg if isinstance(node, ast.arg) else ""


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "docs", "examples"])
def test_no_local_variable_has_a_meaningless_name(folder: str) -> None:
    """`found`, for example, could be an alert, a count or a path."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    vague = {str(path.relative_to(ROOT)): vague_locals(path) for path in paths}
    assert {path: names for path, names in vague.items() if names} == {}


def test_no_file_contains_conflict_markers() -> None:
    """A template, a style sheet or a rule with them would still be read and shown."""
    paths = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(paths) > 100
    marks = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)
    assert [path.name for path in paths if marks.search(path.read_bytes())] == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_docstrings_are_free_of_retired_words(path: Path) -> None:
    """CONTRIBUTING.md lists what to write instead."""
    if name_of(path) in LEFT["words"]:
        return
    words = [word for text in docstrings(path) for word in RETIRED_WORDS.findall(text)]
    assert words == []


def test_no_layer_imports_a_layer_above_it() -> None:
    """The exhaustive contract of layers is checked by import-linter."""
    lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if lint is None:
        pytest.skip("import-linter is not installed: make check runs it")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_metric_names_are_written_only_in_the_catalogue() -> None:
    """No other module contains the name of a metric as a constant."""
    names = {metric.name for metric in CATALOG}
    for path in modules():
        if path.parent.name == "catalog":
            continue
        for node in nodes(path):
            if isinstance(node, ast.Constant):
                assert node.value not in names, (path, node.value)


def test_nothing_is_unpickled() -> None:
    """No module imports pickle or similar, except to write numbers."""
    forbidden = {"pickle", "shelve", "marshal", "dill", "joblib"}
    for path in modules():
        for node in nodes(path):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom) and node.module in forbidden:
                is_written = node.module == "marshal" and [n.name for n in node.names] == ["dumps"]
                assert is_written, path
