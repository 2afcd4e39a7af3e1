"""Hypothesis strategies of points, and OpenTelemetry's encoding of the same points."""

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mlmonitor.aggregate.exemplars import Exemplar
from mlmonitor.catalog import CATALOG, MetricSpec
from mlmonitor.export.base import Attributes, HistogramValue, Point
from mlmonitor.export.otlp.attribute_limits import legalize_key, legalize_value

NUMBERS = tuple(metric for metric in CATALOG if metric.kind != "histogram")
HISTOGRAMS = tuple(metric for metric in CATALOG if metric.kind == "histogram")

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=40)
names = st.dictionaries(texts.filter(bool), texts, max_size=4).map(
    lambda found: tuple(found.items())
)


@st.composite
def histograms(draw: st.DrawFn) -> HistogramValue:
    """Draw histograms: any ascending bounds, any counts, and sum, min and max or None."""
    bounds = tuple(sorted(draw(st.sets(finite, max_size=5))))
    some = st.lists(st.integers(0, 2**50), min_size=len(bounds) + 1, max_size=len(bounds) + 1)
    maybe_finite = st.none() | finite
    return HistogramValue(
        bounds, tuple(draw(some)), draw(maybe_finite), draw(maybe_finite), draw(maybe_finite)
    )


def _values(metric: MetricSpec) -> st.SearchStrategy[Any]:
    if metric.kind == "histogram":
        return histograms()
    if metric.kind == "gauge":
        return finite
    return st.integers(0, 2**62) | finite.map(abs)


exemplars = st.builds(
    Exemplar,
    finite,
    st.integers(1, 2**63),
    st.binary(min_size=16, max_size=16).filter(any),
    st.binary(min_size=8, max_size=8).filter(any),
)


def _exemplars(metric: MetricSpec) -> st.SearchStrategy[tuple[Exemplar, ...]]:
    if metric.kind == "gauge":
        return st.just(())
    return st.lists(exemplars, max_size=3).map(tuple)


points = st.lists(
    st.sampled_from(CATALOG).flatmap(
        lambda m: st.builds(Point, st.just(m), names, _values(m), _exemplars(m))
    ),
    max_size=12,
    unique_by=lambda point: (point.metric.name, point.attributes),
)


def by_the_sdk(
    points: list[Point], *, start_ns: int, time_ns: int, resource: Attributes, version: str
) -> ExportMetricsServiceRequest:
    """Encode points with OpenTelemetry's encoder."""
    grouped: dict[MetricSpec, list[Point]] = defaultdict(list)
    for point in points:
        grouped[point.metric].append(point)
    metrics = [_metric(metric, group, start_ns, time_ns) for metric, group in grouped.items()]
    scope = InstrumentationScope("mlmonitor", version)
    scoped = sdk.ScopeMetrics(scope=scope, metrics=metrics, schema_url="")
    of_process = Resource({_encodable(key): _encodable(value) for key, value in resource})
    return encode_metrics(
        sdk.MetricsData([sdk.ResourceMetrics(of_process, [scoped], schema_url="")])
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _legal(attributes: Attributes) -> dict[str, str]:
    return {legalize_key(key): legalize_value(value) for key, value in attributes}


def _metric(metric: MetricSpec, group: list[Point], start_ns: int, time_ns: int) -> sdk.Metric:
    total = sdk.AggregationTemporality.CUMULATIVE
    data: Any
    if metric.kind == "histogram":
        data = sdk.Histogram([_histogram(point, start_ns, time_ns) for point in group], total)
    else:
        start = None if metric.kind == "gauge" else start_ns
        numbers = [
            sdk.NumberDataPoint(
                _legal(point.attributes),
                start,  # type: ignore[arg-type]
                time_ns,
                point.value,  # type: ignore[arg-type]
                _traced(point),
            )
            for point in group
        ]
        data = sdk.Gauge(numbers) if start is None else sdk.Sum(numbers, total, True)  # noqa: FBT003 - theirs
    return sdk.Metric(metric.name, metric.meaning, metric.unit, data)


def _traced(point: Point) -> list[SdkExemplar]:
    return [
        SdkExemplar(
            {},
            value,
            time_ns,
            int.from_bytes(span_id, "big"),
            int.from_bytes(trace_id, "big"),
        )
        for value, time_ns, trace_id, span_id in point.exemplars
    ]


def _histogram(point: Point, start_ns: int, time_ns: int) -> sdk.HistogramDataPoint:
    value = point.value
    assert isinstance(value, HistogramValue)
    return sdk.HistogramDataPoint(
        attributes=_legal(point.attributes),
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=sum(value.counts),
        sum=value.sum,  # type: ignore[arg-type]
        bucket_counts=value.counts,
        explicit_bounds=value.bounds,
        min=value.min,  # type: ignore[arg-type]
        max=value.max,  # type: ignore[arg-type]
        exemplars=_traced(point),
    )


def flat(request: ExportMetricsServiceRequest) -> dict[str, Any]:
    """Return a request in a comparable form: by metric name, its head and its sorted points."""
    flattened: dict[str, Any] = {}
    for resource in request.resource_metrics:
        flattened["resource"] = sorted(map(str, resource.resource.attributes))
        for scope in resource.scope_metrics:
            flattened["scope"] = str(scope.scope)
            for metric in scope.metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                serialized = [
                    point.SerializeToString(deterministic=True) for point in data.data_points
                ]
                del data.data_points[:]
                head, before = (
                    metric.SerializeToString(deterministic=True),
                    flattened.get(metric.name),
                )
                assert before is None or before[0] == head
                flattened[metric.name] = head, sorted(serialized + (before[1] if before else []))
    return flattened
