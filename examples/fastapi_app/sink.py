"""An OTLP/HTTP receiver that counts what the collector forwards."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from services import HOST

Attributes = tuple[tuple[str, str], ...]


class Counted(NamedTuple):
    """One point of a counter, and the series that it belongs to."""

    series: tuple[str, Attributes]
    attributes: Attributes
    value: float
    time_unix_ns: int
    is_delta: bool


class Received:
    """What has been received so far: requests, points, metric names, and totals of counters."""

    def __init__(self) -> None:
        self.requests = 0
        self.points = 0
        self.names: set[str] = set()
        self._newest: dict[tuple[str, tuple[str, Attributes]], Counted] = {}
        self._lock = threading.Lock()

    def take(self, request: ExportMetricsServiceRequest) -> None:
        """Count one request, cumulative or delta."""
        with self._lock:
            self.requests += 1
            for instance, metric in _metrics(request):
                self.names.add(metric.name)
                self.points += len(
                    getattr(metric, metric.WhichOneof("data") or "gauge").data_points
                )
                for point in _counted(metric):
                    self._add((instance, point.series), point)

    def _add(self, key: tuple[str, tuple[str, Attributes]], point: Counted) -> None:
        newest = self._newest.get(key)
        if newest is not None and point.is_delta:
            point = point._replace(value=newest.value + point.value)
        # A batch that is sent again may contain an older total than the newest received.
        if newest is None or point.is_delta or point.time_unix_ns >= newest.time_unix_ns:
            self._newest[key] = point

    def total(self, name: str, **attributes: str) -> int:
        """Return a counter's sum over all series and processes with these attributes."""
        expected = attributes.items()
        with self._lock:
            return round(
                sum(
                    point.value
                    for point in self._newest.values()
                    if point.series[0] == name and expected <= dict(point.attributes).items()
                )
            )


class Sink:
    """The receiver as a context manager, in a thread of the demo's own process."""

    def __init__(self) -> None:
        self.received = Received()
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self.received))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """The base URL for OTLP/HTTP, without the path of the signal."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Handles `POST /v1/metrics` in protobuf, and keeps connections open."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Count one export, and accept all of it."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            try:
                received.take(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
            except DecodeError:
                self.send_response(400)
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Log nothing: the demo reports what has arrived."""

    return Handler


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[tuple[str, Metric]]:
    for resource in request.resource_metrics:
        attributes = {
            attribute.key: attribute.value.string_value
            for attribute in resource.resource.attributes
        }
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield attributes.get("service.instance.id", ""), metric


def _counted(metric: Metric) -> Iterator[Counted]:
    if metric.WhichOneof("data") != "sum":
        return
    is_delta = metric.sum.aggregation_temporality == (
        AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    )
    for point in metric.sum.data_points:
        value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
        labels = tuple(
            sorted((attribute.key, attribute.value.string_value) for attribute in point.attributes)
        )
        yield Counted((metric.name, labels), labels, value, point.time_unix_nano, is_delta)
