"""The last window of an ASGI service: uvicorn runs no `atexit` function when it is told to stop."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from mlmonitor.monitor import Monitor
from mlmonitor.worker import EXIT_SECONDS

__all__ = ["MonitorMiddleware", "lifespan"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_LAST = {"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"}


class MonitorMiddleware:
    """Closes a monitor when its service ends: `app.add_middleware(MonitorMiddleware, monitor=...)`.

    Promise: requests pass through untouched, and so does what the app's own lifespan says and is
        told. The monitor is closed when the app has shut down or failed to, and before the server
        hears of it, since a server may end its process at once then. Where the app knows no
        lifespan, the server is answered in its place. What the app raises is raised.
    Price: one more coroutine a request. At the end at most two seconds, in which the event loop
        stands still; the server is needed with its lifespan on (uvicorn: not `--lifespan off`).
    Source: ASGI specification, "Lifespan protocol" 2.0.
    """

    def __init__(self, app: App, monitor: Monitor) -> None:
        self._app, self._monitor = app, monitor

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass everything on but a lifespan, which is listened to."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await _Lifespan(self._monitor, receive, send).run(self._app, scope)


class _Lifespan:
    """One run of the lifespan protocol between a server and an app."""

    def __init__(self, monitor: Monitor, receive: Receive, send: Send) -> None:
        self._monitor, self._receive, self._send = monitor, receive, send
        self._heard = ""  # what the server said last
        self._said: set[str] = set()

    async def run(self, app: App, scope: MutableMapping[str, Any]) -> None:
        """Let the app answer the server; go on in its place where it does not."""
        try:
            await app(scope, self._hear, self._say)
        except BaseException as error:
            # An app that raises before it has listened knows no lifespan. Later it means what it
            # raises: the start that failed, or the end.
            if self._heard or not isinstance(error, Exception):
                self._close_at_the_end()
                raise
        await self._answer()

    async def _hear(self) -> Message:
        message = await self._receive()
        self._heard = message["type"]
        return message

    async def _say(self, message: Message) -> None:
        self._said.add(message["type"])
        if message["type"] in _LAST:
            self._close()
        await self._send(message)

    async def _answer(self) -> None:
        """Say what the app left unsaid."""
        if self._said & _LAST:
            return
        if not self._heard:
            await self._hear()
        if "lifespan.startup.complete" not in self._said:
            await self._say({"type": "lifespan.startup.complete"})
        if self._heard != "lifespan.shutdown":
            await self._hear()
        await self._say({"type": "lifespan.shutdown.complete"})

    def _close_at_the_end(self) -> None:
        """Close if there will be no later occasion; a server may go on after a failed start."""
        if self._heard == "lifespan.shutdown":
            self._close()

    def _close(self) -> None:
        self._monitor.close(timeout_seconds=EXIT_SECONDS)


@asynccontextmanager
async def lifespan(monitor: Monitor) -> AsyncIterator[Monitor]:
    """A context manager for a lifespan of one's own: closes the monitor on the way out.

    `async with lifespan(monitor): yield`. Put it outermost, so that what others record while they
    shut down is in the last export. It takes at most two seconds.
    """
    try:
        yield monitor
    finally:
        monitor.close(timeout_seconds=EXIT_SECONDS)
