"""Sign requests by the Standard Webhooks scheme: HMAC-SHA256 of id, time and body.

Source: https://github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final

from mlmonitor.errors import ConfigError
from mlmonitor.secret import Secret

_PREFIX: Final = "whsec_"


_LEAST_BYTES = 16
"""Shorter secrets are refused, because they can be guessed; a shorter base64 key is not used."""


class SigningKeys:
    """The keys that requests are signed with; there are several while a secret is being rotated.

    A text that begins with `whsec_` is a key in base64; any other text is the key itself. Some
    libraries decode base64 even without the prefix. So a text that is valid base64 gives two keys:
    the text, and the decoded bytes.

    Raises:
        ConfigError: a secret is empty or shorter than 16 bytes, has the wrong type, or is not
            base64 after `whsec_`.
    """

    def __init__(self, secrets: Any) -> None:
        listed = secrets if isinstance(secrets, list | tuple) else [secrets]
        self._keys: tuple[bytes, ...] = tuple(
            key for secret_text in listed for key in _read_keys(secret_text)
        )
        if not self._keys:
            raise ConfigError("secret: expected at least one, or None")

    def sign(self, identity: str, seconds: int, body: bytes) -> str:
        """Return the value of `webhook-signature`: one signature per key, separated by blanks."""
        content = f"{identity}.{seconds}.".encode() + body
        return " ".join(f"v1,{_sign(key, content)}" for key in self._keys)

    def __repr__(self) -> str:
        return f"SigningKeys({len(self._keys)} hidden)"


def _sign(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _read_keys(secret: object) -> list[bytes]:
    if isinstance(secret, bytes | bytearray) and secret:
        return [_check_length(bytes(secret))]
    if not isinstance(secret, str) or not secret:
        raise ConfigError(
            f"secret: expected a text, such as 'whsec_...', or bytes, got {type(secret).__name__}"
        )
    text = secret.revealed() if isinstance(secret, Secret) else secret
    key = _decode(text.removeprefix(_PREFIX))
    if text.startswith(_PREFIX):
        if not key:
            raise ConfigError("secret: expected base64 after 'whsec_'; copy it again")
        return [_check_length(key)]
    own = _check_length(text.encode())
    return [own, key] if len(key) >= _LEAST_BYTES else [own]


def _check_length(key: bytes) -> bytes:
    """Return the key; raise ConfigError if it is too short."""
    if len(key) < _LEAST_BYTES:
        raise ConfigError(
            f"secret: expected at least {_LEAST_BYTES} bytes, got fewer: make one with "
            "'whsec_' + base64.b64encode(secrets.token_bytes(32)).decode()"
        )
    return key


def _decode(text: str) -> bytes:
    """Decode base64, padded or not; return empty bytes for any other text."""
    try:
        return base64.b64decode(
            text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return b""
