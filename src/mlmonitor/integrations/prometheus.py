"""A collector for `prometheus_client`, which adds the monitor to the host's own `/metrics`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from mlmonitor.catalog import IDENTITY, MetricSpec
from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.base import Attributes, HistogramValue, Point
from mlmonitor.export.otlp.attribute_limits import legalize_key, legalize_value
from mlmonitor.formatting import describe_kind
from mlmonitor.monitor.monitor import Monitor

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["MonitorCollector", "collector"]

_LOCK = Lock()


class MonitorCollector:
    """The collector that `prometheus_client` calls at each scrape; create it with `collector`.

    Promise: names, labels and values are those that Prometheus stores for `Otlp.prometheus`;
        everything recorded before the scrape is included.
    Price: one snapshot per scrape, in the thread of the scrape: about 20 us per sample.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> list[Any]:
        """Return no metrics, because they are known only at a scrape."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield all current metrics of the monitor."""
        from prometheus_client.core import Metric as PrometheusMetric

        grouped: dict[MetricSpec, list[Point]] = {}
        for point in self._read_points():
            grouped.setdefault(point.metric, []).append(point)
        for metric, points in grouped.items():
            name = metric.prometheus.removesuffix("_total")
            family = PrometheusMetric(name, metric.meaning, metric.kind)
            for point in points:
                _add_samples(family, name, point)
            yield family

    def _read_points(self) -> Sequence[Point]:
        if not self._monitor.config.enabled:
            return ()
        return self._monitor._worker.snapshot().points  # noqa: SLF001 - of the same package


def collector(monitor: Monitor, registry: "CollectorRegistry | None" = None) -> MonitorCollector:
    """Register a monitor in a registry of `prometheus_client`, by default the global one.

    The host's `/metrics` then includes the monitor's metrics. A scrape reaches one process: with
    several workers, give each its own port or push metrics over OTLP, because the multiprocess mode
    of `prometheus_client` does not call collectors. A second call with the same monitor and
    registry returns the first collector, so that no series appears twice.

    Raises:
        ConfigError: this is not a monitor.
        MissingExtra: `prometheus_client` is not installed.
    """
    if not isinstance(monitor, Monitor):
        raise ConfigError(f"collector: expected a Monitor, got {describe_kind(monitor)}")
    client: Any = import_extra("prometheus_client", extra="prometheus")
    target = client.REGISTRY if registry is None else registry
    with _LOCK:
        collectors = _COLLECTORS.setdefault(target, WeakValueDictionary())
        monitor_collector = collectors.setdefault(id(monitor), MonitorCollector(monitor))
        with suppress(KeyError):  # it was not registered yet, or is no longer
            target.unregister(monitor_collector)
        target.register(monitor_collector)
    return monitor_collector


_COLLECTORS: "WeakKeyDictionary[Any, WeakValueDictionary[int, MonitorCollector]]" = (
    WeakKeyDictionary()
)
"""The collectors of each registry, by the `id` of their monitor, which they keep alive."""


def _add_samples(family: Any, name: str, point: Point) -> None:
    labels = _make_labels(point.attributes)
    value = point.value
    if not isinstance(value, HistogramValue):
        suffix = "_total" if point.metric.kind == "counter" else ""
        family.add_sample(name + suffix, labels, value)
        return
    from prometheus_client.utils import floatToGoString

    format_bound: Callable[[float], str] = floatToGoString  # untyped in 0.26
    total = 0
    for bound, count in zip((*value.bounds, float("inf")), value.counts, strict=True):
        total += count
        family.add_sample(f"{name}_bucket", {**labels, "le": format_bound(bound)}, total)
    family.add_sample(f"{name}_count", labels, total)
    if value.sum is not None:
        family.add_sample(f"{name}_sum", labels, value.sum)


def _make_labels(attributes: Attributes) -> dict[str, str]:
    """Translate attributes to labels as Prometheus does; leave out an empty version."""
    return {
        legalize_key(key).replace(".", "_"): legalize_value(value)
        for key, value in attributes
        if value or key != IDENTITY[1]
    }
