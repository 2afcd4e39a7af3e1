"""What a real collector receives equals what was recorded."""

import asyncio
import math
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp, Reference
from mlmonitor.catalog import CATALOG
from support.collector_sink import Collector

THREADS, TASKS, PREDICTIONS = 8, 4, 200_004
EACH = PREDICTIONS // (THREADS + TASKS)

Row = dict[str, object]
Predict = Callable[[Row], float]


def make_reference(rng: np.random.Generator) -> Reference:
    """Fit a reference with two numeric fields, a category and a numeric prediction."""
    amount = rng.normal(100, 15, 5_000)
    return Reference.fit(
        {
            "amount": amount,
            "age": rng.uniform(18, 90, 5_000),
            "line": rng.choice(["A", "B"], 5_000),
        },
        predictions=amount * 2,
    )


class Truth:
    """What was recorded, counted by the test itself."""

    def __init__(self, reference: Reference) -> None:
        self.statuses: Counter[str] = Counter()
        self.quality: Counter[tuple[str, str]] = Counter()
        self.bins: Counter[int] = Counter()
        self.categories: Counter[str] = Counter()
        (self._amount,) = (f for f in reference.content.fields if f.name == "amount")

    def add(self, row: Row, *, error: str | None) -> None:
        """Count one call."""
        self.statuses[error or "ok"] += 1
        amount = row.get("amount")
        if amount is None:
            self.quality["amount", "missing"] += 1
        elif isinstance(amount, str):
            self.quality["amount", "wrong_type"] += 1
        elif isinstance(amount, float):
            inside = self._amount.min <= amount <= self._amount.max
            self.quality["amount", "valid" if inside else "out_of_range"] += 1
            self.bins[sum(amount > edge for edge in self._amount.edges)] += 1
        line = str(row["line"])
        self.quality["line", "valid" if line in "AB" else "new_category"] += 1
        self.categories[line if line in "AB" else "__new__"] += 1


def rows(seed: int, count: int) -> list[Row]:
    """Return rows as in a service's day: most are valid, some lack a value or have a wrong type."""
    rng = np.random.default_rng(seed)
    amounts, kinds = rng.normal(105, 25, count).tolist(), rng.integers(0, 50, count).tolist()
    lines = rng.choice(["A", "B", "C"], count, p=[0.6, 0.39, 0.01]).tolist()
    decoded: list[Row] = []
    for amount, kind, line in zip(amounts, kinds, lines, strict=True):
        value = None if kind == 0 else "much" if kind == 1 else amount
        decoded.append({"amount": value, "age": 40.0, "line": line})
    return decoded


def watched(monitor: Monitor) -> tuple[Predict, Callable[[Row], Awaitable[float]]]:
    """Return a model that fails on some rows, as a function and as a coroutine function."""

    def double(features: Row) -> float:
        amount = features["amount"]
        if amount is None:
            raise ValueError("no amount")
        return 2.0 * amount  # type: ignore[operator]  # text raises TypeError: expected

    @monitor.watch
    async def double_later(features: Row) -> float:
        await asyncio.sleep(0)
        return double(features)

    return monitor.watch(double), double_later


def serve(predict: Predict, worker: int, truth: Truth) -> None:
    """Send one thread's share of the requests."""
    for row in rows(worker, EACH):
        try:
            predict(row)
        except (ValueError, TypeError) as error:
            truth.add(row, error=type(error).__name__)
        else:
            truth.add(row, error=None)


async def serve_later(
    predict: Callable[[Row], Awaitable[float]], worker: int, truth: Truth
) -> None:
    """Send one task's share of the requests."""
    for row in rows(worker, EACH):
        try:
            await predict(row)
        except (ValueError, TypeError) as error:
            truth.add(row, error=type(error).__name__)
        else:
            truth.add(row, error=None)


@pytest.mark.slow
def test_two_hundred_thousand_predictions_from_threads_and_tasks_arrive_exactly(
    collector: Collector, rng: np.random.Generator
) -> None:
    """The collector's totals by status, quality, bin and category equal the recorded ones."""
    reference = make_reference(rng)
    with Monitor(
        "exact",
        version="1",
        reference=reference,
        exporters=[Otlp.collector(collector.http_url)],
        config=Config(buffer_rows=PREDICTIONS, export_interval_seconds=1.0),
    ) as monitor:
        truths = serve_all(monitor, reference)
        assert monitor.flush(timeout_seconds=60)
        check(collector, truths, EACH * (THREADS + TASKS))


def serve_all(monitor: Monitor, reference: Reference) -> list[Truth]:
    """Send requests from threads and tasks at the same time, and return what was counted."""
    predict, predict_later = watched(monitor)
    truths = [Truth(reference) for _ in range(THREADS + TASKS)]

    async def all_tasks() -> None:
        late = range(THREADS, THREADS + TASKS)
        await asyncio.gather(*(serve_later(predict_later, at, truths[at]) for at in late))

    threads = [
        threading.Thread(target=serve, args=(predict, worker, truths[worker]))
        for worker in range(THREADS)
    ]
    threads.append(threading.Thread(target=lambda: asyncio.run(all_tasks())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return truths


def check(collector: Collector, truths: list[Truth], predictions: int) -> None:
    """Assert that the newest totals at the sink are the sums that were counted."""
    sink = collector.sink
    statuses = sum((truth.statuses for truth in truths), Counter[str]())
    assert statuses.total() == predictions
    sink.wait_for_total("mlmonitor.predictions", statuses.pop("ok"), status="ok")
    for error, count in statuses.items():
        assert sink.total("mlmonitor.predictions", error_type=error) == count
    quality = sum((truth.quality for truth in truths), Counter[tuple[str, str]]())
    for (field, kind), count in quality.items():
        assert sink.total("mlmonitor.field.values", field=field, quality=kind) == count
    categories = sum((truth.categories for truth in truths), Counter[str]())
    for name, count in categories.items():
        assert sink.total("mlmonitor.field.bin", field="line", bin=name) == count
    bins = sum((truth.bins for truth in truths), Counter[int]())
    (newest,) = sink.newest("mlmonitor.field.distribution", field="amount")
    assert list(newest.bucket_counts) == [bins[at] for at in range(len(newest.bucket_counts))]
    assert sink.total("mlmonitor.rows.dropped") == 0
    assert sink.total("mlmonitor.faults") == 0


def exported(collector: Collector, rng: np.random.Generator) -> None:
    """Export twice from a monitor with missing values, and wait until all of it has arrived."""
    monitor = Monitor(
        "wire",
        reference=make_reference(rng),
        exporters=[Otlp.collector(collector.http_url)],
        config=Config(export_interval_seconds=60),
    )
    monitor.record({"amount": [1.0, math.nan], "age": [None, None], "line": ["A", "Z"]}, [1.0, 2.0])
    assert monitor.flush(timeout_seconds=60)
    monitor.record({"amount": [3.0], "age": [4], "line": ["B"]}, np.array([2.0], np.float32))
    assert monitor.close(timeout_seconds=60)
    collector.sink.wait_for_total("mlmonitor.predictions", 3, status="ok")


def test_every_exported_metric_is_in_the_catalogue(
    collector: Collector, rng: np.random.Generator
) -> None:
    """Names, units, kinds and attributes are those of the catalogue, and no value is NaN."""
    exported(collector, rng)
    catalogue = {metric.name: metric for metric in CATALOG}
    kinds = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    assert len({received.metric.name for received in collector.sink.points}) > 20
    for metric, point, attributes, resource in collector.sink.points:
        entry = catalogue[metric.name]
        assert metric.unit == entry.unit
        assert metric.WhichOneof("data") == kinds[entry.kind]
        assert set(attributes) <= {"model.name", "model.version", *entry.attributes}
        assert attributes["model.name"] == "wire"
        assert resource["service.name"] == "wire"
        if entry.kind == "gauge":
            assert math.isfinite(point.as_double)


def test_counters_are_cumulative_whole_numbers_that_start_at_zero(
    collector: Collector, rng: np.random.Generator
) -> None:
    """Each series starts at 0, never decreases, keeps its start time and holds only integers."""
    exported(collector, rng)
    series: dict[object, list[Any]] = {}
    for received in sorted(collector.sink.points, key=lambda point: point.point.time_unix_nano):
        if received.metric.WhichOneof("data") == "sum":
            assert received.metric.sum.is_monotonic
            assert received.metric.sum.aggregation_temporality == 2
            key = received.metric.name, frozenset(received.attributes.items())
            series.setdefault(key, []).append(received.point)
    assert len(series) > 30
    for (name, _), points in series.items():
        values = [point.as_int + point.as_double for point in points]
        assert values[0] == 0
        assert values == sorted(values)
        assert len({point.start_time_unix_nano for point in points}) == 1
        times = [point.time_unix_nano for point in points]
        assert times == sorted(set(times))
        if "error" not in name or name.endswith("count"):
            assert all(point.WhichOneof("value") == "as_int" for point in points)


def test_all_points_of_one_export_have_one_timestamp(
    collector: Collector, rng: np.random.Generator
) -> None:
    """Two exports and the zero points before them hold at most four timestamps."""
    exported(collector, rng)
    assert len({received.point.time_unix_nano for received in collector.sink.points}) <= 4


def test_grpc_delivers_the_same_counts(collector: Collector, rng: np.random.Generator) -> None:
    """The `grpc` extra exports to the collector's other port."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="extra grpc")
    with Monitor(
        "wire",
        reference=make_reference(rng),
        exporters=[Otlp.collector(collector.grpc_url, protocol="grpc")],
    ) as monitor:
        monitor.record({"amount": [1.0] * 7, "age": [2] * 7, "line": ["A"] * 7}, [1.0] * 7)
        assert monitor.flush(timeout_seconds=60)
    collector.sink.wait_for_total("mlmonitor.predictions", 7, status="ok")


def test_the_standard_otel_variables_are_enough_to_export(
    collector: Collector, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `OTEL_EXPORTER_OTLP_ENDPOINT` set, no exporter has to be given."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "claims-service")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with Monitor("wire", reference=make_reference(rng)) as monitor:
        monitor.record({"amount": [1.0], "age": [2], "line": ["A"]}, [1.0])
        assert monitor.flush(timeout_seconds=60)
    collector.sink.wait_for_total("mlmonitor.predictions", 1, status="ok")
    (resource, *_) = {frozenset(r.resource.items()) for r in collector.sink.points}
    assert ("service.name", "claims-service") in resource
    assert ("deployment.environment.name", "test") in resource
