"""CPU, memory, garbage collection and GPUs of a process, with every exporter."""

import gc
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from mlmonitor import Config, Monitor, OpenTelemetry, Otlp
from mlmonitor.catalog.resource_metrics import RESOURCES
from mlmonitor.errors import MissingExtra
from mlmonitor.export.opentelemetry.resource_figures import ResourceFigures
from mlmonitor.testing import InMemoryExporter, ManualClock, OtlpReceiver

pytest.importorskip(
    "opentelemetry.instrumentation.system_metrics",
    reason="the extra `resources` is not installed, or needs a newer OpenTelemetry",
    exc_type=ImportError,
)

CONFIG = Config(resources=True, export_interval_seconds=86_400)
CPU = "process.cpu.time"


def observe(*exporters: Any, clock: ManualClock | None = None) -> Monitor:
    """Return a monitor that exports the resources of this process on request."""
    return Monitor("m", version="3", exporters=exporters, config=CONFIG, clock=clock)


def spend_cpu() -> None:
    """Use some hundredths of a second of CPU time."""
    end = time.process_time() + 0.03
    while time.process_time() < end:
        pass


def test_resource_metrics_of_the_process_equal_those_of_the_system() -> None:
    """They have OpenTelemetry's names and the model's name, but no version."""
    memory = InMemoryExporter()
    with observe(memory) as monitor:
        assert monitor.flush(timeout_seconds=60)
        spend_cpu()
        gc.collect()
        assert monitor.flush(timeout_seconds=60)
        spent = sum(float(memory.value(CPU, {"type": kind})) for kind in ("user", "system"))  # type: ignore[arg-type]  # a number
        assert spent == pytest.approx(time.process_time(), abs=5)
        assert float(memory.value("process.memory.usage")) > 2**20  # type: ignore[arg-type]  # as above
        oldest = {"cpython.gc.generation": "2"}
        collections = memory.value("cpython.gc.collections", oldest)
        assert 1 <= int(collections) <= gc.get_stats()[2]["collections"]  # type: ignore[arg-type]  # as above
    own = {metric.name for metric in RESOURCES}
    for point in memory.snapshots[-1].points:
        if point.metric.name in own:
            assert [value for key, value in point.attributes if key.startswith("model.")] == ["m"]


def test_unreadable_resource_metrics_do_not_stop_the_export_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container may hide its processes; the error is counted."""

    def fail(_figures: object) -> None:
        raise PermissionError

    monkeypatch.setattr(ResourceFigures, "families", fail)
    memory = InMemoryExporter()
    with observe(memory) as monitor:
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().last_error == "PermissionError"
    assert memory.snapshots[0].points


def test_cpu_utilization_covers_the_time_since_the_previous_export() -> None:
    """The first export of a process therefore has none."""
    memory = InMemoryExporter()
    with observe(memory) as monitor:
        assert monitor.flush(timeout_seconds=60)
        with pytest.raises(KeyError):
            memory.value("process.cpu.utilization")
        spend_cpu()
        assert monitor.flush(timeout_seconds=60)
        assert 0 < float(memory.value("process.cpu.utilization")) <= 1.5  # type: ignore[arg-type]  # a number


@pytest.mark.parametrize("backend", ["collector", "dynatrace"])
def test_a_strict_backend_accepts_the_resource_metrics(backend: Any, clock: ManualClock) -> None:
    """They are sent as totals, and as deltas that add up to the totals."""
    memory = InMemoryExporter()
    with OtlpReceiver(backend, clock=clock) as receiver:
        token = "dt0c01." + "A" * 24 + "." + "B" * 64
        otlp = (
            Otlp.collector(receiver.url)
            if backend == "collector"
            else Otlp.dynatrace(receiver.url, token=token)
        )
        with observe(otlp, memory, clock=clock) as monitor:
            for _ in range(3):
                spend_cpu()
                clock.advance(60)
                assert monitor.flush(timeout_seconds=60)
            total = receiver.ledger.total(CPU, {"type": "user"})
            assert total == pytest.approx(memory.value(CPU, {"type": "user"}))
        assert {"process.thread.count", "cpython.gc.collected_objects"} <= set(
            receiver.ledger.names
        )
        assert not receiver.ledger.refused
        assert not receiver.ledger.warnings


def test_the_meter_provider_of_the_host_shows_the_resource_metrics() -> None:
    """They are instruments beside those of the model."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    with observe(OpenTelemetry(meter_provider=provider)) as monitor:
        assert monitor.flush(timeout_seconds=60)
        data = reader.get_metrics_data()
    assert data is not None
    names = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert {CPU, "process.memory.usage", "mlmonitor.faults"} <= names


def test_the_system_instrumentation_of_the_host_is_not_changed() -> None:
    """It is a singleton, which a second use would configure again."""
    from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

    of_host: Any = SystemMetricsInstrumentor(config={"process.thread.count": None})
    with observe(InMemoryExporter()) as monitor:
        assert monitor.flush(timeout_seconds=60)
    assert list(of_host._config) == ["process.thread.count"]
    assert not of_host.is_instrumented_by_opentelemetry


def test_a_missing_instrumentation_package_is_refused_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is raised at set-up, and only if the option is set."""
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.system_metrics", None)
    with pytest.raises(MissingExtra, match=r"mlmonitor-sdk\[resources\]"):
        observe(InMemoryExporter())
    Monitor("m", exporters=[]).close()


def test_each_gpu_reports_its_utilization_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read through NVML, and unavailable ones are left out."""

    def read_use(gpu: int) -> Any:
        if gpu == 1:
            raise RuntimeError("not supported")
        return SimpleNamespace(gpu=40, memory=10)

    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda gpu: f"GPU-{gpu}".encode(),
        nvmlDeviceGetUtilizationRates=read_use,
        nvmlDeviceGetMemoryInfo=lambda gpu: SimpleNamespace(used=gpu + 1, total=8),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    memory = InMemoryExporter()
    with observe(memory) as monitor:
        assert monitor.flush(timeout_seconds=60)
    assert memory.value("hw.gpu.utilization") == 0.4
    assert memory.value("hw.gpu.memory.usage", {"hw.id": "GPU-1"}) == 2
    assert memory.value("hw.gpu.memory.limit", {"hw.id": "GPU-0"}) == 8
