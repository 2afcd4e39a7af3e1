"""A real HTTP server that receives webhooks and gives scripted answers."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Hook(NamedTuple):
    """One received request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """An answer: status, headers and a delay; status 0 closes the connection instead."""

    status: int = 204
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    seconds: float = 0.0


class HookServer(ThreadingHTTPServer):
    """Stores every request; answers with the scripted replies in order, then with 204."""

    daemon_threads = True

    def __init__(self, replies: Iterable[Reply] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: Iterator[Reply] = iter(replies)
        self.hooks: list[Hook] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hooks/path-is-secret"

    def handle_error(self, *_args: object) -> None:
        """Ignore a client that closed the connection."""

    def wait_for(self, count: int, *, seconds: float = 60.0) -> list[Hook]:
        """Wait until there are this many requests; return all requests."""
        wait_until(lambda: len(self.hooks) >= count, seconds=seconds)
        return list(self.hooks)


def wait_until(is_true: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail with an assertion after `seconds`."""
    ends_at = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends_at, "it took too long"
        time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    server: HookServer

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        hook = Hook(self.path, dict(self.headers), self.rfile.read(length))
        reply = next(self.server.replies, Reply())
        self.server.hooks.append(hook)
        time.sleep(reply.seconds)
        if reply.status == 0:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Log nothing."""


@contextmanager
def receive_hooks(*replies: Reply, tls: Any = None) -> Iterator[HookServer]:
    """Run a server; `tls`, an `SSLContext` with its certificate, makes it HTTPS."""
    server = HookServer(replies)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.url = server.url.replace("http://127.0.0.1", "https://localhost")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
