"""Decode an OTLP metrics request into plain points; backends validate them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

Kind = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
Temporality = Literal["delta", "cumulative", "unspecified", "none"]

_TEMPORALITIES: tuple[Temporality, ...] = ("unspecified", "delta", "cumulative")
_NO_RECORDED_VALUE = 1


class NotOtlp(ValueError):
    """The body is not an ExportMetricsServiceRequest."""


class Nested(NamedTuple):
    """An attribute value that is an array or a map, as JSON."""

    kind: Literal["array", "map"]
    text: str


AttributeValue = str | bool | int | float | bytes | Nested | None
Attributes = tuple[tuple[str, AttributeValue], ...]
"""In the order sent; a key that was sent twice appears twice."""


@dataclass(frozen=True, slots=True)
class Explicit:
    """A point of a histogram with explicit bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float | None
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Exponential:
    """A point of an exponential histogram; bucket `i` ends at 2^((offset+i+1)/2^scale)."""

    scale: int
    zero_count: int
    positive: tuple[int, tuple[int, ...]]
    negative: tuple[int, tuple[int, ...]]
    count: int
    sum: float | None
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A point of a summary: pairs of quantile and value."""

    count: int
    sum: float
    quantiles: tuple[tuple[float, float], ...]


Value = int | float | Explicit | Exponential | Summary | None


class ResourceSource(NamedTuple):
    """Who sent a point: its resource's attributes and its scope."""

    resource: Attributes
    scope: tuple[str, str]
    scope_attributes: Attributes

    @property
    def instance(self) -> str:
        """The identity of the process: `service.instance.id`, or empty."""
        return str(dict(self.resource).get("service.instance.id", ""))


class MetricHead(NamedTuple):
    """The properties that all points of one metric in a request share."""

    name: str
    unit: str
    kind: Kind
    temporality: Temporality
    is_monotonic: bool


class WirePoint(NamedTuple):
    """One data point, as it was sent. `is_absent` is OTLP's flag "no recorded value"."""

    metric: MetricHead
    source: ResourceSource
    attributes: Attributes
    start_ns: int
    time_ns: int
    value: Value
    is_absent: bool


class Payload(NamedTuple):
    """A request: its points in order, and the names of metrics without points."""

    points: list[WirePoint]
    empty: list[str]


def decode(body: bytes, *, is_json: bool = False) -> Payload:
    """Return the points of a request.

    Raises:
        NotOtlp: the body does not match its content type.
    """
    request = ExportMetricsServiceRequest()
    try:
        if is_json:
            _parse_json(body, request)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError) as error:
        raise NotOtlp("the body is not an ExportMetricsServiceRequest") from error
    payload = Payload([], [])
    for source, metric in _iterate_metrics(request):
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind) if kind else None
        if data is None or not data.data_points:
            payload.empty.append(metric.name)
            continue
        head = _read_head(metric, kind, data)
        payload.points.extend(_read_point(head, source, point) for point in data.data_points)
    return payload


def _parse_json(body: bytes, request: ExportMetricsServiceRequest) -> None:
    document = json.loads(body)
    if not isinstance(document, dict):  # protobuf would parse it as an empty request
        raise NotOtlp("the body is not a JSON object")
    json_format.ParseDict(document, request, ignore_unknown_fields=True)


def _iterate_metrics(request: Any) -> Iterator[tuple[ResourceSource, Any]]:
    for resource in request.resource_metrics:
        attributes = _read_attributes(resource.resource.attributes)
        for scope in resource.scope_metrics:
            named = scope.scope
            source = ResourceSource(
                attributes, (named.name, named.version), _read_attributes(named.attributes)
            )
            for metric in scope.metrics:
                yield source, metric


def _read_head(metric: Any, kind: Kind, data: Any) -> MetricHead:
    temporality: Temporality = "none"
    if kind not in ("gauge", "summary"):
        temporality = _TEMPORALITIES[data.aggregation_temporality]
    return MetricHead(
        metric.name, metric.unit, kind, temporality, kind == "sum" and data.is_monotonic
    )


def _read_point(head: MetricHead, source: ResourceSource, point: Any) -> WirePoint:
    return WirePoint(
        head,
        source,
        _read_attributes(point.attributes),
        point.start_time_unix_nano,
        point.time_unix_nano,
        _read_value(head.kind, point),
        bool(point.flags & _NO_RECORDED_VALUE),
    )


def _read_value(kind: Kind, point: Any) -> Value:
    if kind in ("gauge", "sum"):
        field = point.WhichOneof("value")
        number: int | float | None = None if field is None else getattr(point, field)
        return number
    if kind == "summary":
        pairs = tuple((pair.quantile, pair.value) for pair in point.quantile_values)
        return Summary(point.count, point.sum, pairs)
    extent = (
        point.sum if point.HasField("sum") else None,
        point.min if point.HasField("min") else None,
        point.max if point.HasField("max") else None,
    )
    if kind == "histogram":
        bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
        return Explicit(bounds, counts, point.count, *extent)
    sides = [(side.offset, tuple(side.bucket_counts)) for side in (point.positive, point.negative)]
    return Exponential(point.scale, point.zero_count, sides[0], sides[1], point.count, *extent)


def _read_attributes(pairs: Any) -> Attributes:
    return tuple((pair.key, _read_attribute(pair.value)) for pair in pairs)


def _read_attribute(value: Any) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind in ("array_value", "kvlist_value"):
        text = json.dumps(_convert_plain(value), separators=(",", ":"))
        return Nested("array" if kind == "array_value" else "map", text)
    plain: AttributeValue = None if kind is None else getattr(value, kind)
    return plain


def _convert_plain(value: Any) -> Any:
    """Convert a nested value to plain JSON types."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_convert_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _convert_plain(pair.value) for pair in value.kvlist_value.values}
    plain = _read_attribute(value)
    return base64.b64encode(plain).decode() if isinstance(plain, bytes) else plain


def as_text(value: AttributeValue) -> str:
    """Format an attribute value: `true`, `3`, JSON for arrays and maps, base64 for bytes."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode()
        case Nested(text=text):
            return text
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case _:
            return str(value)


def is_same(one: object, other: object) -> bool:
    """Whether two values are equal; NaN equals NaN."""
    return one == other or (one != one and other != other)  # noqa: PLR0124 - only NaN is not itself
