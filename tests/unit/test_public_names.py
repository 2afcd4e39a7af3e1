"""What `import mlmonitor` offers, and what it spares whoever only imports it."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import mlmonitor


def told_by(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", mlmonitor.__all__)
def test_every_public_name_is_what_it_says(name: str) -> None:
    """The table of modules points at the right ones."""
    assert getattr(mlmonitor, name).__name__ == name


def test_public_names_are_listed_before_any_is_imported() -> None:
    """As an editor or a prompt completes them."""
    assert set(mlmonitor.__all__) <= set(
        told_by("import mlmonitor; print(*dir(mlmonitor))").split()
    )


def test_importing_the_package_loads_no_client_library() -> None:
    """A settings module that imports it for a name's sake pays for none of them."""
    code = "import sys, mlmonitor; print({'numpy', 'pydantic', 'ssl'} & set(sys.modules))"
    assert told_by(code).strip() == "set()"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """In Python's own words."""
    with pytest.raises(AttributeError, match="'mlmonitor' has no attribute 'Monitr'"):
        mlmonitor.Monitr  # type: ignore[attr-defined]  # noqa: B018 - a slip of the pen


def test_a_checker_knows_which_names_there_are() -> None:
    """A module whose every name could be asked for would hide a slip of the pen from it."""
    source = Path(mlmonitor.__file__).read_text(encoding="utf-8")
    checked = source.partition("if not _typing.TYPE_CHECKING:")[0]
    assert "__getattr__" not in checked


def test_the_command_line_prints_its_version() -> None:
    """That of the distribution."""
    assert mlmonitor.__version__ == version("mlmonitor-sdk")
