"""Checks of arguments that many public functions take, before any work."""

import errno
from collections.abc import Mapping
from numbers import Real
from os import PathLike
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any, Protocol

from mlmonitor.errors import ConfigError
from mlmonitor.formatting import describe_kind

_NUMBERS = (int, float, int | None, float | None)
_EXPECTED = "{}: expected a number of seconds, such as 2.0"


def check_path(path: object, argument: str = "path") -> None:
    """Raise ConfigError unless `path` is a text or a path-like object."""
    if not isinstance(path, str | PathLike):
        raise ConfigError(
            f"{argument}: expected the path of a file, as a str or a pathlib.Path, got "
            f"{describe_kind(path)}"
        )


def find_file(path: str | PathLike[str], argument: str, advice: str) -> Path:
    """Return the path of a file that exists. advice: which file was expected.

    Raises:
        ConfigError: `path` is not a path.
        FileNotFoundError: there is nothing at `path`.
        IsADirectoryError: `path` is a folder.
    """
    check_path(path, argument)
    place = Path(path)
    if place.is_dir():
        text = f"{argument}: expected {advice}, got a folder: pass the path of a file in it"
        raise IsADirectoryError(errno.EISDIR, text, str(path))
    if not place.exists():
        raise FileNotFoundError(
            errno.ENOENT, f"{argument}: expected {advice}, found none", str(path)
        )
    return place


def read_timeout(seconds: object, argument: str = "timeout_seconds") -> float:
    """Return a number of seconds that a wait accepts, at least 0.

    Raises:
        ConfigError: `seconds` is not a number, or is NaN or beyond what the platform can wait.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise ConfigError(f"{_EXPECTED.format(argument)}, got {describe_kind(seconds)}")
    if not float(seconds) <= TIMEOUT_MAX:
        raise ConfigError(f"{_EXPECTED.format(argument)}, got one that is too large or NaN")
    return max(float(seconds), 0.0)


class _Option(Protocol):
    annotation: Any


def refuse_booleans(options: Mapping[str, object], fields: Mapping[str, _Option]) -> None:
    """Raise ConfigError if a boolean, which would count as 0 or 1, is given for a number."""
    for name, value in options.items():
        is_number = name in fields and fields[name].annotation in _NUMBERS
        if is_number and isinstance(value, bool):
            raise ConfigError(f"Config: {name}: expected a number, got bool")
