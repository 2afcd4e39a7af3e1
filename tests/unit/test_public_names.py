"""What `import mlmonitor` offers, and what it does not load."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import mlmonitor


def told_by(code: str) -> str:
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", mlmonitor.__all__)
def test_every_public_name_is_an_object_of_that_name(name: str) -> None:
    """The table of modules must point at the right ones."""
    assert getattr(mlmonitor, name).__name__ == name


def test_public_names_are_listed_before_any_is_imported() -> None:
    """Editors and prompts use the list for completion."""
    assert set(mlmonitor.__all__) <= set(
        told_by("import mlmonitor; print(*dir(mlmonitor))").split()
    )


def test_importing_the_package_loads_no_client_library() -> None:
    """A settings module that only needs a name must not pay for loading them."""
    code = "import sys, mlmonitor; print({'numpy', 'pydantic', 'ssl'} & set(sys.modules))"
    assert told_by(code).strip() == "set()"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    """The message is the one that Python gives for any module."""
    with pytest.raises(AttributeError, match="'mlmonitor' has no attribute 'Monitr'"):
        mlmonitor.Monitr  # type: ignore[attr-defined]  # noqa: B018 - a slip of the pen


def test_type_checkers_know_which_public_names_exist() -> None:
    """With a visible `__getattr__` they would accept any misspelt name."""
    source = Path(mlmonitor.__file__).read_text(encoding="utf-8")
    checked = source.partition("if not _typing.TYPE_CHECKING:")[0]
    assert "__getattr__" not in checked


def test_the_command_line_prints_its_version() -> None:
    """It is the version of the distribution."""
    assert mlmonitor.__version__ == version("mlmonitor-sdk")
