"""Tokens: where they come from, and whether they have the shape of one."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping

from mlmonitor.environment import token_from_environment
from mlmonitor.errors import ConfigError
from mlmonitor.secret import Secret, SecretFile

DYNATRACE_VARIABLE = "DYNATRACE_API_TOKEN"
GRAFANA_CLOUD_VARIABLE = "GRAFANA_CLOUD_TOKEN"

_DYNATRACE = re.compile(r"(dt0c01|dt0s16)\.[^.\s]+\.[^.\s]+")

TokenSource = Callable[[], Secret]
Path = str | os.PathLike[str]


def dynatrace_token(token: Secret) -> None:
    """Refuse what is no token of Dynatrace."""
    if not _DYNATRACE.fullmatch(token):
        raise ConfigError(
            "token: expected an access token, dt0c01.<id>.<secret>, with the scope metrics.ingest, "
            "or a platform token, dt0s16.<id>.<secret>; the id alone is not enough"
        )


def plain_token(token: Secret) -> None:
    """Refuse what can be no token at all."""
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigError("token: expected printable characters without spaces")


def token_source(
    token: str | None, token_file: Path | None, *, variable: str, check: Callable[[Secret], None]
) -> TokenSource:
    """Where the token is read at each export: the argument, the file, or else the variable.

    Raises:
        ConfigError: there is none, there are two, or it has the wrong shape.
    """
    if token is not None and token_file is not None:
        raise ConfigError("token: expected token or token_file, not both")
    if token_file is not None:
        return SecretFile(token_file, check)
    found = Secret(token) if token is not None else token_from_environment(variable)
    if found is None:
        raise ConfigError(f"token: expected token=, token_file= or the variable {variable}")
    check(found)
    return lambda: found


def dynatrace_headers(
    source: TokenSource, more: Mapping[str, Secret]
) -> Callable[[], Mapping[str, Secret]]:
    """`Api-Token` for access tokens, `Bearer` for platform tokens."""

    def headers() -> Mapping[str, Secret]:
        token = source()
        kind = "Bearer " if token.startswith("dt0s") else "Api-Token "
        return {**more, "Authorization": token.after(kind)}

    return headers


def basic_headers(
    source: TokenSource, user: str, more: Mapping[str, Secret]
) -> Callable[[], Mapping[str, Secret]]:
    """Basic authentication, the token being the password."""

    def headers() -> Mapping[str, Secret]:
        pair = source().after(f"{user}:").encode()
        return {**more, "Authorization": Secret(b64encode(pair).decode()).after("Basic ")}

    return headers


def header_secrets(headers: Mapping[str, str] | None) -> dict[str, Secret]:
    """Headers, whose values may be credentials; raises ConfigError for what is no header."""
    found = {}
    for name, value in (headers or {}).items():
        is_name = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name))
        if not is_name or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", str.__str__(value)):
            raise ConfigError("headers: expected names and values of one line each")
        found[str(name)] = Secret(value)
    return found
