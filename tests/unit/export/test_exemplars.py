"""A trace is sent once with the value it explains, to destinations that keep it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from mlmonitor import Config, Monitor, Otlp, catalog
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.testing import ManualClock, OtlpReceiver, Refuse
from support.collector_sink import Sink, running_sink
from support.references import fit_reference

EDGES_AT = np.arange(100.0)
TOKEN = "dt0c01.ID.SECRET"  # noqa: S105 - a test's own
BREAKS = {"amount": -1e6}


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver that keeps points as they arrive."""
    with running_sink() as server:
        yield server


@pytest.fixture
def tracer() -> Iterator[trace.Tracer]:
    """The tracer of the host, whose spans are not exported."""
    provider = TracerProvider()
    yield provider.get_tracer("host")
    provider.shutdown()


def monitor_of(*exporters: Any, clock: ManualClock | None = None, **options: Any) -> Monitor:
    """Return a monitor of one feature whose worker exports on request."""
    config = Config(**{"poll_interval_seconds": 3_600, "export_interval_seconds": 3_600, **options})
    reference = fit_reference({"amount": EDGES_AT}, predictions=EDGES_AT)
    return Monitor("m", reference=reference, exporters=exporters, config=config, clock=clock)


def predict(features: dict[str, float]) -> float:
    """Return the amount, but raise an error for one of the inputs."""
    if features == BREAKS:
        raise ValueError("broken")
    return features["amount"]


def traces(sink: Sink, metric: catalog.MetricSpec, **attributes: str) -> list[tuple[float, str]]:
    """Return value and trace of each exemplar of a metric in order of arrival."""
    return [
        (one.as_double, one.trace_id.hex())
        for received in sink.named(metric.name, **attributes)
        for one in received.point.exemplars
    ]


def in_trace(tracer: trace.Tracer, call: Any) -> str:
    """Make a call in a span of its own, and return the trace id."""
    with tracer.start_as_current_span("request") as span:
        call()
    return format(span.get_span_context().trace_id, "032x")


def test_bins_outliers_and_errors_lead_to_their_traces(sink: Sink, tracer: trace.Tracer) -> None:
    """Of two values in a bin the newer one counts; a call outside a span has no exemplar."""
    with monitor_of(Otlp.prometheus(f"http://127.0.0.1:{sink.port}")) as monitor:
        watched = monitor.watch(predict)
        watched({"amount": 55.0})
        first = in_trace(tracer, lambda: watched({"amount": 55.0}))
        usual = in_trace(tracer, lambda: watched({"amount": 55.5}))
        outlier = in_trace(tracer, lambda: watched({"amount": 1e6}))
        with (
            pytest.raises(ValueError, match="broken"),
            tracer.start_as_current_span("broken") as span,
        ):
            watched(BREAKS)
        broken = format(span.get_span_context().trace_id, "032x")
        assert monitor.flush(timeout_seconds=60)
    amounts = traces(sink, catalog.DISTRIBUTION, field="amount")
    assert sorted(amounts) == [(-1e6, broken), (55.5, usual), (1e6, outlier)]
    results = traces(sink, catalog.DISTRIBUTION, field="prediction")
    assert sorted(results) == [(55.5, usual), (1e6, outlier)]
    assert traces(sink, catalog.OUTLIERS, field="amount", side="low") == [(-1e6, broken)]
    assert traces(sink, catalog.OUTLIERS, field="amount", side="high") == [(1e6, outlier)]
    assert traces(sink, catalog.PREDICTIONS, status="error") == [(1.0, broken)]
    assert traces(sink, catalog.PREDICTIONS, status="ok") == []
    durations = traces(sink, catalog.DURATION)
    assert {trace_id for _, trace_id in durations} <= {first, usual, outlier, broken}
    assert 1 <= len(durations) <= 4
    (point, *_) = (
        received.point for received in sink.named(catalog.DURATION.name) if received.point.exemplars
    )
    assert all(point.start_time_unix_nano < one.time_unix_nano for one in point.exemplars)
    assert all(len(one.span_id) == 8 for one in point.exemplars)


async def predict_later(features: dict[str, float]) -> float:
    """Do the same as a coroutine function."""
    return predict(features)


@pytest.mark.parametrize("way", ["watch", "watch by name", "async", "observe", "record"])
def test_every_way_of_recording_one_row_has_its_trace(
    way: str, sink: Sink, tracer: trace.Tracer
) -> None:
    """The trace of a batch of several rows belongs to none of them."""
    with monitor_of(Otlp.collector(f"http://127.0.0.1:{sink.port}")) as monitor:

        def coroutine() -> None:
            with pytest.raises(StopIteration):
                monitor.watch(predict_later)({"amount": 7.0}).send(None)  # type: ignore[attr-defined]

        def block() -> None:
            with monitor.observe({"amount": 7.0}) as prediction:
                prediction.value = 7.0

        ways = {
            "watch": lambda: monitor.watch(predict)({"amount": 7.0}),
            "watch by name": lambda: monitor.watch(predict)(features={"amount": 7.0}),
            "async": coroutine,
            "observe": block,
            "record": lambda: monitor.record({"amount": [7.0]}, [7.0]),
        }
        trace_id = in_trace(tracer, ways[way])
        in_trace(tracer, lambda: monitor.record({"amount": [50.0, 90.0]}, [50.0, 90.0]))
        assert monitor.flush(timeout_seconds=60)
    assert traces(sink, catalog.DISTRIBUTION, field="amount") == [(7.0, trace_id)]
    assert [trace_of_point for _, trace_of_point in traces(sink, catalog.DURATION)] == [
        trace_id
    ] * (way != "record")


def test_native_histograms_carry_exemplars(sink: Sink, tracer: trace.Tracer) -> None:
    """They are in order of time, as Prometheus requires for one series."""
    destination = Otlp.prometheus(f"http://127.0.0.1:{sink.port}", durations="exponential")
    with monitor_of(destination) as monitor:
        trace_id = in_trace(tracer, lambda: monitor.watch(predict)({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
    (newest,) = sink.newest(catalog.DURATION.name)
    assert newest.scale > 0
    assert [trace_of_point for _, trace_of_point in traces(sink, catalog.DURATION)] == [trace_id]


def requests_of(exporter: OtlpExporter) -> list[bytes]:
    """Return a list to which the exporter's further requests are added."""
    transport: Any = exporter._process.transport
    post, bodies = transport.post, []

    def noted(body: bytes, *args: Any, **more: Any) -> Any:
        bodies.append(body)
        return post(body, *args, **more)

    transport.post = noted
    return bodies


def test_exemplars_are_sent_until_each_destination_has_stored_them(
    sink: Sink, tracer: trace.Tracer
) -> None:
    """A destination that refused gets them again, and one that has them does not.

    The clock stands still, so new exemplars are recognised by more than their time.
    """
    with OtlpReceiver("collector") as flaky:
        steady, other = Otlp.collector(f"http://127.0.0.1:{sink.port}"), Otlp.collector(flaky.url)
        bodies = requests_of(other)
        with monitor_of(steady, other, clock=ManualClock()) as monitor:
            watched = monitor.watch(predict)
            first = in_trace(tracer, lambda: watched({"amount": 7.0}))
            assert monitor.flush(timeout_seconds=60)
            flaky.script(lambda _: Refuse(503))
            later = in_trace(tracer, lambda: watched({"amount": 7.0}))
            assert not monitor.flush(timeout_seconds=10)
            flaky.script([])
            before = len(bodies)
            for _ in range(2):
                assert monitor.flush(timeout_seconds=60)
    taken = [body for body in bodies if bytes.fromhex(later) in body]
    assert sum(bytes.fromhex(first) in body for body in bodies) == 1
    assert len(taken) > 1
    assert sum(body in taken for body in bodies[before:]) == 1
    sent_traces = [
        sent_trace for _, sent_trace in traces(sink, catalog.DISTRIBUTION, field="amount")
    ]
    assert sent_traces == [first, later]


def test_exemplars_are_not_sent_to_dynatrace_or_when_switched_off(
    sink: Sink, tracer: trace.Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans are not read then either."""
    with OtlpReceiver("dynatrace", token=TOKEN) as receiver:
        with monitor_of(Otlp.dynatrace(receiver.url, token=TOKEN)) as monitor:
            in_trace(tracer, lambda: monitor.watch(predict)({"amount": 7.0}))
            assert monitor.flush(timeout_seconds=60)
            assert not monitor._inbox.calls.is_traced
        assert not receiver.ledger.refused
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_off")
    with monitor_of(Otlp.collector(f"http://127.0.0.1:{sink.port}")) as monitor:
        in_trace(tracer, lambda: monitor.watch(predict)({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
        assert not monitor._inbox.calls.is_traced
    assert sink.points
    assert not any(
        received.point.exemplars for received in sink.points if hasattr(received.point, "exemplars")
    )


def test_a_host_may_start_tracing_later_and_a_forked_child_continues(
    sink: Sink, tracer: trace.Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drain checks for tracing until it is there."""
    monkeypatch.setattr("mlmonitor.pipeline.drain.host_span_source", lambda: None)
    with monitor_of(Otlp.collector(f"http://127.0.0.1:{sink.port}")) as monitor:
        watched = monitor.watch(predict)
        in_trace(tracer, lambda: watched({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
        monkeypatch.undo()
        monitor.status()
        trace_id = in_trace(tracer, lambda: watched({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
        monitor._worker.restart_after_fork()
        of_child = in_trace(tracer, lambda: watched({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
    sent_traces = [
        trace_of_point for _, trace_of_point in traces(sink, catalog.DISTRIBUTION, field="amount")
    ]
    assert sent_traces == [trace_id, of_child]


def test_rows_that_became_the_reference_have_no_exemplars(sink: Sink, tracer: trace.Tracer) -> None:
    """They are in no compared bin; the first row after them has an exemplar."""
    exporters = [Otlp.collector(f"http://127.0.0.1:{sink.port}")]
    config = Config(baseline_rows=50, poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=exporters, config=config) as monitor:
        watched = monitor.watch(predict)
        for at in range(50):
            in_trace(tracer, lambda at=at: watched({"amount": float(at)}))  # type: ignore[misc]
        trace_id = in_trace(tracer, lambda: watched({"amount": 7.0}))
        assert monitor.flush(timeout_seconds=60)
    assert traces(sink, catalog.DISTRIBUTION, field="amount") == [(7.0, trace_id)]


def test_exemplars_of_a_field_dropped_from_export_are_dropped(
    sink: Sink, tracer: trace.Tracer
) -> None:
    """The other fields keep their own exemplars."""
    names = [f"f{at}" for at in range(12)]
    reference = fit_reference(dict.fromkeys(names, EDGES_AT), predictions=EDGES_AT)
    exporters = [Otlp.collector(f"http://127.0.0.1:{sink.port}")]
    config = Config(max_series=300, poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", reference=reference, exporters=exporters, config=config) as monitor:
        watched = monitor.watch(lambda features: features["f0"])
        trace_id = in_trace(tracer, lambda: watched({name: float(name[1:]) for name in names}))
        assert monitor.flush(timeout_seconds=60)
        assert monitor._worker.pipeline.status(0.0).internal_errors == 0
    sent = {received.attributes["field"] for received in sink.named(catalog.DISTRIBUTION.name)}
    assert 0 < len(sent & set(names)) < len(names)
    for name in sent & set(names):
        assert traces(sink, catalog.DISTRIBUTION, field=name) == [(float(name[1:]), trace_id)]
