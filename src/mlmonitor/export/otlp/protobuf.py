"""Protobuf encoding of OTLP: tags, lengths, and the parts of a request that seldom change.

Field numbers are read from the descriptors of `opentelemetry.proto`. This module imports them, so
import it only in code that sends.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
from opentelemetry.proto.resource.v1 import resource_pb2 as resources

from mlmonitor.aggregate.exemplars import Exemplar
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.catalog import IDENTITY
from mlmonitor.export.base import Attributes
from mlmonitor.export.otlp.attribute_limits import legalize_key, legalize_value

_VARINT, _FIXED64, _DELIMITED = 0, 1, 2
_WIRE_TYPES = {
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_STRING: _DELIMITED,
    FieldDescriptor.TYPE_BYTES: _DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: _DELIMITED,
    FieldDescriptor.TYPE_ENUM: _VARINT,
    FieldDescriptor.TYPE_BOOL: _VARINT,
}
_LEFT_OUT = (IDENTITY[1],)
_SLOT = bytes(8)  # a placeholder: all values that change between exports are 8 bytes

DELTA: int = metrics.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE: int = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE


def varint(number: int) -> bytes:
    """Encode an integer of at least 0 with seven bits per byte, the lowest bits first."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


@cache
def tag(message: Any, field: str) -> bytes:
    """Encode the tag in front of a field of a message; repeated numbers are packed."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    kind = _DELIMITED if descriptor.is_packed else _WIRE_TYPES[descriptor.type]
    return varint(descriptor.number << 3 | kind)


def delimited(start: bytes, *parts: bytes) -> bytes:
    """Encode a length-delimited field: the tag `start`, the number of bytes, and the bytes."""
    size = sum(map(len, parts))
    return b"".join((start, varint(size), *parts))


def text(message: Any, field: str, value: str) -> bytes:
    """Encode a text field; lone surrogates, which UTF-8 cannot encode, become question marks."""
    return delimited(tag(message, field), value.encode("utf-8", "replace"))


@lru_cache(maxsize=8_192)
def _pair(key: str, value: str) -> bytes:
    body = delimited(tag(common.KeyValue, "value"), text(common.AnyValue, "string_value", value))
    return text(common.KeyValue, "key", key) + body


def pairs(message: Any, attributes: Iterable[tuple[str, str]]) -> bytes:
    """Encode attributes with legal keys and values, as the field `attributes` of a message.

    An empty model version is left out: Dynatrace refuses an empty value, and Prometheus treats it
    as absent.
    """
    start = tag(message, "attributes")
    return b"".join(
        delimited(start, _pair(legalize_key(key), legalize_value(value)))
        for key, value in attributes
        if value or key not in _LEFT_OUT
    )


def number_row(attributes: Attributes, *, is_whole: bool) -> tuple[bytes, int]:
    """Return an encoded NumberDataPoint, and the number of bytes before its body.

    The body begins with slots for the start, the time and the value, in this order, each after a
    tag of one byte.
    """
    point = metrics.NumberDataPoint
    value = tag(point, "as_int" if is_whole else "as_double")
    slots = (_START, _SLOT, _TIME, _SLOT, value, _SLOT)
    return _encode_row(metrics.Sum, (*slots, pairs(point, attributes)))


def gauge_row(attributes: Attributes) -> tuple[bytes, int]:
    """Like `number_row`, for a gauge, which has no start time."""
    point = metrics.NumberDataPoint
    slots = (_TIME, _SLOT, tag(point, "as_double"), _SLOT)
    return _encode_row(metrics.Gauge, (*slots, pairs(point, attributes)))


def histogram_row(
    attributes: Attributes, bounds: Sequence[float], optional: Sequence[str]
) -> tuple[bytes, int, int]:
    """Return an encoded HistogramDataPoint, and the offsets of its body and of the first bucket.

    The body begins with slots for start, time and count, and for each name in `optional` (of `sum`,
    `min` and `max`), each after a tag of one byte. The slots of the buckets follow without tags.
    """
    point = metrics.HistogramDataPoint
    tags = (tag(point, name) for name in ("count", *optional))
    slots = [_START, _SLOT, _TIME, _SLOT, *(piece for key in tags for piece in (key, _SLOT))]
    buckets = (tag(point, "bucket_counts"), varint(8 * (len(bounds) + 1)))
    before = sum(map(len, (*slots, *buckets)))
    packed = struct.pack(f"<{len(bounds)}d", *bounds)
    edges = delimited(tag(point, "explicit_bounds"), packed) if bounds else b""
    body = (*slots, *buckets, _SLOT * (len(bounds) + 1), edges, pairs(point, attributes))
    row, head = _encode_row(metrics.Histogram, body)
    return row, head, before


def _encode_row(data: Any, body: Sequence[bytes]) -> tuple[bytes, int]:
    row = delimited(tag(data, "data_points"), *body)
    return row, len(row) - sum(map(len, body))


_START = tag(metrics.NumberDataPoint, "start_time_unix_nano")
_TIME = tag(metrics.NumberDataPoint, "time_unix_nano")


_KINDS = {
    "gauge": metrics.Gauge,
    "sum": metrics.Sum,
    "histogram": metrics.Histogram,
    "exponential_histogram": metrics.ExponentialHistogram,
}


def exponential_row(
    attributes: Attributes, sketch: ExponentialSketch, *, start_ns: int, time_ns: int
) -> bytes:
    """Encode an ExponentialHistogramDataPoint. There is one per process, so it has no template."""
    point = metrics.ExponentialHistogramDataPoint(
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=sketch.count,
        sum=sketch.sum,
        scale=sketch.scale,
        zero_count=sketch.zeros,
    )
    if sketch.count:
        point.min, point.max = sketch.min, sketch.max
    point.positive.offset = sketch.offset
    point.positive.bucket_counts.extend(sketch.used.tolist())
    more = pairs(metrics.ExponentialHistogramDataPoint, attributes)
    start = tag(metrics.ExponentialHistogram, "data_points")
    return delimited(start, point.SerializeToString(), more)


_POINTS = {
    "sum": metrics.NumberDataPoint,
    "histogram": metrics.HistogramDataPoint,
    "exponential_histogram": metrics.ExponentialHistogramDataPoint,
}
_EXEMPLAR = struct.Struct("<cQcd")


def exemplar_field(kind: str, exemplar: Exemplar) -> bytes:
    """Encode an Exemplar, as a field of a data point of the metric kind `kind`."""
    like = metrics.Exemplar
    tags = tag(like, "time_unix_nano"), tag(like, "as_double")
    numbers = _EXEMPLAR.pack(tags[0], exemplar.time_ns, tags[1], exemplar.value)
    trace = delimited(tag(like, "trace_id"), exemplar.trace_id)
    span = delimited(tag(like, "span_id"), exemplar.span_id)
    return delimited(tag(_POINTS[kind], "exemplars"), numbers, trace, span)


def extend_point(row: bytes, more: bytes) -> bytes:
    """Append the encoded fields `more` to an encoded point, and correct its length."""
    last = 1  # index of the last byte of the length, which follows a tag of one byte
    while row[last] & 128:
        last += 1
    return delimited(row[:1], row[last + 1 :], more)


def metric_message(
    name: str, description: str, unit: str, kind: str, points: Sequence[bytes], temporality: int
) -> bytes:
    """Encode a Metric, as a field of its scope; `kind` names the field that holds the points."""
    data = _KINDS[kind]
    more = b""
    if kind != "gauge":
        more = tag(data, "aggregation_temporality") + varint(temporality)
    if kind == "sum":
        more += tag(data, "is_monotonic") + varint(1)
    names = (("name", name), ("description", description), ("unit", unit))
    head = (text(metrics.Metric, field, value) for field, value in names)
    body = delimited(tag(metrics.Metric, kind), *points, more)
    return delimited(tag(metrics.ScopeMetrics, "metrics"), *head, body)


def resource_message(attributes: Iterable[tuple[str, str]], *, is_limited: bool) -> bytes:
    """Encode a Resource, as a field of ResourceMetrics; `is_limited` legalizes keys and values."""
    if is_limited:
        body = pairs(resources.Resource, attributes)
    else:
        start = tag(resources.Resource, "attributes")
        body = b"".join(delimited(start, _pair(key, value)) for key, value in attributes)
    return delimited(tag(metrics.ResourceMetrics, "resource"), body)


def scope_message(name: str, version: str) -> bytes:
    """Encode an InstrumentationScope, as a field of ScopeMetrics."""
    names = (("name", name), ("version", version))
    body = (text(common.InstrumentationScope, field, value) for field, value in names)
    return delimited(tag(metrics.ScopeMetrics, "scope"), *body)


def request_message(resource: bytes, scope: bytes, encoded: Sequence[bytes]) -> bytes:
    """Encode an ExportMetricsServiceRequest of one resource and one scope."""
    scoped = delimited(tag(metrics.ResourceMetrics, "scope_metrics"), scope, *encoded)
    start = tag(service.ExportMetricsServiceRequest, "resource_metrics")
    return delimited(start, resource, scoped)
