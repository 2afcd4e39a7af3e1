"""Refuse requests for a foreign host: a page elsewhere may have rebound its name to this one."""

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
    """Lets a request pass if its `Host` cannot have been rebound, or is expected.

    Expected are names of the loopback interface, those in `allowed`, and the address at which the
    server itself received the request. A browser can be made to send a foreign name to this
    address, but no foreign address, so any other address passes unless `loopback_only` holds.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str], *, loopback_only: bool) -> None:
        self._app, self._loopback_only = app, loopback_only
        self._allowed = allow_hosts(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 for a foreign host; pass everything else on."""
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
    """The names in the form of `split_host`, and those of the loopback interface."""
    if isinstance(names, str):
        raise ConfigError("allowed_hosts: expected a list of names, got one text")
    return LOOPBACK | {name.lower().strip("[]") for name in names}


def refuse_host() -> PlainTextResponse:
    """The answer to a request for a foreign host."""
    return PlainTextResponse(_REFUSAL, 421, headers={"Cache-Control": "no-store"})


def split_host(header: str) -> str:
    """The host of a `Host` header in lower case, without port and brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def is_address(host: str) -> bool:
    """Whether a host is an address of version 4 or 6."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
