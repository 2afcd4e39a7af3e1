"""Refuse requests with an unexpected `Host`, as protection against DNS rebinding."""

import ipaddress
from collections.abc import Collection
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmonitor.errors import ConfigError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_HOST = "*"

_REFUSAL = (
    "This host name is not expected here. If it is yours, name it: allowed_hosts=['name'] of "
    "serve() or page().\n"
)


class HostCheck:
    """ASGI middleware that passes a request on only if its `Host` is expected.

    Names of the loopback interface, names in `allowed`, and the address at which the server
    received the request are expected. DNS rebinding can bring a foreign name to this server, but no
    foreign IP address, so any other address is accepted too, unless `loopback_only` is true.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str], *, loopback_only: bool) -> None:
        self._app, self._loopback_only = app, loopback_only
        self._allowed = allow_hosts(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 for an unexpected host; pass everything else on."""
        if scope["type"] == "http" and not is_expected_host(
            scope, self._allowed, loopback_only=self._loopback_only
        ):
            await refuse_host()(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_expected_host(scope: Scope, allowed: Collection[str], *, loopback_only: bool) -> bool:
    """Whether the host of a request is expected; `allowed` includes the loopback names."""
    if ANY_HOST in allowed:
        return True
    names = [value for key, value in scope["headers"] if key == b"host"]
    if len(names) != 1:
        return False
    host = split_host(names[0].decode("latin-1"))
    server: Any = scope.get("server") or ("",)
    if host in allowed or (host and host == str(server[0]).lower()):
        return True
    return not loopback_only and is_address(host)


def allow_hosts(names: Collection[str]) -> frozenset[str]:
    """Return the names in the form of `split_host`, and the names of the loopback interface."""
    if isinstance(names, str):
        raise ConfigError("allowed_hosts: expected a list of names, got one text")
    return LOOPBACK | {name.lower().strip("[]") for name in names}


def refuse_host() -> PlainTextResponse:
    """Return the answer to a request with an unexpected host."""
    return PlainTextResponse(_REFUSAL, 421, headers={"Cache-Control": "no-store"})


def split_host(header: str) -> str:
    """Return the host of a `Host` header in lower case, without port and brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def is_address(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
