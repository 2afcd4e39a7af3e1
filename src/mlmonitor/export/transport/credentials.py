"""Tokens: where they are read from, and whether their form is valid."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping

from mlmonitor.environment.standard_variables import token_from_environment
from mlmonitor.errors import ConfigError
from mlmonitor.secret import Secret, SecretFile, check_header_text

DYNATRACE_VARIABLE = "DYNATRACE_API_TOKEN"
GRAFANA_CLOUD_VARIABLE = "GRAFANA_CLOUD_TOKEN"

_DYNATRACE = re.compile(r"(dt0c01|dt0s16)\.[^.\s]+\.[^.\s]+")

Headers = Callable[[], Mapping[str, Secret]]
TokenSource = Callable[[], Secret]
Path = str | os.PathLike[str]


def check_dynatrace_token(source: str, token: Secret) -> None:
    """Raise ConfigError unless this is a token of Dynatrace; `source` is named in the message."""
    check_header_text(source, token.revealed())
    if not _DYNATRACE.fullmatch(token):
        raise ConfigError(
            f"{source}: expected an access token, dt0c01.<id>.<secret>, with the scope "
            "metrics.ingest, or a platform token, dt0s16.<id>.<secret>; the id alone is not enough"
        )


def check_plain_token(source: str, token: Secret) -> None:
    """Raise ConfigError unless this can be a token; `source` is named in the message."""
    check_header_text(source, token.revealed())
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(f"{source}: expected printable characters without spaces")


def find_token_source(
    token: str | None,
    token_file: Path | None,
    *,
    variable: str,
    check: Callable[[str, Secret], None],
) -> TokenSource:
    """Return a function that reads the token from the argument, the file, or else the variable.

    Raises:
        ConfigError: there is no token, both arguments are given, or `check` refuses the token.
    """
    if token is not None and token_file is not None:
        raise ConfigError("token: expected token or token_file, not both")
    if token_file is not None:
        return SecretFile(token_file, check)
    secret = Secret(token) if token is not None else token_from_environment(variable)
    if secret is None:
        raise ConfigError(f"token: expected token=, token_file= or the variable {variable}")
    check("token" if token is not None else variable, secret)
    return lambda: secret


def dynatrace_headers(source: TokenSource, more: Mapping[str, Secret]) -> Headers:
    """Return a function that adds the token: as `Bearer` for platform tokens, else `Api-Token`."""

    def headers() -> Mapping[str, Secret]:
        token = source()
        kind = "Bearer " if token.startswith("dt0s") else "Api-Token "
        return {**more, "Authorization": token.after(kind)}

    return headers


def basic_headers(source: TokenSource, user: str, more: Mapping[str, Secret]) -> Headers:
    """Return a function that adds basic authentication, with the token as the password."""

    def headers() -> Mapping[str, Secret]:
        pair = source().after(f"{user}:").encode()
        return {**more, "Authorization": Secret(b64encode(pair).decode()).after("Basic ")}

    return headers


def header_secrets(headers: Mapping[str, str] | None) -> dict[str, Secret]:
    """Wrap header values as secrets; raise ConfigError for an invalid header."""
    secrets: dict[str, Secret] = {}
    if headers is None:
        return secrets
    given: object = headers
    if not isinstance(given, Mapping) or not all(isinstance(v, str) for v in headers.values()):
        raise ConfigError("headers: expected texts by name, such as {'x-tenant': 'a'}")
    for name, value in headers.items():
        text = str.__str__(value)
        is_name = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name))
        if not is_name or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
            raise ConfigError("headers: expected names and values of one line each")
        check_header_text(f"headers, {name}", text)
        secrets[str(name)] = Secret(value)
    return secrets


def headers_from_environment(variable: str, headers: Mapping[str, Secret]) -> Headers:
    """Return a function that checks the headers at each export, and may raise ConfigError."""

    def checked() -> Mapping[str, Secret]:
        for name, value in headers.items():
            check_header_text(f"{variable}, {name}", value.revealed())
        return headers

    return checked
