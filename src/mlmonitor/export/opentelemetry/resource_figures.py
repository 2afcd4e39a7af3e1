"""CPU, memory and garbage collection of a process, measured by OpenTelemetry's own code."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from mlmonitor.catalog import IDENTITY, MetricSpec, resource_metrics
from mlmonitor.errors import import_extra
from mlmonitor.export.base import Attributes, Family, Point
from mlmonitor.export.opentelemetry.gpu_figures import Gpus
from mlmonitor.export.series.grouping import SnapshotCache, group_points

_SPECS = {metric.name: metric for metric in resource_metrics.INSTRUMENTED}
_SETTINGS = {name: ["user", "system"] if name.endswith("cpu.time") else None for name in _SPECS}
_INSTRUMENTATION = "opentelemetry.instrumentation.system_metrics"


class ResourceFigures:
    """CPU, memory and garbage collection of the current process, and the GPUs of its machine.

    Promise: names, units and values are those of `opentelemetry-instrumentation-system-metrics`.
        A forked child reports its own figures. If the application uses the same instrumentation,
        its use is not disturbed.
    Price: about a millisecond at each export.

    Raises:
        MissingExtra: the instrumentation is not installed.
    """

    def __init__(self, identity: Attributes) -> None:
        self._identity: Attributes = tuple(pair for pair in identity if pair[0] == IDENTITY[0])
        self._instrumentation: Any = import_extra(_INSTRUMENTATION, extra="resources")
        self._sdk: Any = import_extra("opentelemetry.sdk.metrics.export", extra="resources")
        self._cache = SnapshotCache()
        self._pid = 0
        self._reader: Any = None
        self._gpus: Gpus | None = None
        with suppress(ImportError):  # imported here, so that no import is running at a fork
            import_module("pynvml")

    def families(self) -> list[Family]:
        """Read all figures now."""
        self._cache.begin_snapshot()
        is_first = self._pid != os.getpid()
        if is_first:
            self._begin()
        points = list(self._read_process())
        if self._gpus is not None:
            points += self._gpus.points(self._identity)
        if is_first:  # utilization needs an interval, which has only begun
            points = [point for point in points if point.metric != resource_metrics.UTILIZATION]
        return group_points(points, self._cache)

    def _begin(self) -> None:
        """Start measuring this process: the first one, or a child after a fork."""
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import Resource

        self._pid = os.getpid()
        self._reader = self._sdk.InMemoryMetricReader()
        provider = MeterProvider(
            [self._reader], resource=Resource.get_empty(), shutdown_on_exit=False
        )
        kind = self._instrumentation.SystemMetricsInstrumentor
        instrumentor: Any = object.__new__(kind)  # calling the class returns the host's instance
        instrumentor.__init__(config=_SETTINGS)
        instrumentor.instrument(meter_provider=provider, skip_dep_check=True)
        self._gpus = Gpus()

    def _read_process(self) -> Iterator[Point]:
        data = self._reader.get_metrics_data()
        for resource in () if data is None else data.resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                spec = _SPECS.get(metric.name)
                if spec is None:
                    continue
                for point in metric.data.data_points:
                    labels = _read_labels(spec, point.attributes)
                    yield Point(spec, (*self._identity, *labels), point.value)


def _read_labels(metric: MetricSpec, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the attributes under their names in the catalogue; older versions omit the prefix."""
    for name in metric.attributes:
        short = name.rpartition(".")[2]
        yield name, str(attributes.get(name, attributes.get(short, "")))
