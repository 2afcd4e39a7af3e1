"""Write files atomically."""

import errno
from os import PathLike
from pathlib import Path
from uuid import uuid4

from mlmonitor.environment.argument_checks import check_path


def write_atomically(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that a concurrent reader gets either the old or the new content.

    Raises:
        OSError: the file cannot be written.
    """
    check_target(path)
    target = Path(path).resolve()  # follows a symbolic link, so that the link stays
    fresh = target.with_name(f".{target.name[:100]}.{uuid4().hex}")
    try:
        with fresh.open("xb") as file:
            file.write(data)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def check_target(path: str | PathLike[str]) -> None:
    """Check that a file can be written at `path`, as far as possible without writing it.

    Raises:
        ConfigError: `path` is not a path.
        OSError: the parent folder does not exist, or `path` is a folder.
    """
    check_path(path)
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder to save in", str(path))
    if target.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, "Expected the path of a file, got a folder", str(path)
        )
