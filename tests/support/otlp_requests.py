"""Build OTLP requests by hand, and send them without any exporter."""

import http.client
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)

from mlmonitor.testing import OtlpReceiver

NOW = 1_700_000_000
"""The time of the receivers' clocks in tests, in seconds since 1970."""
SECOND = 1_000_000_000
NOW_NS = NOW * SECOND
UNSPECIFIED, DELTA, CUMULATIVE = 0, 1, 2
PROTOBUF = {"Content-Type": "application/x-protobuf"}

_FIELDS = {
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    bytes: "bytes_value",
    str: "string_value",
}

Attributes = Mapping[str, object] | Sequence[tuple[str, object]]


def any_value(value: object) -> AnyValue:
    """Convert a Python value to OTLP's; None becomes an empty value."""
    if value is None:
        return AnyValue()
    if isinstance(value, list):
        return AnyValue(array_value={"values": [any_value(item) for item in value]})
    if isinstance(value, dict):
        return AnyValue(kvlist_value={"values": pairs(value)})
    return AnyValue(**{_FIELDS[type(value)]: value})


def pairs(attributes: Attributes) -> list[KeyValue]:
    """Convert attributes to OTLP's, in order."""
    items = attributes.items() if isinstance(attributes, Mapping) else attributes
    return [KeyValue(key=key, value=any_value(value)) for key, value in items]


def number(
    value: float | None,
    attributes: Attributes = (),
    *,
    at: float = 0,
    since: float | None = None,
    flags: int = 0,
) -> NumberDataPoint:
    """Build a point of a sum or gauge; `at` and `since` are in seconds after NOW."""
    point = NumberDataPoint(attributes=pairs(attributes), flags=flags, **times(at, since))
    if isinstance(value, int):
        point.as_int = value
    elif value is not None:
        point.as_double = value
    return point


def times(at: float, since: float | None) -> dict[str, int]:
    """Return the two timestamps of a point, as keyword arguments."""
    start = 0 if since is None else NOW_NS + round(since * SECOND)
    return {"time_unix_nano": NOW_NS + round(at * SECOND), "start_time_unix_nano": start}


def buckets(
    counts: Sequence[int],
    bounds: Sequence[float],
    attributes: Attributes = (),
    *,
    at: float = 0,
    since: float | None = -60,
    **extent: float,
) -> HistogramDataPoint:
    """Build a point of an explicit histogram. extent: `sum`, `min` and `max`, if any."""
    return HistogramDataPoint(
        attributes=pairs(attributes),
        count=sum(counts),
        bucket_counts=counts,
        explicit_bounds=bounds,
        **times(at, since),
        **extent,
    )


def exponential(
    scale: int,
    offset: int,
    counts: Sequence[int],
    *,
    zeros: int = 0,
    negative: tuple[int, Sequence[int]] = (0, ()),
    at: float = 0,
    **extent: float,
) -> ExponentialHistogramDataPoint:
    """Build a point of an exponential histogram."""
    return ExponentialHistogramDataPoint(
        scale=scale,
        zero_count=zeros,
        count=sum(counts) + zeros + sum(negative[1]),
        positive={"offset": offset, "bucket_counts": counts},
        negative={"offset": negative[0], "bucket_counts": negative[1]},
        **times(at, -60),
        **extent,
    )


def gauge(name: str, *points: NumberDataPoint, unit: str = "") -> Metric:
    """Build a gauge of these points."""
    return Metric(name=name, unit=unit, gauge=Gauge(data_points=points))


def counter(
    name: str,
    *points: NumberDataPoint,
    temporality: int = DELTA,
    is_monotonic: bool = True,
    unit: str = "",
) -> Metric:
    """Build a sum of these points, monotonic by default."""
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=is_monotonic)
    return Metric(name=name, unit=unit, sum=data)


def histogram(name: str, *points: HistogramDataPoint, temporality: int = DELTA) -> Metric:
    """Build a histogram with explicit bounds."""
    data = Histogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name=name, histogram=data)


def exponential_histogram(
    name: str, *points: ExponentialHistogramDataPoint, temporality: int = DELTA
) -> Metric:
    """Build an exponential histogram."""
    data = ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
    return Metric(name=name, exponential_histogram=data)


def summary(name: str) -> Metric:
    """Build a summary of three values."""
    point = SummaryDataPoint(
        count=3, sum=6.0, quantile_values=[{"quantile": 0.5, "value": 2.0}], **times(0, -60)
    )
    return Metric(name=name, summary=Summary(data_points=[point]))


def request(
    *metrics: Metric, resource: Attributes = (), scope: Attributes = ()
) -> ExportMetricsServiceRequest:
    """Build a request of one process."""
    message = ExportMetricsServiceRequest()
    resource_metrics = message.resource_metrics.add()
    resource_metrics.resource.attributes.extend(pairs(resource))
    scope_metrics = resource_metrics.scope_metrics.add()
    scope_metrics.scope.attributes.extend(pairs(scope))
    scope_metrics.metrics.extend(metrics)
    return message


class Reply(NamedTuple):
    """The reply to a request."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def partial(self) -> Any:
        """The partial success in the body of a 200."""
        return ExportMetricsServiceResponse.FromString(self.body).partial_success

    @property
    def message(self) -> str:
        """The message in the body of an error."""
        return str(Status.FromString(self.body).message)


def post(
    receiver: OtlpReceiver,
    body: ExportMetricsServiceRequest | bytes,
    headers: Mapping[str, str] = PROTOBUF,
    *,
    path: str | None = None,
    method: str = "POST",
) -> Reply:
    """Send a request over a new connection; return the reply."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    data = body if isinstance(body, bytes) else body.SerializeToString()
    url = receiver.metrics_url.removeprefix(receiver.url) if path is None else path
    try:
        connection.request(method, url, data, dict(headers))
        response = connection.getresponse()
        return Reply(response.status, response.read(), dict(response.getheaders()))
    finally:
        connection.close()


def send(receiver: OtlpReceiver, *metrics: Metric, **source: Attributes) -> Reply:
    """Send metrics as one request of one process; return the reply."""
    return post(receiver, request(*metrics, **source))
