"""Under every server, processes report what they answered, the last window included.

The export interval is an hour, so all that arrives is delivered at the end.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.collector_sink import Sink
from support.requests_to import ask_many
from support.served import Starter

REQUESTS = 60

GUNICORN = (
    *("gunicorn", "-b", "127.0.0.1:{port}", "-w", "2"),
    # A worker that is told to end before it has set up its signals never hears of it.
    *("--graceful-timeout", "5", "--no-control-socket", "--log-level", "warning"),
)
UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning")
HOOKS = ("-c", "python:gunicorn_hooks")
PRELOAD = ("--preload",)
UNDER_UVICORN = ("-k", "uvicorn_worker.UvicornWorker")

WSGI = {
    "sync": (*GUNICORN, "wsgi"),
    "sync, preloaded": (*GUNICORN, *PRELOAD, "wsgi"),
    "sync, preloaded, with our hooks": (*GUNICORN, *PRELOAD, *HOOKS, "wsgi"),
    "sync, Flask": (*GUNICORN, "flask_app:app"),
    "sync, Django": (*GUNICORN, "django_app:application"),
    "gthread": (*GUNICORN, "-k", "gthread", "--threads", "4", "wsgi"),
    "gthread, preloaded": (*GUNICORN, "-k", "gthread", "--threads", "4", *PRELOAD, "wsgi"),
    "gevent": (*GUNICORN, "-k", "gevent", "wsgi"),
    "gevent, preloaded": (*GUNICORN, "-k", "gevent", *PRELOAD, "wsgi"),
    "gevent, preloaded, with our hooks": (*GUNICORN, "-k", "gevent", *PRELOAD, *HOOKS, "wsgi"),
}
ASGI = {
    "uvicorn": (*UVICORN, "fastapi_app:app"),
    "uvicorn, two workers": (*UVICORN, "--workers", "2", "fastapi_app:app"),
    "uvicorn, reloading": (*UVICORN, "--reload", "fastapi_app:app"),
    "uvicorn under gunicorn": (*GUNICORN, *UNDER_UVICORN, "fastapi_app:app"),
    "uvicorn under gunicorn, preloaded": (
        *(*GUNICORN, *UNDER_UVICORN, *PRELOAD),
        *(*HOOKS, "fastapi_app:app"),
    ),
}
BARE = {
    "uvicorn": (*UVICORN, "bare_asgi:app"),
    "uvicorn, lifespan insisted on": (*UVICORN, "--lifespan", "on", "bare_asgi:app"),
    "uvicorn under gunicorn": (*GUNICORN, *UNDER_UVICORN, "bare_asgi:app"),
    "uvicorn, Django": (*UVICORN, "django_app:app"),
}


OFTEN = {"sync", "sync, preloaded", "gthread", "uvicorn", "uvicorn, two workers"}
"""Tried with every `make test`; all others with `make test-slow`."""


def cases(commands: dict[str, tuple[str, ...]]) -> list[Any]:
    """Return the commands of servers as parameters, the rare ones marked as slow."""
    return [
        pytest.param(command, id=name, marks=() if name in OFTEN else (pytest.mark.slow,))
        for name, command in commands.items()
    ]


def instances(sink: Sink) -> set[str]:
    """Count the processes that have reported anything."""
    return {received.resource["service.instance.id"] for received in list(sink.points)}


@pytest.mark.parametrize("command", cases(WSGI))
def test_every_request_that_gunicorn_answered_is_exported(
    command: tuple[str, ...], serve: Starter, sink: Sink
) -> None:
    """Each worker is an instance of its own, and only workers that answered report."""
    service = serve(*command)
    answers = ask_many(service.port, REQUESTS)
    assert service.stop() == 0, service.said()
    assert answers.unanswered == 0
    assert sink.total("mlmonitor.predictions", status="ok") == REQUESTS, service.said()
    assert len(instances(sink)) == len(answers.processes)


@pytest.mark.parametrize("kind", ["sync", pytest.param("gevent", marks=pytest.mark.slow)])
def test_rows_that_a_preloaded_service_records_at_import_are_counted_once(
    kind: str, serve: Starter, sink: Sink
) -> None:
    """Ten predictions before the fork belong to the master, for any number of workers."""
    service = serve(*GUNICORN, "-k", kind, *PRELOAD, "wsgi", SERVICE_AT_IMPORT="10")
    answers = ask_many(service.port, REQUESTS)
    assert service.stop() == 0, service.said()
    assert sink.total("mlmonitor.predictions", status="ok") == answers.total + 10
    assert len(instances(sink)) == len(answers.processes) + 1


@pytest.mark.parametrize("command", cases(ASGI))
def test_every_request_that_uvicorn_answered_is_exported(
    command: tuple[str, ...], serve: Starter, sink: Sink
) -> None:
    """With the middleware, SIGTERM loses nothing, including the calls of the app's lifespan."""
    service = serve(*command)
    answers = ask_many(service.port, REQUESTS)
    service.stop()
    assert answers.unanswered == 0
    started = len(instances(sink))
    assert started >= len(answers.processes)
    total = sink.total("mlmonitor.predictions", status="ok")
    assert total == REQUESTS + 2 * started, service.said()


@pytest.mark.parametrize("command", cases(BARE))
def test_an_asgi_app_without_lifespan_support_loses_no_row(
    command: tuple[str, ...], serve: Starter, sink: Sink
) -> None:
    """The middleware answers the lifespan messages in its place."""
    service = serve(*command)
    answers = ask_many(service.port, REQUESTS)
    service.stop()
    assert answers.unanswered == 0
    assert sink.total("mlmonitor.predictions", status="ok") == REQUESTS, service.said()


def test_uvicorn_without_the_middleware_loses_its_last_window(serve: Starter, sink: Sink) -> None:
    """After SIGTERM uvicorn ends itself by that signal, so no `atexit` function runs."""
    service = serve(*UVICORN, "--interface", "wsgi", "wsgi:application")
    assert ask_many(service.port, REQUESTS).unanswered == 0
    assert service.stop() == -signal.SIGTERM
    assert sink.points == []


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a collector that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        connections: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connections.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [WSGI["sync, preloaded"], WSGI["gthread"], WSGI["gevent"], *list(ASGI.values())[:4]],
    ids=["sync", "gthread", "gevent", *list(ASGI)[:4]],
)
def test_no_server_shutdown_is_delayed_by_an_unresponsive_collector(
    command: tuple[str, ...], serve: Starter, deaf: str
) -> None:
    """The export timeout is ten minutes, and the service ends long before that."""
    service = serve(*command, SERVICE_COLLECTOR=deaf, SERVICE_TIMEOUT_SECONDS="600")
    assert ask_many(service.port, 10).unanswered == 0
    service.stop()  # waits 40 s at most, and raises after that
    assert "Traceback" not in service.said()
