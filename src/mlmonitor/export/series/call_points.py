"""Calls and errors as points of the catalogue: finite Python numbers, and nothing else."""

import math
from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.aggregate.call_stats import LATENCY_BOUNDS_SECONDS, CallStats
from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.profile import Profile
from mlmonitor.catalog import Metric
from mlmonitor.export.base import Attributes, HistogramValue, Point


def finite_point(metric: Metric, attributes: Attributes, value: float) -> Iterator[Point]:
    """The point of a float; none at all where it is no finite number."""
    if math.isfinite(value):
        yield Point(metric, attributes, float(value))


def call_points(calls: CallStats, identity: Attributes) -> Iterator[Point]:
    """Predictions by status and the latency histogram."""
    ok = (*identity, ("status", "ok"))
    yield Point(catalog.PREDICTIONS, ok, calls.predictions)
    for error, count in calls.errors.items():
        failed = (*identity, ("status", "error"), ("error.type", error))
        yield Point(catalog.PREDICTIONS, failed, count, calls.exemplars.of_error(error))
    total = calls.latency.total()
    fine = None if calls.fine is None else calls.fine.copy()  # this one goes on counting
    histogram = _latencies(total)._replace(fine=fine)
    yield Point(catalog.DURATION, identity, histogram, calls.exemplars.durations)


def error_points(sums: ErrorSums, identity: Attributes) -> Iterator[Point]:
    """The additive error sums by bucket, and what they come to."""
    uppers = [*map(str, sums.edges.tolist()), "+Inf"]
    for at, upper in enumerate(uppers):
        known = (*identity, ("bucket", upper))
        yield Point(catalog.LABELLED, known, int(sums.count[at]))
        yield from finite_point(catalog.ERROR_ABSOLUTE, known, sums.absolute[at])
        yield from finite_point(catalog.ERROR_SQUARED, known, sums.squared[at])
        yield from finite_point(catalog.ERROR_SIGNED, known, sums.signed[at])
    performance = sums.performance()
    if performance is not None:
        for measure in ("mae", "rmse", "bias"):
            known = (*identity, ("measure", measure), ("basis", "realised"))
            yield from finite_point(catalog.PERFORMANCE, known, getattr(performance, measure))


def _latencies(total: Profile) -> HistogramValue:
    """Counts, and the sum as long as it cannot fall: while no value was negative."""
    moments = total.moments
    known = bool(moments.count[0] > 0)
    whole, smallest = float(total.sums[0]), float(moments.min[0])
    can_fall = known and smallest < 0
    return HistogramValue(
        LATENCY_BOUNDS_SECONDS,
        tuple(total.bins[0].tolist()),
        None if can_fall or not math.isfinite(whole) else whole,
        smallest if known else None,
        float(moments.max[0]) if known else None,
    )
