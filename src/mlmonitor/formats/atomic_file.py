"""Replace a file as a whole."""

import errno
from os import PathLike
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that a concurrent reader gets the old content or the new one.

    Raises:
        OSError: the file cannot be written.
    """
    check_target(path)
    target = Path(path).resolve()  # keeps a symbolic link
    fresh = target.with_name(f".{target.name[:100]}.{uuid4().hex}")
    try:
        with fresh.open("xb") as file:
            file.write(data)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def check_target(path: str | PathLike[str]) -> None:
    """Check that a file can be saved there, as far as that is known without writing it.

    Raises:
        OSError: its folder does not exist, or it is a folder itself.
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder to save in", str(path))
    if target.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, "Expected the path of a file, got a folder", str(path)
        )
