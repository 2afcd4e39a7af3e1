"""The middleware between a server and an app, message by message."""

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
    """What an app raises."""


class Server:
    """Says what a server says, and writes down what it hears, and when the monitor was closed."""

    def __init__(self, exporter: InMemoryExporter, *, says: tuple[str, ...]) -> None:
        self.monitor = Monitor(
            "m", exporters=[exporter], config=Config(export_interval_seconds=3_600)
        )
        self.monitor.record({"a": [1.0]}, [1.0])
        self._to_say = deque(says)
        self.heard: list[tuple[str, str]] = []

    def run(self, app: Any) -> None:
        """One lifespan of the app, in the middleware."""
        wrapped = MonitorMiddleware(app, self.monitor)
        asyncio.run(wrapped({"type": "lifespan"}, self._say, self._hear))

    async def _say(self) -> dict[str, Any]:
        return {"type": self._to_say.popleft()}

    async def _hear(self, message: Any) -> None:
        self.heard.append((message["type"], self.state))

    @property
    def state(self) -> str:
        """Whether the monitor is closed."""
        return self.monitor.status().state


@pytest.fixture
def server(exporter: InMemoryExporter) -> Server:
    """A server that starts and ends once."""
    return Server(exporter, says=(STARTUP, SHUTDOWN))


IN_ORDER = [(STARTED, "learning"), (ENDED, "closed")]


async def supporting(_scope: Any, receive: Any, send: Any) -> None:
    """Follows the protocol."""
    for end in (STARTED, ENDED):
        await receive()
        await send({"type": end})


async def refusing(scope: Any, _receive: Any, _send: Any) -> None:
    """Knows requests alone."""
    assert scope["type"] == "http"


async def ignoring(_scope: Any, _receive: Any, _send: Any) -> None:
    """Returns from whatever it does not know."""


async def listening(_scope: Any, receive: Any, _send: Any) -> None:
    """Takes the first message and says nothing to it."""
    await receive()


async def starting(_scope: Any, receive: Any, send: Any) -> None:
    """Returns once it has started."""
    await receive()
    await send({"type": STARTED})


@pytest.mark.parametrize("app", [supporting, refusing, ignoring, listening, starting])
def test_every_server_is_answered_and_the_monitor_closed_before_the_last_answer(
    app: Any, server: Server, exporter: InMemoryExporter
) -> None:
    """Whether the app answers, refuses, ignores or stops half-way."""
    server.run(app)
    assert server.heard == IN_ORDER
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1


@pytest.mark.parametrize("step", [STARTUP, SHUTDOWN])
def test_a_failure_of_the_app_is_passed_on_after_the_monitor_was_closed(
    step: str, server: Server
) -> None:
    """A server that hears of it may end its process at once."""

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


def test_an_app_that_raises_at_its_end_leaves_a_closed_monitor(server: Server) -> None:
    """What it raises is raised; a server takes that for the end."""

    async def raising(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": STARTED})
        await receive()
        raise Boom

    with pytest.raises(Boom):
        server.run(raising)
    assert server.state == "closed"


def test_an_app_that_raises_at_its_start_is_not_mistaken_for_one_without_a_lifespan(
    server: Server,
) -> None:
    """It is raised, as without us; the monitor goes on, since some servers serve all the same."""

    async def raising(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise Boom

    with pytest.raises(Boom):
        server.run(raising)
    assert server.heard == []
    assert server.state != "closed"


def test_requests_pass_through_untouched(server: Server) -> None:
    """The app is given the very objects that the server gave."""
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


def test_one_line_in_a_fastapi_app_delivers_every_row(
    server: Server, exporter: InMemoryExporter
) -> None:
    """Its own lifespan runs as before, and what it records while it shuts down is delivered."""
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


def test_an_app_with_its_own_lifespan_function_closes_the_monitor(
    exporter: InMemoryExporter,
) -> None:
    """The context manager closes the monitor, also where the service fails."""
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
