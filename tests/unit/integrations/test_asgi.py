"""The ASGI middleware between a server and an app, message by message."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from mlmonitor import Config, Monitor
from mlmonitor.integrations.asgi import MonitorMiddleware, lifespan
from mlmonitor.testing import InMemoryExporter

STARTUP, SHUTDOWN = "lifespan.startup", "lifespan.shutdown"
STARTED, ENDED = "lifespan.startup.complete", "lifespan.shutdown.complete"


class Boom(Exception):
    """The exception of an app."""


class Server:
    """Sends what a server sends, and records what it receives and when the monitor was closed."""

    def __init__(self, exporter: InMemoryExporter, *, says: tuple[str, ...]) -> None:
        self.monitor = Monitor(
            "m", exporters=[exporter], config=Config(export_interval_seconds=3_600)
        )
        self.monitor.record({"a": [1.0]}, [1.0])
        self._to_say = deque(says)
        self.heard: list[tuple[str, str]] = []

    def run(self, app: Any) -> None:
        """Run one lifespan of the app in the middleware."""
        wrapped = MonitorMiddleware(app, self.monitor)
        asyncio.run(wrapped({"type": "lifespan"}, self._say, self._hear))

    async def _say(self) -> dict[str, Any]:
        return {"type": self._to_say.popleft()}

    async def _hear(self, message: Any) -> None:
        self.heard.append((message["type"], self.state))

    @property
    def state(self) -> str:
        """The state of the monitor."""
        return self.monitor.status().state


@pytest.fixture
def server(exporter: InMemoryExporter) -> Server:
    """A server that starts and ends once."""
    return Server(exporter, says=(STARTUP, SHUTDOWN))


IN_ORDER = [(STARTED, "learning"), (ENDED, "closed")]


async def supporting(_scope: Any, receive: Any, send: Any) -> None:
    """Follow the lifespan protocol."""
    for end in (STARTED, ENDED):
        await receive()
        await send({"type": end})


async def refusing(scope: Any, _receive: Any, _send: Any) -> None:
    """Raise on anything but requests."""
    assert scope["type"] == "http"


async def ignoring(_scope: Any, _receive: Any, _send: Any) -> None:
    """Return at once from the lifespan."""


async def listening(_scope: Any, receive: Any, _send: Any) -> None:
    """Receive the first message and return."""
    await receive()


async def starting(_scope: Any, receive: Any, send: Any) -> None:
    """Return after the start."""
    await receive()
    await send({"type": STARTED})


@pytest.mark.parametrize("app", [supporting, refusing, ignoring, listening, starting])
def test_every_lifespan_is_completed_with_the_monitor_closed_before_the_last_answer(
    app: Any, server: Server, exporter: InMemoryExporter
) -> None:
    """The app supports the lifespan, refuses it, ignores it or returns half-way."""
    server.run(app)
    assert server.heard == IN_ORDER
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1


@pytest.mark.parametrize("step", [STARTUP, SHUTDOWN])
def test_a_failure_of_the_app_is_passed_on_after_the_monitor_is_closed(
    step: str, server: Server
) -> None:
    """The server may end its process as soon as it receives the failure."""

    async def failing(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if step == SHUTDOWN:
            await send({"type": STARTED})
            await receive()
        await send({"type": f"{step}.failed", "message": "no"})
        raise Boom

    with pytest.raises(Boom):
        server.run(failing)
    assert server.heard[-1] == (f"{step}.failed", "closed")


def test_after_an_app_raises_at_shutdown_the_monitor_is_closed(server: Server) -> None:
    """The exception is raised, which a server reads as the end."""

    async def raising(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": STARTED})
        await receive()
        raise Boom

    with pytest.raises(Boom):
        server.run(raising)
    assert server.state == "closed"


def test_an_exception_of_the_app_at_startup_is_raised(
    server: Server,
) -> None:
    """It does not count as a missing lifespan, and the monitor stays open."""

    async def raising(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise Boom

    with pytest.raises(Boom):
        server.run(raising)
    assert server.heard == []
    assert server.state != "closed"


def test_requests_pass_the_middleware_unchanged(server: Server) -> None:
    """The app receives the same objects that the server sent."""
    seen: list[object] = []

    async def app(*given: Any) -> None:
        seen.extend(given)

    scopes = [{"type": "http"}, {"type": "websocket"}]
    for scope in scopes:
        given = (scope, server._say, server._hear)
        seen.clear()
        asyncio.run(MonitorMiddleware(app, server.monitor)(*given))
        assert all(a is b or a == b for a, b in zip(seen, given, strict=True))
        assert seen[0] is scope


def test_the_middleware_in_a_fastapi_app_delivers_every_row(
    server: Server, exporter: InMemoryExporter
) -> None:
    """The app's own lifespan still runs, and what it records at shutdown is delivered."""
    predict = server.monitor.watch(lambda features: features["a"])

    @asynccontextmanager
    async def own(_app: FastAPI) -> AsyncIterator[None]:
        yield
        predict({"a": 1.0})

    app = FastAPI(lifespan=own)
    app.add_middleware(MonitorMiddleware, monitor=server.monitor)
    asyncio.run(app({"type": "lifespan", "app": app, "state": {}}, server._say, server._hear))
    assert server.heard == IN_ORDER
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 2


def test_the_lifespan_context_manager_closes_the_monitor(
    exporter: InMemoryExporter,
) -> None:
    """It does so even if the service fails."""
    for error in (None, Boom()):
        monitor = Monitor("m", exporters=[exporter])

        async def serve(monitor: Monitor = monitor, error: Boom | None = error) -> None:
            async with lifespan(monitor) as given:
                assert given is monitor
                if error is not None:
                    raise error

        if error is None:
            asyncio.run(serve())
        else:
            with pytest.raises(Boom):
                asyncio.run(serve())
        assert monitor.status().state == "closed"
