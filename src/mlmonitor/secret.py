"""Credentials that can be sent, and are never shown or logged."""

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlmonitor.errors import ConfigError

_HIDDEN = "***"
_SHORTEST_REPLACED = 8
WITHHELD = "its words are withheld, because they may repeat a short secret"


class Secret(str):
    """A string that is sent unchanged, but shown as stars in a repr, log, message or traceback.

    `+` gives a plain `str`, which is shown in full: use `after` to put text before a secret. A
    secret cannot be pickled.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_HIDDEN)

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, _spec: str) -> str:
        return _HIDDEN

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled or copied")

    def after(self, prefix: str) -> "Secret":
        """Return a secret of `prefix`, such as `Bearer `, followed by this one."""
        return Secret(prefix + self.revealed())

    def revealed(self) -> str:
        """Return the text itself."""
        return str.__str__(self)


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Remove our secrets from a server's text, because the text may repeat our request.

    A secret of 8 characters or more is replaced by stars, and so is the credential behind a scheme
    such as `Bearer`. A shorter one could be part of any word or number: a text that contains it is
    withheld as a whole.
    """
    credentials = {form for secret in secrets for form in _list_forms(secret.revealed())}
    if any(form in text for form in credentials if len(form) < _SHORTEST_REPLACED):
        return WITHHELD
    for form in sorted(credentials, key=len, reverse=True):
        text = text.replace(form, _HIDDEN)
    return text


def _list_forms(secret: str) -> set[str]:
    """Return the forms in which a server may repeat a secret: whole, and without its scheme."""
    return {form for form in (secret.strip(), secret.rsplit(" ", maxsplit=1)[-1]) if form}


def check_header_text(source: str, text: str) -> None:
    """Refuse a header value or token that HTTP cannot carry; the error does not quote it.

    Raises:
        ConfigError: a character is a control character or not in ASCII, such as the zero width
            space that copying from a web page leaves behind.
    """
    for place, character in enumerate(text, start=1):
        if character != "\t" and not " " <= character <= "~":
            name = unicodedata.name(character, "a control character").lower()
            raise ConfigError(
                f"{source}: expected printable ASCII characters, got U+{ord(character):04X} "
                f"({name}) at position {place}: copy it again"
            )


class SecretFile:
    """A token stored in a file; it is read again whenever the file changes, so it can be rotated.

    Raises:
        ConfigError: the file cannot be read, or holds no token.
    """

    def __init__(self, path: str | os.PathLike[str], check: Callable[[str, Secret], None]) -> None:
        self._path, self._check = Path(path), check
        self._read_at: tuple[int, int] | None = None
        self._token = Secret("")
        self()

    def __call__(self) -> Secret:
        """Return the token in the file, or the last valid one while the file cannot be read."""
        try:
            status = self._path.stat()
            changed_at = status.st_mtime_ns, status.st_size
            if changed_at != self._read_at:
                self._token = self._read()
                self._read_at = changed_at
        except OSError as error:
            if self._read_at is None:
                raise ConfigError(
                    f"token_file: {self._path} cannot be read ({type(error).__name__})"
                ) from None
        return self._token

    def _read(self) -> Secret:
        token = Secret(self._path.read_bytes().decode("utf-8", "replace").strip())
        self._check(f"token_file {self._path}", token)
        return token

    def __repr__(self) -> str:
        return f"SecretFile({str(self._path)!r})"
