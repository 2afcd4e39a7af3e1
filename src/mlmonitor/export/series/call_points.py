"""Points about calls and errors."""

import math
from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.aggregate.call_stats import LATENCY_BOUNDS_SECONDS
from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.catalog import MetricSpec
from mlmonitor.compare.service.calls_snapshot import CallsSnapshot
from mlmonitor.export.base import Attributes, HistogramValue, Point


def finite_point(metric: MetricSpec, attributes: Attributes, value: float) -> Iterator[Point]:
    """Yield a point with this value, or nothing if the value is not finite."""
    if math.isfinite(value):
        yield Point(metric, attributes, float(value))


def call_points(calls: CallsSnapshot, identity: Attributes) -> Iterator[Point]:
    """Yield predictions by status, the latency histogram, and the alerts on both."""
    ok = (*identity, ("status", "ok"))
    yield Point(catalog.PREDICTIONS, ok, calls.predictions)
    for error, count in calls.errors.items():
        failed = (*identity, ("status", "error"), ("error.type", error))
        yield Point(catalog.PREDICTIONS, failed, count, calls.error_exemplars[error])
    histogram = _convert_latencies(calls.latency)._replace(fine=calls.fine)
    yield Point(catalog.DURATION, identity, histogram, calls.duration_exemplars)
    for measure, is_firing in calls.is_firing.items():
        yield Point(catalog.SERVICE_ALERT, (*identity, ("measure", measure)), float(is_firing))


def error_points(sums: ErrorSums, identity: Attributes) -> Iterator[Point]:
    """Yield the additive error sums, by bucket of the prediction."""
    uppers = [*map(str, sums.edges.tolist()), "+Inf"]
    for bucket, upper in enumerate(uppers):
        labels = (*identity, ("bucket", upper))
        yield Point(catalog.LABELLED, labels, int(sums.count[bucket]))
        yield from finite_point(catalog.ERROR_ABSOLUTE, labels, sums.absolute[bucket])
        yield from finite_point(catalog.ERROR_SQUARED, labels, sums.squared[bucket])
        yield from finite_point(catalog.ERROR_SIGNED, labels, sums.signed[bucket])


def _convert_latencies(total: FieldProfile) -> HistogramValue:
    """Convert latencies to a histogram; its sum is None if any value was negative."""
    moments = total.moments
    has_values = bool(moments.count[0] > 0)
    whole, smallest = float(total.sums[0]), float(moments.min[0])
    can_fall = has_values and smallest < 0
    return HistogramValue(
        LATENCY_BOUNDS_SECONDS,
        tuple(total.bins[0].tolist()),
        None if can_fall or not math.isfinite(whole) else whole,
        smallest if has_values else None,
        float(moments.max[0]) if has_values else None,
    )
