"""Receive and decode what a collector forwards, and wait for servers."""

import gzip
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

Series = tuple[str, frozenset[tuple[str, str]]]
PORTS = range(15_000, 32_000)


class Received(NamedTuple):
    """One data point as it left the collector."""

    metric: Metric
    point: Any  # protobuf has no stubs
    attributes: dict[str, str]
    resource: dict[str, str]


class Sink(ThreadingHTTPServer):
    """A server that stores every point that the collector forwards."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.points: list[Received] = []
        self.port = self.server_address[1]

    def handle_error(self, *_args: object) -> None:
        """Ignore a process that ended without closing its connection."""

    def named(self, name: str, **attributes: str) -> list[Received]:
        """Return all points of a metric with these attributes, `_` for `.`, oldest first."""
        expected = {key.replace("_", "."): value for key, value in attributes.items()}
        return [
            received
            for received in list(self.points)
            if received.metric.name == name and expected.items() <= received.attributes.items()
        ]

    def total(self, name: str, **attributes: str) -> int:
        """Return the sum of the newest values of all matching series of all processes."""
        return sum(point.as_int for point in self.newest(name, **attributes))

    def newest(self, name: str, **attributes: str) -> list[Any]:
        """Return the newest point of each matching series, by the time in the point.

        A collector forwards requests concurrently, so they may arrive in another order.
        """
        values: dict[Series, Any] = {}
        for received in self.named(name, **attributes):
            instance = received.resource["service.instance.id"]
            key = name, frozenset({*received.attributes.items(), ("instance", instance)})
            earlier = values.get(key)
            if earlier is None or received.point.time_unix_nano >= earlier.time_unix_nano:
                values[key] = received.point
        return list(values.values())

    def wait_for_total(self, name: str, total: int, **attributes: str) -> None:
        """Wait, at most a minute, until a counter has this total; assert that it has."""
        deadline = time.monotonic() + 60
        while self.total(name, **attributes) != total and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.total(name, **attributes) == total


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run a sink within the block."""
    with Sink() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Sink
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportMetricsServiceRequest.FromString(body)
        for resource in request.resource_metrics:
            identity = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data"))
                    for point in data.data_points:
                        attributes = {a.key: a.value.string_value for a in point.attributes}
                        self.server.points.append(Received(metric, point, attributes, identity))
        answer = ExportMetricsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


class Collector(NamedTuple):
    """A running collector: its addresses, and the sink to which it forwards."""

    http_url: str
    grpc_url: str
    sink: Sink


def free_port() -> int:
    """Return a free port below the range of ephemeral ports.

    An ephemeral port could be taken by another test's connection before the program listens.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def wait_for(
    port: int, *, seconds: float = 60.0, unless: Callable[[], bool] = lambda: False
) -> None:
    """Wait until something listens on the port; fail after `seconds`, or once `unless()` holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not unless():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"nothing listens there after {seconds} s, or its process has ended")
