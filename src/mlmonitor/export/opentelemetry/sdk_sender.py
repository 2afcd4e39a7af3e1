"""Sends snapshots to a `MetricExporter` of the OpenTelemetry SDK."""

import os
import time
from typing import TYPE_CHECKING, Any

from mlmonitor.capture.trace_context import suppress_instrumentation
from mlmonitor.environment.library_version import library_version
from mlmonitor.environment.standard_variables import resource_from_environment
from mlmonitor.errors import ExportError
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.export.otlp.backends import COLLECTOR
from mlmonitor.export.otlp.dialect import build_resource

if TYPE_CHECKING:
    from mlmonitor.export.opentelemetry.metrics_data import SnapshotConverter

_TIMEOUT_SECONDS = 10.0


class SdkSender:
    """Sends through an exporter of the SDK, in the temporality and buckets that it prefers."""

    def __init__(self, exporter: Any) -> None:
        from mlmonitor.export.opentelemetry.metrics_data import read_preference

        self._exporter = exporter
        self._preference = read_preference(exporter)
        self._converter: SnapshotConverter | None = None
        self._instance = ""
        self._is_closed = False
        self._timeout_seconds = _TIMEOUT_SECONDS

    @property
    def sends_zero_points(self) -> bool:
        """Whether new series are sent as zero first; deltas do not need it."""
        return not self._preference.counters_as_deltas

    @property
    def wants_fine_durations(self) -> bool:
        """Whether the exporter prefers exponential histograms."""
        return self._preference.is_exponential and not self._preference.histograms_as_deltas

    def send(self, snapshot: Snapshot) -> Delivered:
        """Export a snapshot; raise ExportError if the exporter reports a failure."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        prepared = self._find_converter(snapshot).convert(snapshot)
        if not prepared.points:
            return Delivered(0, 0)
        with suppress_instrumentation():
            result = self._exporter.export(
                prepared.data, timeout_millis=self._timeout_seconds * 1_000
            )
        if result is not MetricExportResult.SUCCESS:
            raise ExportError(f"{type(self._exporter).__name__} reports a failure; see its own log")
        prepared.settle()
        return Delivered(prepared.points, 0)

    def limit_sends(self, timeout_seconds: float) -> None:
        """Ask the exporter for shorter exports from now on; some exporters ignore it."""
        self._timeout_seconds = min(self._timeout_seconds, timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Flush and shut down the exporter, once."""
        if self._is_closed:
            return
        self._is_closed = True
        ends_at = time.monotonic() + timeout_seconds
        self._exporter.force_flush(timeout_millis=timeout_seconds * 1_000)
        left = max(ends_at - time.monotonic(), 0.0)
        self._exporter.shutdown(timeout_millis=left * 1_000)

    def _find_converter(self, snapshot: Snapshot) -> "SnapshotConverter":
        """Return the converter of the reporting instance; a new instance gets a new converter."""
        if self._converter is None or snapshot.instance != self._instance:
            from mlmonitor.export.opentelemetry.metrics_data import SnapshotConverter

            given = resource_from_environment(os.environ, service=snapshot.service)
            service = given["service.name"]
            resource = build_resource(
                given.items(), COLLECTOR, service=service, instance=snapshot.instance
            )
            self._instance = snapshot.instance
            self._converter = SnapshotConverter(
                self._preference, dict(resource), snapshot, library_version()
            )
        return self._converter
