"""Metrics of the loader itself, sent over OTLP because the store exports nothing."""

import threading
import time
import uuid
from collections.abc import Iterator

import numpy as np

from mlmonitor import catalog
from mlmonitor.catalog.metric_spec import MetricSpec
from mlmonitor.errors import ExportError
from mlmonitor.export.base import Attributes, Exporter, Family, Series, Snapshot
from mlmonitor.store.load.loader import Loader

_SERVICE = "mlmonitor-loader"
_CLOSE_SECONDS = 2.0


class LoaderMetrics:
    """Sends the metrics of a loader every `interval_seconds`, and once more on `close`."""

    def __init__(self, loader: Loader, exporter: Exporter, *, interval_seconds: float) -> None:
        self._loader, self._exporter = loader, exporter
        self._interval_seconds = interval_seconds
        self._instance, self._started_ns = str(uuid.uuid4()), time.time_ns()
        self._series: dict[tuple[Attributes, ...], Series] = {}
        self._closing = threading.Event()
        self.failed: int = 0
        """Exports that failed; nothing is lost, because the next export repeats all totals."""
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send the final metrics and close the exporter."""
        self._closing.set()
        self._thread.join(10)
        self._exporter.close(timeout_seconds=_CLOSE_SECONDS)

    def _send_all(self) -> None:
        while True:
            is_last = self._closing.wait(self._interval_seconds)
            try:
                self._exporter.send(self.snapshot())
            except ExportError:
                self.failed += 1
            if is_last:
                return

    def snapshot(self) -> Snapshot:
        """Return the current metrics."""
        families = tuple(self._build_families())
        now_ns = time.time_ns()
        return Snapshot(self._instance, _SERVICE, self._started_ns, now_ns, families)

    def _build_families(self) -> Iterator[Family]:
        loader, counts = self._loader, self._loader.counts
        by_outcome = {(schema, "loaded"): n for schema, n in sorted(counts.loaded.items())}
        by_outcome |= {("all", "replayed"): counts.replayed, ("all", "dead_letter"): counts.dead}
        names = tuple((("schema", s), ("outcome", outcome)) for s, outcome in by_outcome)
        yield self._build_family(catalog.LOADER_EVENTS, names, [*by_outcome.values()])
        yield self._build_family(catalog.LOADER_BATCHES, ((),), [counts.batches])
        yield self._build_family(catalog.LOADER_OUTAGES, ((),), [loader.outages])
        yield self._build_family(catalog.LOADER_LAG, ((),), [float(loader.lag)])
        yield self._build_family(catalog.LOADER_PARTITIONS, ((),), [float(loader.owned)])
        age = np.nan if loader.committed_at is None else time.time() - loader.committed_at
        yield self._build_family(catalog.LOADER_COMMIT_AGE, ((),), [age])

    def _build_family(
        self, metric: MetricSpec, attributes: tuple[Attributes, ...], values: list[float]
    ) -> Family:
        key = ((("metric", metric.name),), *attributes)
        series = self._series.setdefault(key, Series(attributes))
        if metric.kind == "counter":
            return Family(metric, series, np.array(values, np.int64))
        return Family(metric, series, np.array(values, np.float64))
