"""What one export costs: CPU, bytes, and how long the interpreter is held, by number of fields.

The monitor sends to a server in this process that keeps nothing; what the server does is not timed.
"""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Self

import numpy as np
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import shapes
from harness import Figure, Timing, main
from mlmonitor import Config, Monitor, Otlp
from mlmonitor.export.otlp.backends import PROMETHEUS
from mlmonitor.export.otlp.encoder import Sender
from sink import Sink

ROWS = 2_000
OTEL_POINTS = 2_800
OTEL = f"the OTel SDK's encoder, {OTEL_POINTS:,} counter points"


class Watchdog:
    """A thread that wakes every millisecond and records its delay: how long the GIL was held."""

    def __init__(self) -> None:
        self.late_ns: list[int] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._is_over.is_set():
            started = time.perf_counter_ns()
            time.sleep(0.001)
            self.late_ns.append(time.perf_counter_ns() - started - 1_000_000)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def otel_encoder(rounds: int) -> Timing:
    """Time the OpenTelemetry SDK's own encoder on `OTEL_POINTS` points, in milliseconds."""
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader]).get_meter("bench").create_counter("values")
    for at in range(OTEL_POINTS):
        counter.add(1, {"model.name": "bench", "field": f"f{at % 200}", "bin": str(at // 200)})
    data = reader.get_metrics_data()
    took = []
    for _ in range(rounds):
        started = time.thread_time_ns()
        encode_metrics(data).SerializeToString()
        took.append((time.thread_time_ns() - started) / 1e6)
    return Timing(tuple(took))


def filled(fields: int, sink: Sink) -> Monitor:
    """Return a monitor of this many fields that has counted some rows."""
    config = Config(poll_interval_seconds=3_600.0, export_interval_seconds=86_400.0)
    monitor = Monitor(
        "bench",
        reference=shapes.reference(fields),
        exporters=[Otlp.collector(sink.url)],
        config=config,
    )
    values = np.random.default_rng(0).normal(size=(fields, ROWS))
    monitor.record(dict(zip(shapes.names(fields), values, strict=True)), np.zeros(ROWS))
    monitor.status()
    return monitor


def ticks(fields: int, rounds: int, encoder: Timing) -> Iterator[Figure]:
    """Yield CPU, bytes and longest GIL hold of an export; the CPU includes the sink's."""
    with Sink() as sink, filled(fields, sink) as monitor:
        monitor.flush(timeout_seconds=60.0)
        sent, took, late = sink.body_bytes, [], []
        for _ in range(rounds):
            with Watchdog() as watchdog:
                started = time.process_time_ns()
                assert monitor.flush(timeout_seconds=60.0)
                took.append((time.process_time_ns() - started) / 1e6)
            late.append(max(watchdog.late_ns, default=0) / 1e6)
        timing = Timing(tuple(took))
        name = f"export of {fields} fields"
        yield Figure(f"{name}, CPU", timing.best, "ms", encoder.best, OTEL, round(timing.spread, 3))
        yield Figure(f"{name}, bytes", (sink.body_bytes - sent) / rounds, "bytes")
        yield Figure(f"{name}, longest hold of the interpreter", min(late), "ms")


def tick(fields: int, rounds: int, encoder: Timing) -> Iterator[Figure]:
    """Yield the CPU of one export without its network: comparing, describing and encoding."""
    with Sink() as sink, filled(fields, sink) as monitor:
        monitor.flush(timeout_seconds=60.0)  # attributes are encoded once
        line = monitor._worker.pipeline  # noqa: SLF001 - its parts are timed
        now, took, points = time.time(), [], 0
        sender: Sender | None = None
        for at in range(rounds + 1):
            started = time.thread_time_ns()
            snapshot = line.snapshot(now + at)
            sender = sender or Sender(PROMETHEUS, {}, snapshot, "0")
            outgoing = sender.prepare(snapshot)
            for part in outgoing.parts(PROMETHEUS.limits):
                outgoing.body(part)
            points = snapshot.size
            took.append((time.thread_time_ns() - started) / 1e6)
        timing = Timing(tuple(took[1:]))
        yield Figure(
            f"tick of {fields} fields, compared and encoded",
            timing.best,
            "ms",
            encoder.best,
            OTEL,
            round(timing.spread, 3),
            more={"points": points, "sdk_encoder_ms": encoder.best * points / OTEL_POINTS},
        )


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    encoder = otel_encoder(3 if is_quick else 7)
    yield Figure(OTEL, encoder.best, "ms", spread=round(encoder.spread, 3))
    for fields in (20, 200) if is_quick else (20, 200, 1_000):
        yield from ticks(fields, 3 if is_quick else 7, encoder)
    yield from tick(200, 5 if is_quick else 15, encoder)


if __name__ == "__main__":
    sys.exit(main("export", measure, __doc__ or ""))
