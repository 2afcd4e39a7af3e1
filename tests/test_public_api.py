"""Public names are those in `__all__`; they are documented and cheap to import."""

import inspect
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import mlmonitor
import mlmonitor.export.base
import mlmonitor.testing

STAGES = {"capture", "buffer", "aggregate", "compare", "export"}


def visible(module: types.ModuleType) -> set[str]:
    """Return the names without an underscore, except submodules."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def test_the_public_names_of_a_module_are_those_in_its_all() -> None:
    """Every visible name is in `__all__`, which is sorted and complete in `dir`."""
    assert visible(mlmonitor) <= set(mlmonitor.__all__)
    assert set(mlmonitor.__all__) <= set(dir(mlmonitor))
    assert list(mlmonitor.__all__) == sorted(mlmonitor.__all__)


@pytest.mark.parametrize("module", [mlmonitor, mlmonitor.testing, mlmonitor.export.base])
def test_every_public_object_is_documented(module: types.ModuleType) -> None:
    """Classes, their public methods and functions have docstrings."""
    for name in module.__all__:
        value = getattr(module, name)
        if not inspect.isclass(value):
            continue
        assert inspect.getdoc(value), name
        for attribute, member in vars(value).items():
            if not attribute.startswith("_") and inspect.isfunction(member):
                assert inspect.getdoc(member), f"{name}.{attribute}"


def test_importing_the_package_loads_no_client_library() -> None:
    """`Monitor` needs numpy and pydantic; client libraries are imported at their first use."""
    script = (
        "import sys, numpy; before = {*sys.modules}; from mlmonitor import Monitor\n"
        "heavy = {'opentelemetry', 'requests', 'pandas', 'polars', 'pyarrow', 'scipy', 'grpc',\n"
        "         'narwhals', 'datasketches', 'multiprocessing', 'asyncio', 'numpy.random',\n"
        "         'difflib', 'http.client', 'ssl'}\n"
        "new = {*sys.modules} - before\n"
        "met = {*new, *(name.partition('.')[0] for name in new)}\n"
        "print(sorted(heavy & met))\n"
        "import threading; print(threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.split("\n")[:2] == ["[]", "1"]


def list_loaded(code: str) -> set[str]:
    """List the modules of the package in a fresh interpreter after some code has run."""
    script = f"{code}\nimport sys; print(*(name for name in sys.modules if 'mlmonitor' in name))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    return set(done.stdout.split())


def list_rooms(modules: set[str]) -> set[str]:
    """List the top-level parts of the package that these modules belong to."""
    return {name.split(".")[1] for name in modules if "." in name}


def test_importing_monitor_imports_only_the_part_that_records() -> None:
    """Code that compares and exports is imported when a monitor is created."""
    modules = list_loaded("from mlmonitor import Monitor")
    assert len(modules) <= 75
    rooms = {"buffer", "capture", "config", "display", "environment", "errors", "formatting"}
    assert list_rooms(modules) == rooms | {"forks", "gil", "monitor", "records", "worker"}


def test_a_plain_monitor_imports_no_package_that_it_does_not_need(tmp_path: Path) -> None:
    """Its monitor sends no events, calls no webhook, and reads its reference from a file."""
    path = tmp_path / "reference.json"
    mlmonitor.Reference.fit({"x": [1.0, 2.0, 3.0]}, thresholds="asymptotic").save(path)
    modules = list_loaded(
        "from mlmonitor import Monitor\n"
        f"monitor = Monitor('plain', reference={str(path)!r}, exporters=[])\n"
        "monitor.watch(lambda features: 0.5)({'x': 1.0})\n"
        "monitor.close()"
    )
    idle = {"challenge", "events", "fleet", "notify", "present", "profiling", "store"}
    assert list_rooms(modules) & idle == set()
    idle_parts = "reference.fitting.", "export.transport."
    prefixes = tuple(f"mlmonitor.{part}" for part in idle_parts)
    assert not [name for name in modules if name.startswith(prefixes)]


def test_the_tests_import_the_package_of_this_tree() -> None:
    """If a wheel is tested, it is the wheel that is imported; it contains `py.typed`."""
    package = Path(mlmonitor.__file__).parent
    wheel = os.environ.get("TESTED_WHEEL")
    if wheel is not None:
        assert package.parent == Path(wheel).resolve()
    assert (package / "py.typed").exists()
    assert {path.name for path in package.iterdir()} >= STAGES
