"""Credentials that can be sent, and neither shown nor logged."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlmonitor.errors import ConfigError

_HIDDEN = "***"


class Secret(str):
    """A text that is sent as it is and shown as stars: in a repr, a log, a message, a traceback.

    What is joined to it by `+` is a plain text again: use `after`. It is never pickled.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_HIDDEN)

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, _spec: str) -> str:
        return _HIDDEN

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not written anywhere")

    def after(self, prefix: str) -> "Secret":
        """The secret behind a prefix such as `Bearer `."""
        return Secret(prefix + self.revealed())

    def revealed(self) -> str:
        """The text itself."""
        return str.__str__(self)


def redacted(text: str, secrets: list[Secret]) -> str:
    """A text of somebody else's without our secrets in it: servers repeat what they were sent."""
    for secret in secrets:
        if len(secret):
            text = text.replace(secret.revealed(), _HIDDEN)
    return text


class SecretFile:
    """A token kept in a file, read again whenever that has changed: secrets are rotated.

    Raises:
        ConfigError: the file cannot be read, or is empty.
    """

    def __init__(self, path: str | os.PathLike[str], check: Callable[[Secret], None]) -> None:
        self._path, self._check = Path(path), check
        self._read_at: tuple[int, int] | None = None
        self._token = Secret("")
        self()

    def __call__(self) -> Secret:
        """The token as the file has it now; the last good one while it cannot be read."""
        try:
            found = self._path.stat()
            changed_at = found.st_mtime_ns, found.st_size
            if changed_at != self._read_at:
                self._token = self._read()
                self._read_at = changed_at
        except OSError as error:
            if self._read_at is None:
                told = type(error).__name__
                raise ConfigError(f"token_file: cannot be read ({told})") from None
        return self._token

    def _read(self) -> Secret:
        token = Secret(self._path.read_bytes().decode("utf-8", "replace").strip())
        self._check(token)
        return token

    def __repr__(self) -> str:
        return f"SecretFile({str(self._path)!r})"
