"""Hide the secrets in settings of client libraries."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlmonitor.secret import Secret, redact

_SECRETS = ("password", "secret", "token", "jaas", "key.pem", "credential")


def hide_secret(name: str, value: Any) -> Any:
    """Return the value of a setting, as a `Secret` if the name suggests a secret."""
    is_secret = any(part in name for part in _SECRETS) or "user.info" in name
    return Secret(value) if is_secret and isinstance(value, str) else value


def reveal(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with plain values instead of secrets, for the client."""
    return {
        name: value.revealed() if isinstance(value, Secret) else value
        for name, value in settings.items()
    }


def describe_error(error: Any, secrets: Sequence[Secret]) -> str:
    """Return a client's description of an error, without secrets."""
    text = error.str() if hasattr(error, "str") else type(error).__name__
    return redact(str(text), secrets)[:300]
