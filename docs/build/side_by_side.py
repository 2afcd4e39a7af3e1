"""Compare OpenTelemetry's default exporter with ours, both sending to the strict receiver.

`make docs` writes the resulting table into docs/guides/dynatrace.md.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.testing import ManualClock, OtlpReceiver

CALLS, FAILED = 100, 3
TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of the receiver on this machine
EXPLANATIONS = {
    "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM": "counters are totals",
    "UNSUPPORTED_METRIC_TYPE_CUMULATIVE_HISTOGRAM": "histograms are totals",
}


@contextmanager
def _silence(name: str) -> Iterator[None]:
    """Silence a logger within the block only, because tests run this, too."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def by_the_sdk() -> OtlpReceiver:
    """Send two counters and a histogram through a default MeterProvider."""
    with _silence("opentelemetry"), OtlpReceiver("dynatrace") as receiver:
        exporter = OTLPMetricExporter(endpoint=receiver.metrics_url, timeout=2)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        provider = MeterProvider([reader], shutdown_on_exit=False)
        meter = provider.get_meter("service")
        predictions = meter.create_counter("predictions", "{prediction}")
        duration = meter.create_histogram("prediction.duration", "s")
        for at in range(CALLS):
            status = "error" if at < FAILED else "ok"
            predictions.add(1, {"status": status})
            duration.record(0.01)
        provider.force_flush()
        provider.shutdown()
    return receiver


def by_us() -> OtlpReceiver:
    """Send the same calls through a monitor and our exporter."""
    clock = ManualClock(time.time())
    with OtlpReceiver("dynatrace", token=TOKEN) as receiver:
        exporters = [Otlp.dynatrace(receiver.url, token=TOKEN)]
        config = Config(export_interval_seconds=3_600)
        with Monitor("claims", exporters=exporters, config=config, clock=clock) as monitor:

            @monitor.watch
            def predict(features: dict[str, float]) -> float:
                return 1 / features["x"]

            for at in range(CALLS):
                try:
                    predict({"x": 0.0 if at < FAILED else 1.0})
                except ZeroDivisionError:
                    continue
            clock.advance(60)
            monitor.flush(timeout_seconds=20)
    return receiver


def table() -> str:
    """Return the results of both exporters as a Markdown table."""
    theirs, ours = by_the_sdk().ledger, by_us().ledger
    rows = [
        ("calls made, of which failed", f"{CALLS}, {FAILED}", f"{CALLS}, {FAILED}"),
        ("answer", _answers(theirs.requests), _answers(ours.requests)),
        ("points refused", str(theirs.refused.total()), str(ours.refused.total())),
        *(
            (f"`{reason}`: {EXPLANATIONS[reason]}", str(count), str(ours.refused[reason]))
            for reason, count in sorted(theirs.refused.items())
        ),
        (
            "predictions that arrived, ok and error",
            _predictions(theirs.total("predictions"), 0),
            _predictions(
                ours.total("mlmonitor.predictions", {"status": "ok"}),
                ours.total("mlmonitor.predictions", {"status": "error"}),
            ),
        ),
        (
            "durations that arrived",
            str(sum(series.points for series in theirs.series("prediction.duration"))),
            str(ours.histogram("mlmonitor.prediction.duration").count),
        ),
    ]
    head = ("", "OpenTelemetry's exporter by default", "`Otlp.dynatrace`")
    lines = [head, ("---",) * 3, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _answers(requests: "tuple[object, ...]") -> str:
    answers = Counter(str(getattr(request, "status", None)) for request in requests)
    return ", ".join(f"{status} x {count}" for status, count in sorted(answers.items()))


def _predictions(ok: float, error: float) -> str:
    return f"{ok:g}, {error:g}" if ok or error else "none"


if __name__ == "__main__":
    print(table())  # noqa: T201 - a script
