"""The receiver over HTTP: a server of the standard library that answers as OTLP specifies."""

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from mlmonitor.testing.receiver.backends.backend import JSON, PROTOBUF, Head
from mlmonitor.testing.receiver.faults import Down, Drop, Fault, Garbage, Redirect, Refuse, Slow
from mlmonitor.testing.receiver.refusal import refusal
from mlmonitor.testing.receiver.request_handler import OK, RequestHandler, ServerAnswer

HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_IDLE_SECONDS = 60


class HttpServer:
    """A server that can be taken down, and brought up again on the port of the first `up`."""

    def __init__(self, intake: RequestHandler) -> None:
        self._intake = intake
        self._held: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.port: int = 0

    def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        with self._lock:
            if self._server is not None:
                return
            listener, self._held = self._held or bound(0), None
            self.port = listener.getsockname()[1]
            self._server = _Server(listener, self._intake, self.down)
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
            )
            self._thread.start()

    def down(self) -> None:
        """Close every connection and refuse new ones, and keep the port reserved."""
        with self._lock:
            if self._stop():
                self._held = bound(self.port)

    def close(self) -> None:
        """Stop, and release the port."""
        with self._lock:
            self._stop()
            if self._held is not None:
                self._held.close()
                self._held = None

    def _stop(self) -> bool:
        """Stop the server and reserve the port, under the lock; return whether it was up."""
        server, self._server = self._server, None
        thread, self._thread = self._thread, None
        if server is None or thread is None:
            return False
        server.shutdown()
        thread.join()
        server.end()
        return True


def bound(port: int) -> socket.socket:
    """Return a socket that is bound but does not listen, so that connections are refused."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


class _Server(ThreadingHTTPServer):
    """The server between one `up` and the next `down`."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, intake: RequestHandler, down: Any) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_activate()
        self.intake, self.down = intake, down
        self.is_ending = threading.Event()
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        request = super().get_request()
        self._open.add(request[0])
        return request

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end(self) -> None:
        """Stop listening, wake waiting threads, and close all connections."""
        self.is_ending.set()
        self.server_close()
        for connection in list(self._open):
            _cut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has disconnected; report every other error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # already closed by the client
        return


class _Reply(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class _Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_POST(self) -> None:
        intake = self.server.intake
        fault = intake.draw()
        if isinstance(fault, Down) or fault == Drop("unread"):
            self._leave(fault)
            return
        wire = self._read_body()
        head = Head({key.lower(): value for key, value in self.headers.items()})
        if isinstance(fault, Refuse | Redirect):
            intake.missed(fault, wire, status=fault.code)
            self._send(_script_reply(fault))
            return
        if self.path.partition("?")[0] != intake.backend.path:
            self._refuse(404, "nothing at this path")
            return
        is_answered = not isinstance(fault, Drop)
        reply = _reply(intake.handle(head, wire, fault, is_answered=is_answered), head, fault)
        self._give(reply, fault)

    def do_GET(self) -> None:
        """Refuse the request, because OTLP uses POST."""
        if self.path.partition("?")[0] != self.server.intake.backend.path:
            self._refuse(404, "nothing at this path")
            return
        self._refuse(405, "wrong method")

    def _refuse(self, status: int, reason: str) -> None:
        self.server.intake.lost(status, reason)
        self._send(_Reply(status, b"", {}))

    def _leave(self, fault: Fault) -> None:
        self.server.intake.missed(fault)
        self.close_connection = True
        if isinstance(fault, Down):
            # In a thread, because it closes this connection and waits for the server's loop.
            threading.Thread(target=self.server.down, daemon=True).start()
            self.server.is_ending.wait(_IDLE_SECONDS)

    def _give(self, reply: _Reply, fault: Fault | None) -> None:
        match fault:
            case Drop(when="stored"):
                self.close_connection = True
            case Drop():
                self._send(reply, half_only=True)
                self.close_connection = True
            case Slow(seconds=seconds, part="answer"):
                self.server.is_ending.wait(seconds)
                self._send(reply)
            case Slow(seconds=seconds):
                self._send(reply, pause_seconds=seconds)
            case _:
                self._send(reply)

    def _send(self, reply: _Reply, *, pause_seconds: float = 0.0, half_only: bool = False) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        half = len(reply.body) // 2
        if half_only:
            self.wfile.write(reply.body[:half])
            return
        if pause_seconds:
            self.wfile.write(reply.body[:half])
            self.server.is_ending.wait(pause_seconds)
            self.wfile.write(reply.body[half:])
            return
        self.wfile.write(reply.body)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._read_chunk, b""))
        length = self.headers.get("Content-Length", "")
        return self.rfile.read(int(length)) if length.isdigit() else b""

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0] or b"0", 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def log_message(self, *_args: object) -> None:
        """Log nothing: the ledger records every request."""


def _reply(answer: ServerAnswer, head: Head, fault: Fault | None) -> _Reply:
    """Answer in the request's own encoding; errors are a `google.rpc.Status`."""
    message: Any
    status = int(answer.status)
    if status == OK:
        if isinstance(fault, Garbage):
            return _Reply(status, fault.body, {"Content-Type": "text/html"})
        message = ExportMetricsServiceResponse()
        if answer.rejected or answer.message:
            message.partial_success.rejected_data_points = answer.rejected
            message.partial_success.error_message = answer.message
        elif isinstance(fault, Slow | Drop):
            message.partial_success.SetInParent()  # a full success with a body to cut in half
    else:
        message = refusal(answer.message)
    if head.content_type == JSON:
        text = json_format.MessageToJson(message, indent=None)
        return _Reply(status, text.encode(), {"Content-Type": JSON})
    return _Reply(status, message.SerializeToString(), {"Content-Type": PROTOBUF})


def _script_reply(fault: Refuse | Redirect) -> _Reply:
    if isinstance(fault, Redirect):
        return _Reply(fault.code, b"", {"Location": fault.url})
    body = fault.body
    if body is None:
        body = refusal(fault.message).SerializeToString()
    headers = {"Content-Type": PROTOBUF}
    if fault.retry_after_seconds is not None:
        headers["Retry-After"] = f"{fault.retry_after_seconds:g}"
    return _Reply(int(fault.code), body, headers)
