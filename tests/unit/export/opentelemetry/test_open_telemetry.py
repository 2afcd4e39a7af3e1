"""Exports with the OpenTelemetry SDK: its exporters, and the host's own provider."""

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from mlmonitor import Config, ConfigError, Monitor, OpenTelemetry, Otlp, Reference
from mlmonitor.testing import ManualClock, OtlpReceiver

DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
OK = {"status": "ok"}
PREDICTIONS = "mlmonitor.predictions"
OWN = ("mlmonitor.export", "mlmonitor.memory")  # what each destination says about exports


class Scripted(MetricExporter):
    """Keeps what it receives; fails as scripted, by its result or by raising."""

    def __init__(self, *failures: Any, **preferences: Any) -> None:
        super().__init__(**preferences)
        self.failures = list(failures)
        self.stored: list[MetricsData] = []
        self.closed = 0
        self.timeouts: list[float] = []

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_options: Any
    ) -> MetricExportResult:
        """Fail once for each scripted failure, and store the data otherwise."""
        self.timeouts.append(timeout_millis)
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return MetricExportResult.FAILURE
        self.stored.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_options: Any) -> None:
        """Count the calls."""
        del timeout_millis
        self.closed += 1


def metrics(data: MetricsData | None) -> Iterator[Any]:
    """Return all metrics of some data."""
    for resource in () if data is None else data.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def points(data: MetricsData | None, name: str, attributes: dict[str, str]) -> list[Any]:
    """Return the points of a metric that have these attributes."""
    return [
        point
        for metric in metrics(data)
        if metric.name == name
        for point in metric.data.data_points
        if attributes.items() <= dict(point.attributes).items()
    ]


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """A reference of one number and one category."""
    train = {"x": rng.exponential(size=500), "line": rng.choice(["home", "motor"], 500)}
    return Reference.fit(train, predictions=rng.normal(size=500))


def observe(exporters: list[Any], reference: Reference, clock: ManualClock) -> Monitor:
    """Return a monitor that exports on request."""
    config = Config(export_interval_seconds=86_400)
    return Monitor("m", reference=reference, exporters=exporters, config=config, clock=clock)


def record(monitor: Monitor, rows: int, clock: ManualClock) -> bool:
    """Record rows, advance a minute and export; return whether all of it arrived."""
    values = {"x": np.arange(1.0, rows + 1), "line": np.array(["home"] * rows)}
    monitor.record(values, np.arange(float(rows)))
    clock.advance(60)
    return monitor.flush(timeout_seconds=20)


def test_the_otlp_exporter_of_the_sdk_sends_the_same_names_and_values_as_ours(
    reference: Reference, clock: ManualClock
) -> None:
    """Two receivers hold the same counters, histograms and gauges."""
    with OtlpReceiver(clock=clock) as ours, OtlpReceiver(clock=clock) as theirs:
        sdk = OTLPMetricExporter(endpoint=theirs.metrics_url)
        exporters = [Otlp.collector(ours.url), OpenTelemetry(sdk)]
        with observe(exporters, reference, clock) as monitor:
            assert record(monitor, 7, clock)
            assert record(monitor, 5, clock)
        names = {name for name in ours.ledger.names if not name.startswith(OWN)}
        assert PREDICTIONS in names
        assert names == {name for name in theirs.ledger.names if not name.startswith(OWN)}
        for name in names:
            expected, actual = (
                {frozenset(series.attributes): series for series in receiver.ledger.series(name)}
                for receiver in (ours, theirs)
            )
            assert actual.keys() == expected.keys(), name
            for attributes, series in expected.items():
                newest = actual[attributes]
                assert newest.values[-1] == series.values[-1], name
                assert (newest.unit, newest.kind) == (series.unit, series.kind)
        assert theirs.ledger.total(PREDICTIONS, OK) == 12
        assert not theirs.ledger.refused
        assert not theirs.ledger.warnings


@pytest.mark.parametrize("failure", [False, RuntimeError("s3cret")], ids=["result", "exception"])
@pytest.mark.parametrize("preference", [None, DELTA], ids=["totals", "deltas"])
def test_a_failed_export_of_the_sdk_neither_loses_nor_repeats_counts(
    reference: Reference,
    clock: ManualClock,
    failure: Any,
    preference: dict[type, AggregationTemporality] | None,
) -> None:
    """Totals are sent again, and a delta is the difference from the last success."""
    sdk = Scripted(preferred_temporality=preference)
    with observe([OpenTelemetry(sdk)], reference, clock) as monitor:
        for minute in range(6):
            if minute in (1, 2, 4):
                sdk.failures.append(failure)
            assert record(monitor, 10, clock) is (minute not in (1, 2, 4))
        reason = monitor.status().destinations["opentelemetry"]
        assert reason.outcomes["failed"] > 0
        assert "s3cret" not in str(reason)
    numbers = [point.value for data in sdk.stored for point in points(data, PREDICTIONS, OK)]
    field = {"field": "x", "role": "feature"}
    name = "mlmonitor.field.distribution"
    counts = [point.count for data in sdk.stored for point in points(data, name, field)]
    if preference is None:
        assert numbers[-1] == counts[-1] == 60
        assert numbers[0] == 0  # the value before the first, so that `increase` misses nothing
    else:
        assert sum(numbers) == sum(counts) == 60
        spans = [
            (point.start_time_unix_nano, point.time_unix_nano)
            for data in sdk.stored
            for point in points(data, PREDICTIONS, OK)
        ]
        assert all(earlier[1] == later[0] for earlier, later in pairwise(spans))
    assert sdk.closed == 1


def test_an_exporter_that_prefers_exponential_histograms_gets_them(
    reference: Reference, clock: ManualClock
) -> None:
    """Latencies are then counted in fine buckets."""
    sdk = Scripted(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()})
    with observe([OpenTelemetry(sdk)], reference, clock) as monitor:

        @monitor.watch
        def predict(row: dict[str, object]) -> float:
            return float(len(row))

        predict({"x": 1.0, "line": "home"})
        assert monitor.flush(timeout_seconds=60)
    (point,) = points(sdk.stored[-1], "mlmonitor.prediction.duration", {})
    assert sum(point.positive.bucket_counts) + point.zero_count == point.count == 1


def test_the_exit_of_a_process_shortens_the_timeout_of_an_sdk_exporter() -> None:
    """The exit does not wait ten seconds for an unreachable backend."""
    sdk = Scripted()
    monitor = Monitor("m", exporters=[OpenTelemetry(sdk)])
    monitor.record({"x": [1.0]}, [1.0])
    assert monitor.flush(timeout_seconds=60)
    monitor._worker.pipeline.limit_sends(0.5)
    assert monitor.flush(timeout_seconds=60)
    monitor.close()
    assert sdk.timeouts[0] == 10_000
    assert sdk.timeouts[-1] <= 500


def test_the_console_exporter_of_the_sdk_prints_a_snapshot(
    reference: Reference, clock: ManualClock
) -> None:
    """Any exporter of the SDK can be used."""
    out = io.StringIO()
    with observe([OpenTelemetry(ConsoleMetricExporter(out=out))], reference, clock) as monitor:
        assert record(monitor, 3, clock)
    assert '"name": "mlmonitor.predictions"' in out.getvalue()
    assert '"service.instance.id"' in out.getvalue()


def test_the_meter_provider_of_the_host_shows_the_same_values(
    reference: Reference, clock: ManualClock
) -> None:
    """Counters and gauges keep their names, and histograms become counters of bins."""
    reader, sdk = InMemoryMetricReader(), Scripted()
    provider = MeterProvider(metric_readers=[reader])
    exporters = [OpenTelemetry(sdk), OpenTelemetry(meter_provider=provider)]
    monitor = observe(exporters, reference, clock)
    assert record(monitor, 7, clock)
    shown, sent = reader.get_metrics_data(), sdk.stored[-1]
    compared = 0
    for metric in metrics(sent):
        if metric.name.startswith(OWN) or hasattr(metric.data.data_points[0], "bucket_counts"):
            continue
        for expected in metric.data.data_points:
            (shown_point,) = points(shown, metric.name, dict(expected.attributes))
            assert shown_point.value == expected.value, metric.name
            compared += 1
    assert compared > 50
    (distribution,) = points(sent, "mlmonitor.field.distribution", {"field": "x"})
    bins = points(shown, "mlmonitor.field.bin", {"field": "x"})
    by_bin = {int(point.attributes["bin"]): point.value for point in bins}
    assert [by_bin[place] for place in sorted(by_bin)] == list(distribution.bucket_counts)
    (total,) = points(shown, "mlmonitor.prediction.duration.bucket", {"le": "+Inf"})
    (duration,) = points(sent, "mlmonitor.prediction.duration", {})
    assert total.value == duration.count
    monitor.close()
    provider.shutdown()


def test_two_monitors_share_a_provider(reference: Reference, clock: ManualClock) -> None:
    """It has one instrument for each name, with both models in the attributes."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monitors = [
        Monitor(name, exporters=[OpenTelemetry(meter_provider=provider)], clock=clock)
        for name in ("a", "b")
    ]
    for rows, monitor in enumerate(monitors, start=3):
        monitor.record({"x": np.ones(rows)}, np.ones(rows))
        assert monitor.flush(timeout_seconds=60)
    data = reader.get_metrics_data()
    values = {p.attributes["model.name"]: p.value for p in points(data, PREDICTIONS, OK)}
    assert values == {"a": 3, "b": 4}
    for monitor in monitors:
        monitor.close()
    provider.shutdown()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected one of a MetricExporter or meter_provider="),
        ({"exporter": Scripted(), "meter_provider": MeterProvider()}, "expected one of"),
        ({"exporter": "otlp"}, "expected one of a MetricExporter or meter_provider=, got str"),
        ({"meter_provider": "global"}, "meter_provider: expected a MeterProvider"),
    ],
)
def test_arguments_that_are_neither_exporter_nor_provider_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    """The error is raised at set-up."""
    with pytest.raises(ConfigError, match=message):
        OpenTelemetry(**arguments)


def test_another_exporter_gets_a_sum_even_of_negative_values(
    reference: Reference, clock: ManualClock
) -> None:
    """Google Cloud's divides it by the count; it is within a bucket's width of the mean."""
    exporter = Scripted()
    values = np.linspace(-3.0, 2.0, 400)
    with Monitor(
        "m", reference=reference, exporters=[OpenTelemetry(exporter)], clock=clock
    ) as monitor:
        monitor.record({"x": values, "line": ["home"] * 400}, values)
        assert monitor.flush(timeout_seconds=60)
    points = [
        point
        for resource in exporter.stored[-1].resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "mlmonitor.field.distribution"
        for point in metric.data.data_points
        if isinstance(point, HistogramDataPoint)
    ]
    assert points
    for point in points:
        assert point.count == 400
        widest = max(b - a for a, b in pairwise([point.min, *point.explicit_bounds, point.max]))
        assert point.sum / point.count == pytest.approx(values.mean(), abs=widest)
