"""The rules that OTLP itself sets for a point, which every receiver may apply.

Source: opentelemetry-proto, `metrics.proto`, and the specification's metrics data model.
"""

from itertools import pairwise

from mlmonitor.testing.receiver.decoding import Explicit, Exponential, Value, WirePoint


def fault(point: WirePoint) -> str | None:
    """Return which MUST of `metrics.proto` a point violates, or None."""
    head = point.metric
    if not head.name:
        return "metric without a name"
    if head.temporality == "unspecified":
        return "aggregation temporality unspecified"
    if len({key for key, _ in point.attributes}) < len(point.attributes):
        return "attribute key sent twice"
    return _find_time_fault(point) or (None if point.is_absent else value_fault(point.value))


def _find_time_fault(point: WirePoint) -> str | None:
    """Return a fault if the time is missing or precedes the start time."""
    if not point.time_ns:
        return "point without a time"
    if point.start_ns > point.time_ns:
        return "start time after the point's time"
    return None


def value_fault(value: Value) -> str | None:
    """Return a fault if the value is missing, or a histogram's bounds or counts are wrong."""
    if value is None:
        return "point without a value"
    if isinstance(value, Explicit):
        return _find_explicit_fault(value)
    if isinstance(value, Exponential):
        bucketed = value.zero_count + sum(value.positive[1]) + sum(value.negative[1])
        return None if bucketed == value.count else "buckets do not add up to the count"
    return None


def _find_explicit_fault(value: Explicit) -> str | None:
    """Return a fault in bounds or bucket counts; both may be empty."""
    if not value.counts and not value.bounds:
        return None
    if len(value.counts) != len(value.bounds) + 1:
        return "buckets are not one more than bounds"
    if not all(low < high for low, high in pairwise(value.bounds)):
        return "bounds do not ascend"
    if sum(value.counts) != value.count:
        return "buckets do not add up to the count"
    return None
