"""Settings of client libraries, whose secrets are never shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlmonitor.secret import Secret, redact

_SECRETS = ("password", "secret", "token", "jaas", "key.pem", "credential")


def hide_secret(name: str, value: Any) -> Any:
    """Return the value of a setting, as a secret if its name says that it is one."""
    is_secret = any(part in name for part in _SECRETS) or "user.info" in name
    return Secret(value) if is_secret and isinstance(value, str) else value


def reveal(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as the client needs them."""
    return {
        name: value.revealed() if isinstance(value, Secret) else value
        for name, value in settings.items()
    }


def describe_error(error: Any, secrets: Sequence[Secret]) -> str:
    """Return what a client says of an error, without any secret."""
    text = error.str() if hasattr(error, "str") else type(error).__name__
    return redact(str(text), secrets)[:300]
