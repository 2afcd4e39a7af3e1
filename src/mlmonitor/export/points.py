"""Populations and calls as points of the catalogue: finite Python numbers, and nothing else."""

import math
from collections.abc import Iterator

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.calls import LATENCY_BOUNDS_SECONDS, CallStats
from mlmonitor.aggregate.error_sums import ErrorSums
from mlmonitor.aggregate.profile import Profile
from mlmonitor.catalog import Metric
from mlmonitor.compare.population import STATUS_QUANTILES, Compared, distinct_categories
from mlmonitor.export.base import Attributes, HistogramValue, Point
from mlmonitor.export.edges import bin_attributes
from mlmonitor.records import QUALITIES, Role
from mlmonitor.reference_format import NumericReference


def gauge(metric: Metric, attributes: Attributes, value: float) -> Iterator[Point]:
    """The point of a gauge; none at all where there is no finite number."""
    if math.isfinite(value):
        yield Point(metric, attributes, float(value))


def call_points(calls: CallStats, identity: Attributes) -> Iterator[Point]:
    """Predictions by status and the latency histogram."""
    ok = (*identity, ("status", "ok"))
    yield Point(catalog.PREDICTIONS, ok, calls.predictions)
    for error, count in calls.errors.items():
        failed = (*identity, ("status", "error"), ("error.type", error))
        yield Point(catalog.PREDICTIONS, failed, count)
    total = calls.latency.total()
    histogram = _histogram(LATENCY_BOUNDS_SECONDS, total, 0)
    yield Point(catalog.DURATION, identity, histogram)


def population_points(
    compared: Compared, identity: Attributes, *, deviations: float
) -> Iterator[Point]:
    """Everything about each field of a population."""
    entries = {(Role(entry.role), entry.name): entry for entry in compared.entries}
    for at, field in enumerate(compared.plan.schema.fields):
        known = (*identity, ("field", field.name), ("role", field.role.value))
        yield from _quality(compared, at, known)
        entry = entries.get((field.role, field.name))
        if field.is_numeric:
            yield from _numeric(compared, at, known)
            if isinstance(entry, NumericReference):
                yield from _numeric_reference(entry, known, deviations)
        else:
            place = at - len(compared.plan.schema.numeric)
            yield from _categorical(compared, place, known)
            if entry is not None:
                yield Point(catalog.REFERENCE_VALUES, known, float(sum(entry.counts)))
                shares = np.array(entry.counts) / max(sum(entry.counts), 1)
                for name, share in zip(_bin_names(compared, place), shares.tolist(), strict=False):
                    yield Point(catalog.REFERENCE_BIN, (*known, ("bin", name)), share)
        for measure, scores in compared.scores.items():
            named = (*known, ("measure", measure))
            yield from gauge(catalog.DRIFT_SCORE, named, scores[at])
            yield from gauge(catalog.DRIFT_CRITICAL, named, compared.critical[measure][at])
        if compared.scores:
            yield from gauge(catalog.DRIFT_EVIDENCE, known, compared.log10_evidence[at])
            yield from gauge(catalog.DRIFT_ALARM, known, float(compared.alarms[at]))


def error_points(sums: ErrorSums, identity: Attributes) -> Iterator[Point]:
    """The additive error sums by bucket, and what they come to."""
    uppers = [*map(str, sums.edges.tolist()), "+Inf"]
    for at, upper in enumerate(uppers):
        known = (*identity, ("bucket", upper))
        yield Point(catalog.LABELLED, known, int(sums.count[at]))
        yield from _sum(catalog.ERROR_ABSOLUTE, known, sums.absolute[at])
        yield from _sum(catalog.ERROR_SQUARED, known, sums.squared[at])
        yield from gauge(catalog.ERROR_SIGNED, known, sums.signed[at])
    performance = sums.performance()
    if performance is not None:
        for measure in ("mae", "rmse", "bias"):
            known = (*identity, ("measure", measure), ("basis", "realised"))
            yield from gauge(catalog.PERFORMANCE, known, getattr(performance, measure))


def _sum(metric: Metric, attributes: Attributes, value: float) -> Iterator[Point]:
    if math.isfinite(value):
        yield Point(metric, attributes, float(value))


def _quality(compared: Compared, at: int, known: Attributes) -> Iterator[Point]:
    for quality, count in zip(QUALITIES, compared.total.quality[at].tolist(), strict=True):
        yield Point(catalog.VALUES, (*known, ("quality", quality.value)), count)


def _numeric(compared: Compared, at: int, known: Attributes) -> Iterator[Point]:
    total, recent = compared.total, compared.view.profile.moments
    edges = tuple(compared.plan.numeric[at].edges.tolist())
    histogram = _histogram(edges, total, at)
    yield Point(catalog.DISTRIBUTION, known, histogram)
    for side, count in zip(("low", "high"), total.outliers[at].tolist(), strict=True):
        yield Point(catalog.OUTLIERS, (*known, ("side", side)), count)
    if recent.count[at] == 0:
        return
    yield from gauge(catalog.MEAN, known, recent.mean[at])
    yield from gauge(catalog.STDDEV, known, recent.stddev[at])
    yield from gauge(catalog.MIN, known, recent.min[at])
    yield from gauge(catalog.MAX, known, recent.max[at])
    for q, value in zip(STATUS_QUANTILES, compared.quantiles[at].tolist(), strict=True):
        yield from gauge(catalog.QUANTILE, (*known, ("quantile", str(q))), value)


def _categorical(compared: Compared, place: int, known: Attributes) -> Iterator[Point]:
    counts = compared.total.categories[place].tolist()
    for name, count in zip(_bin_names(compared, place), counts, strict=False):
        yield Point(catalog.BIN, (*known, ("bin", name)), count)
    distinct = distinct_categories(compared, place)
    if distinct is not None:
        yield Point(catalog.DISTINCT, known, distinct)


def _bin_names(compared: Compared, place: int) -> tuple[str, ...]:
    return compared.plan.dictionaries[place].names


def _numeric_reference(
    entry: NumericReference, known: Attributes, deviations: float
) -> Iterator[Point]:
    if entry.mean is None or entry.stddev is None:
        return
    yield from gauge(catalog.REFERENCE_MEAN, known, entry.mean)
    yield from gauge(catalog.REFERENCE_STDDEV, known, entry.stddev)
    yield from gauge(catalog.REFERENCE_LOWER, known, entry.mean - deviations * entry.stddev)
    yield from gauge(catalog.REFERENCE_UPPER, known, entry.mean + deviations * entry.stddev)
    whole = max(sum(entry.counts), 1)
    yield Point(catalog.REFERENCE_VALUES, known, float(sum(entry.counts)))
    for named, count in zip(bin_attributes(entry.edges), entry.counts, strict=True):
        yield Point(catalog.REFERENCE_BIN, (*known, *named), count / whole)


def _histogram(bounds: tuple[float, ...], total: Profile, at: int) -> HistogramValue:
    """Counts, and the sum as long as it cannot fall: while no value was negative."""
    moments = total.moments
    known = bool(moments.count[at] > 0)
    whole, smallest = float(total.sums[at]), float(moments.min[at])
    can_fall = known and smallest < 0
    return HistogramValue(
        bounds,
        tuple(total.bins[at, : len(bounds) + 1].tolist()),
        None if can_fall or not math.isfinite(whole) else whole,
        smallest if known else None,
        float(moments.max[at]) if known else None,
    )
