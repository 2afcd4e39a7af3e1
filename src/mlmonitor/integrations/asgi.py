"""For ASGI services: deliver the last window at shutdown, and mount the live page."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.monitor.monitor import Monitor
from mlmonitor.worker.processes import EXIT_SECONDS

if TYPE_CHECKING:
    from mlmonitor.present.page.page_source import PageSource

__all__ = ["MonitorMiddleware", "lifespan", "page"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_LAST = {"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"}


class MonitorMiddleware:
    """Closes a monitor when its service ends: `app.add_middleware(MonitorMiddleware, monitor=...)`.

    Promise: requests, lifespan messages and exceptions of the app pass through unchanged. The
        monitor is closed after the app has shut down, or failed to, and before the server is
        notified, because the server may then end its process immediately. If the app does not
        support the lifespan protocol, the middleware answers the server instead.
    Price: one more coroutine per request; at shutdown the event loop is blocked for up to two
        seconds. The server must run with its lifespan on (uvicorn: not `--lifespan off`).
    Source: ASGI specification, "Lifespan protocol" 2.0.
    """

    def __init__(self, app: App, monitor: Monitor) -> None:
        self._app, self._monitor = app, monitor

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass every scope on; observe the messages of a lifespan."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await _Lifespan(self._monitor, receive, send).run(self._app, scope)


class _Lifespan:
    """One run of the lifespan protocol between a server and an app."""

    def __init__(self, monitor: Monitor, receive: Receive, send: Send) -> None:
        self._monitor, self._receive, self._send = monitor, receive, send
        self._received = ""  # type of the server's last message
        self._sent: set[str] = set()

    async def run(self, app: App, scope: MutableMapping[str, Any]) -> None:
        """Let the app answer the server, then send the answers that the app has left out."""
        try:
            await app(scope, self._receive_message, self._send_message)
        except BaseException as error:
            # An app that raises before its first receive does not support lifespans. A later
            # exception means that the start or the shutdown failed.
            if self._received or not isinstance(error, Exception):
                self._close_at_the_end()
                raise
        await self._answer()

    async def _receive_message(self) -> Message:
        message = await self._receive()
        self._received = message["type"]
        return message

    async def _send_message(self, message: Message) -> None:
        self._sent.add(message["type"])
        if message["type"] in _LAST:
            self._close()
        await self._send(message)

    async def _answer(self) -> None:
        """Send the answers to the server that the app has left out."""
        if self._sent & _LAST:
            return
        if not self._received:
            await self._receive_message()
        if "lifespan.startup.complete" not in self._sent:
            await self._send_message({"type": "lifespan.startup.complete"})
        if self._received != "lifespan.shutdown":
            await self._receive_message()
        await self._send_message({"type": "lifespan.shutdown.complete"})

    def _close_at_the_end(self) -> None:
        """Close if the server has requested the shutdown, but not after a failed start."""
        if self._received == "lifespan.shutdown":
            self._close()

    def _close(self) -> None:
        self._monitor.close(timeout_seconds=EXIT_SECONDS)


@asynccontextmanager
async def lifespan(monitor: Monitor) -> AsyncIterator[Monitor]:
    """Close the monitor at the end of your own lifespan function, within two seconds.

    Use it as `async with lifespan(monitor): yield`. Make it the outermost context, so that the last
    export includes what the other contexts record while they shut down.
    """
    try:
        yield monitor
    finally:
        monitor.close(timeout_seconds=EXIT_SECONDS)


def page(*monitors: Monitor, allowed_hosts: Collection[str] = ()) -> App:
    """Build the live page of some monitors, as an app to mount: `app.mount("/monitor", app)`.

    Promise: the page is read-only and shows neither rows nor requests; monitors are read only while
        somebody has the page open. Everyone who can reach the mount can read the page: put it
        behind the app's authentication.
    Price: one reading every three seconds while the page is open, in a thread of the server's pool.

    Args:
        monitors: in the order in which the page lists them.
        allowed_hosts: host names under which the service is requested. Other names are refused, as
            protection against DNS rebinding; IP addresses and `localhost` are always allowed, and
            `*` allows any name.

    Raises:
        ConfigError: there is no monitor.
        MissingExtra: the extra `page` is not installed.
    """
    sources = build_sources(monitors)
    from mlmonitor.present.page.page_app import build_app

    app: App = build_app(sources, allowed_hosts=allowed_hosts)
    return app


def build_sources(monitors: Sequence[Monitor]) -> "list[PageSource]":
    """Return the page's sources for some monitors, after checking that its extra is installed.

    Raises:
        ConfigError: there is no monitor.
        MissingExtra: the extra `page` is not installed.
    """
    if not monitors or not all(isinstance(monitor, Monitor) for monitor in monitors):
        raise ConfigError("page: expected one or more monitors")
    import_extra("starlette", extra="page")
    from mlmonitor.present.page.page_source import PageSource

    return [PageSource(monitor._read_page) for monitor in monitors]  # noqa: SLF001 - ours
