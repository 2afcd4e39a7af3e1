"""Show snapshots as asynchronous instruments of the application's meter provider."""

import os
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mlmonitor import catalog
from mlmonitor.catalog import CATALOG, MetricSpec
from mlmonitor.catalog.resource_metrics import RESOURCES
from mlmonitor.environment.library_version import library_version
from mlmonitor.export.base import Delivered, HistogramValue, Point, Snapshot
from mlmonitor.export.otlp.backends import DYNATRACE
from mlmonitor.export.otlp.dialect import translate

Observations = list[tuple[int | float, dict[str, str]]]

_lock = threading.Lock()
_instruments: "weakref.WeakKeyDictionary[Any, Instruments]" = weakref.WeakKeyDictionary()


class Instruments:
    """The instruments of one provider, shared by all monitors that report through it.

    Shared, because a provider ignores the callbacks of a second instrument of the same name.
    """

    def __init__(self, provider: Any) -> None:
        self._senders: weakref.WeakSet[ProviderSender] = weakref.WeakSet()
        meter = provider.get_meter("mlmonitor", library_version())
        for metric in (*CATALOG, *RESOURCES):
            if metric.kind == "histogram":
                continue
            is_counter = metric.kind == "counter"
            create = (
                meter.create_observable_counter if is_counter else meter.create_observable_gauge
            )
            create(
                metric.name,
                callbacks=[self._make_callback(metric)],
                unit=metric.unit,
                description=metric.meaning,
            )

    def add(self, sender: "ProviderSender") -> None:
        """Report the values of one more monitor."""
        self._senders.add(sender)

    def _make_callback(self, metric: MetricSpec) -> Callable[[Any], Iterable[Any]]:
        from opentelemetry.metrics import Observation

        def observe(_options: Any) -> Iterator[Any]:
            for sender in list(self._senders):
                for value, attributes in sender.observations(metric):
                    yield Observation(value, attributes)

        return observe


class ProviderSender:
    """Shows the newest snapshot to the readers of the application's provider.

    Promise: a reader sees the totals of the newest snapshot; a forked child does not show the
        totals of its parent. Price: one snapshot as Python objects.
    """

    sends_zero_points = False
    wants_fine_durations = False

    def __init__(self, provider: Any) -> None:
        from mlmonitor.export.opentelemetry.metrics_data import convert_attributes

        self._convert = convert_attributes  # imported now, so that no import is running at a fork
        self._newest: tuple[int, dict[MetricSpec, Observations]] = (os.getpid(), {})
        with _lock:
            instruments = _instruments.get(provider)
            if instruments is None:
                instruments = _instruments[provider] = Instruments(provider)
        instruments.add(self)

    def send(self, snapshot: Snapshot) -> Delivered:
        """Replace the values of the instruments by those of `snapshot`."""
        by_metric: dict[MetricSpec, Observations] = defaultdict(list)
        count = 0
        for family in translate(snapshot.families, DYNATRACE):
            for point in Snapshot("", "", 0, 0, [family]).points:
                count += 1
                for metric, value, attributes in _flatten(point, self._convert(point.attributes)):
                    by_metric[metric].append((value, attributes))
        self._newest = os.getpid(), dict(by_metric)
        return Delivered(count, 0)

    def observations(self, metric: MetricSpec) -> Observations:
        """The newest values of one metric, with their attributes."""
        pid, by_metric = self._newest
        return by_metric.get(metric, []) if pid == os.getpid() else []

    def close(self, *, timeout_seconds: float) -> None:
        """Do nothing: the provider is the application's, and may still read the last totals."""


def _flatten(
    point: Point, attributes: dict[str, str]
) -> Iterator[tuple[MetricSpec, int | float, dict[str, str]]]:
    """Convert a point to numbers; a latency histogram becomes one cumulative counter per bound."""
    if not isinstance(point.value, HistogramValue):
        yield point.metric, point.value, attributes
        return
    total = 0
    bounds = [*map(str, point.value.bounds), "+Inf"]
    for bound, count in zip(bounds, point.value.counts, strict=True):
        total += count
        yield catalog.DURATION_BUCKET, total, {**attributes, "le": bound}
    if point.value.sum is not None:
        yield catalog.DURATION_SUM, point.value.sum, attributes
