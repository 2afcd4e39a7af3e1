"""OTLP through OpenTelemetry's own exporter, fed with the SDK's public point classes.

No MeterProvider is involved and none of the host's is touched. Everything of OpenTelemetry is
imported at the first export, in the worker: `import mlmonitor` does not pay for it.
"""

import logging
import os
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from typing import Any

from mlmonitor.catalog import Metric
from mlmonitor.errors import ExportError, import_extra
from mlmonitor.export.base import THREAD_NAME, Delivered, HistogramValue, Point, Snapshot

log: logging.Logger = logging.getLogger("mlmonitor")

_SHOWN_MESSAGE = 200
_EVERY_REQUEST = {
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
}


class OtlpExporter:
    """Sends snapshots to one OTLP endpoint, cumulative, over HTTP (protobuf, gzip) or gRPC.

    Made by `Otlp`; connects at the first `send`, and anew in a forked child. Headers may hold
    credentials: they are in no repr, log or error.
    """

    def __init__(
        self,
        *,
        name: str,
        endpoint: str,
        is_grpc: bool,
        headers: Mapping[str, str] | None,
        timeout_seconds: float,
        is_gzip: bool = True,
    ) -> None:
        self._name = name
        self._endpoint, self._is_grpc = endpoint, is_grpc
        self._headers = None if headers is None else dict(headers)
        self._timeout_seconds, self._is_gzip = timeout_seconds, is_gzip
        self._client: Any = None
        self._owner_pid = 0
        self._answer = _Answer()

    @property
    def name(self) -> str:
        """What the destination is called in metrics and logs."""
        return self._name

    def __repr__(self) -> str:
        return f"Otlp.{self._name}({self._endpoint!r})"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver in one request; raise ExportError where nothing was taken."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        if self._client is None or self._owner_pid != os.getpid():
            self._open()
        self._answer.clear()
        result = self._client.export(metrics_data(snapshot))
        if result is not MetricExportResult.SUCCESS:
            raise ExportError(f"{self!r} took nothing: {self._answer.reason}")
        rejected = min(self._answer.rejected, len(snapshot.points))
        if rejected:
            _log_rejected(self, rejected, self._answer.reason)
        return Delivered(len(snapshot.points) - rejected, rejected)

    def close(self, *, timeout_seconds: float) -> None:
        """Let go of the connection; a send that is waiting to try again gives up."""
        client, self._client = self._client, None
        if client is not None and self._owner_pid == os.getpid():
            client.shutdown(timeout_millis=timeout_seconds * 1000)

    def _open(self) -> None:
        """Make the client in the process that uses it: sockets do not survive a fork."""
        self._owner_pid = os.getpid()
        _quieten()
        if self._is_grpc:
            grpc = import_extra(
                "opentelemetry.exporter.otlp.proto.grpc.metric_exporter", extra="grpc"
            )
            has_scheme = "://" in self._endpoint  # else OTEL_EXPORTER_OTLP_INSECURE decides
            self._client = grpc.OTLPMetricExporter(
                endpoint=self._endpoint,
                insecure=self._endpoint.startswith("http://") if has_scheme else None,
                headers=self._headers,
                timeout=self._timeout_seconds,
            )
            return
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from requests import Session

        session = Session()
        session.hooks["response"].append(self._answer.read)
        if self._headers is not None:
            session.auth = partial(_only, {name.lower() for name in self._headers})
        self._client = OTLPMetricExporter(
            endpoint=self._endpoint,
            headers=self._headers,
            timeout=self._timeout_seconds,
            compression=Compression.Gzip if self._is_gzip else None,
            session=session,
        )


class _Answer:
    """What the other side said last: the exporter itself looks at the status code alone."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.rejected, self.reason = 0, "no answer; is it up, and is this its address?"

    def read(self, response: Any, *_args: object, **_options: object) -> None:
        """A hook of requests, called with each response."""
        self.reason = f"status {response.status_code}"
        if response.status_code != 200 or not response.content:
            return
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceResponse,
        )

        try:
            partial = ExportMetricsServiceResponse.FromString(response.content).partial_success
        except DecodeError:  # not every gateway answers in protobuf; 200 is what counts
            return
        self.rejected = int(partial.rejected_data_points)
        if self.rejected:
            self.reason = partial.error_message[:_SHOWN_MESSAGE]


def _only(named: set[str], request: Any) -> Any:
    """A request with no headers but `named` ones and those of every export.

    The client adds the headers of `OTEL_EXPORTER_OTLP_HEADERS` whatever it is told: the credentials
    of another destination.
    """
    for name in list(request.headers):
        if name.lower() not in named | _EVERY_REQUEST:
            del request.headers[name]
    return request


class _NotOurs(logging.Filter):
    """Drops what the client logs in our thread: each failed try. `Delivery` tells of failures."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != THREAD_NAME


_QUIET = _NotOurs()


def _quieten() -> None:
    """The host's own OpenTelemetry exporters log as before: only our thread's lines go."""
    for transport in ("http.metric_exporter", "grpc.exporter"):
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.{transport}").addFilter(_QUIET)


def _log_rejected(exporter: OtlpExporter, rejected: int, reason: str) -> None:
    log.warning("%r rejected %d points: %s", exporter, rejected, reason)


def metrics_data(snapshot: Snapshot) -> Any:
    """A snapshot as the SDK's `MetricsData`: cumulative sums and histograms, gauges, one time."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    ordered = sorted(snapshot.points, key=_metric_name)
    metrics = [_metric(list(points), snapshot) for _, points in groupby(ordered, _metric_name)]
    scope = InstrumentationScope("mlmonitor", version("mlmonitor-sdk"))
    scoped = ScopeMetrics(scope=scope, metrics=metrics, schema_url="")
    resource = _resource(snapshot.service, snapshot.instance)
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url="")])


_metric_name = attrgetter("metric.name")


def _resource(service: str, instance: str) -> Any:
    """What the standard variables say of the host, and which of its processes this is.

    Not `Resource.create`: it runs its detectors in a thread pool, and the first export may be the
    last one, at exit, when Python starts no more threads.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    named = Resource({"service.name": service}).merge(OTELResourceDetector().detect())
    return named.merge(Resource({"service.instance.id": instance}))


def _metric(points: list[Point], snapshot: Snapshot) -> Any:
    from opentelemetry.sdk.metrics import export as sdk

    metric: Metric = points[0].metric
    cumulative = sdk.AggregationTemporality.CUMULATIVE
    data: Any
    if metric.kind == "histogram":
        data = sdk.Histogram([_histogram_point(point, snapshot) for point in points], cumulative)
    elif metric.kind == "counter":
        data = sdk.Sum([_number_point(point, snapshot) for point in points], cumulative, True)  # noqa: FBT003
    else:
        data = sdk.Gauge([_number_point(point, snapshot) for point in points])
    return sdk.Metric(metric.name, metric.meaning, metric.unit, data)


def _number_point(point: Point, snapshot: Snapshot) -> Any:
    from opentelemetry.sdk.metrics.export import NumberDataPoint

    is_gauge = point.metric.kind == "gauge"
    return NumberDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=None if is_gauge else snapshot.start_unix_ns,  # type: ignore[arg-type]  # optional on the wire
        time_unix_nano=snapshot.time_unix_ns,
        value=point.value,  # type: ignore[arg-type]  # histograms do not come here
    )


def _histogram_point(point: Point, snapshot: Snapshot) -> Any:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    value = point.value
    assert isinstance(value, HistogramValue)  # noqa: S101 - the catalogue says histogram
    return HistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=snapshot.start_unix_ns,
        time_unix_nano=snapshot.time_unix_ns,
        count=sum(value.counts),
        sum=value.sum,  # type: ignore[arg-type]  # optional on the wire
        bucket_counts=value.counts,
        explicit_bounds=value.bounds,
        min=value.min,  # type: ignore[arg-type]  # optional on the wire
        max=value.max,  # type: ignore[arg-type]  # optional on the wire
    )
