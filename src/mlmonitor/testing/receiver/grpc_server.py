"""The receiver over gRPC; needs the extra `grpc` in addition to `testing`."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from mlmonitor.errors import import_extra
from mlmonitor.testing.receiver.backends.backend import PROTOBUF, Head
from mlmonitor.testing.receiver.faults import Down, Drop, Fault, Refuse, Slow
from mlmonitor.testing.receiver.http_server import HOST, bound
from mlmonitor.testing.receiver.refusal import refusal, retry_info
from mlmonitor.testing.receiver.request_handler import OK, RequestHandler, grpc_code

SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
_THREADS = 8
_STOP_SECONDS = 5


class GrpcServer:
    """A server that can be taken down, and brought up again on the same port."""

    def __init__(self, intake: RequestHandler) -> None:
        self._grpc = import_extra("grpc", extra="grpc")
        self._intake = intake
        self._held: socket.socket | None = None
        self._server: Any = None
        self._lock = threading.Lock()
        self._is_ending, self._threads = threading.Event(), ThreadPoolExecutor(_THREADS)
        self.port: int = 0

    def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        grpc = self._grpc
        with self._lock:
            if self._server is not None:
                return
            self._is_ending, self._threads = threading.Event(), ThreadPoolExecutor(_THREADS)
            export = grpc.unary_unary_rpc_method_handler(self._export)
            # By default gRPC shares ports, and then connections would not be refused while down.
            self._server = grpc.server(
                self._threads,
                handlers=[grpc.method_handlers_generic_handler(SERVICE, {"Export": export})],
                options=[("grpc.so_reuseport", 0)],
            )
            self._release()
            self.port = self._server.add_insecure_port(f"{HOST}:{self.port}")
            self._server.start()

    def down(self) -> None:
        """Close every connection and refuse new ones, and keep the port reserved."""
        with self._lock:
            if self._stop():
                self._held = bound(self.port)

    def close(self) -> None:
        """Stop, and release the port."""
        with self._lock:
            self._stop()
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _stop(self) -> bool:
        server, self._server = self._server, None
        if server is None:
            return False
        self._is_ending.set()
        server.stop(grace=None).wait(_STOP_SECONDS)
        self._threads.shutdown(wait=False)
        return True

    def _export(self, wire: bytes, context: Any) -> bytes:
        intake = self._intake
        fault = intake.draw()
        if isinstance(fault, Refuse):
            name = grpc_code(fault.code)
            intake.missed(fault, wire, status=name)
            self._abort(context, name, fault.message, fault.retry_after_seconds)
        if isinstance(fault, Down) or fault == Drop("unread"):
            self._leave(fault, context)
        metadata = dict(context.invocation_metadata())
        head = Head({**metadata, "content-type": PROTOBUF, "content-encoding": ""})
        answer = intake.handle(head, wire, fault, is_answered=not isinstance(fault, Drop))
        if isinstance(fault, Drop):
            self._abort(context, "UNAVAILABLE", "Socket closed", None)
        if isinstance(fault, Slow):
            self._is_ending.wait(fault.seconds)
        if answer.status != OK:
            self._abort(context, grpc_code(answer.status), answer.message, None)
        response = ExportMetricsServiceResponse()
        if answer.rejected or answer.message:
            response.partial_success.rejected_data_points = answer.rejected
            response.partial_success.error_message = answer.message
        return bytes(response.SerializeToString())

    def _leave(self, fault: Fault, context: Any) -> NoReturn:
        self._intake.missed(fault)
        if isinstance(fault, Down):
            threading.Thread(target=self.down, daemon=True).start()
            self._is_ending.wait(_STOP_SECONDS)
        self._abort(context, "UNAVAILABLE", "Socket closed", None)

    def _abort(
        self, context: Any, name: str, message: str, retry_after_seconds: float | None
    ) -> NoReturn:
        if retry_after_seconds is not None:
            context.set_trailing_metadata(_retry(self._grpc, name, message, retry_after_seconds))
        context.abort(self._grpc.StatusCode[name], message)
        raise AssertionError("abort raises")  # pragma: no cover - gRPC's abort never returns


def _retry(grpc: Any, name: str, message: str, seconds: float) -> tuple[tuple[str, bytes], ...]:
    """Return `RetryInfo` as trailing metadata, under the keys of OTLP and of the Python client."""
    info = retry_info(seconds)
    status = refusal(message, code=grpc.StatusCode[name].value[0], retry_info=info)
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", info),
    )
