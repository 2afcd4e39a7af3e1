"""The public exporter that uses the OpenTelemetry SDK."""

from typing import Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.export.opentelemetry.observable import ProviderSender
from mlmonitor.export.opentelemetry.sdk_sender import SdkSender

_EXPECTED = "OpenTelemetry: expected one of a MetricExporter or meter_provider="


class OpenTelemetry:
    """Exports through the application's OpenTelemetry SDK.

    `OpenTelemetry(exporter)` sends through any `MetricExporter` of the SDK, such as OTLP, console,
    Azure Monitor, Google Cloud or in memory. The exporter's preferences choose totals or deltas,
    and explicit or exponential histograms.
    `OpenTelemetry(meter_provider=provider)` shows the same figures as asynchronous instruments of
    the application's own provider, whose readers collect and export them.

    Promise: with an exporter, a failed export loses nothing: totals are sent again, and a delta is
        the difference from the last success. If an exporter reports a failure although its backend
        stored the data, those deltas count twice. With a provider, the readers see the totals of
        the newest snapshot, and are responsible for their delivery.
    Price: Python objects, about 8 us a point, in the worker. Needs the extra `otel`.

    Args:
        exporter: owned by this monitor, which shuts it down when it closes.
        meter_provider: owned by the application. Close the monitor before shutting it down.

    Raises:
        ConfigError: neither or both arguments are given, or one has the wrong type.
        MissingExtra: the OpenTelemetry SDK is not installed.
    """

    def __init__(self, exporter: Any = None, *, meter_provider: Any = None) -> None:
        if (exporter is None) == (meter_provider is None):
            raise ConfigError(_EXPECTED)
        import_extra("opentelemetry.sdk.metrics", extra="otel")
        self._sender: SdkSender | ProviderSender
        if meter_provider is not None:
            if not hasattr(meter_provider, "get_meter"):
                raise ConfigError("meter_provider: expected a MeterProvider of OpenTelemetry")
            self._sender = ProviderSender(meter_provider)
            self._shown = "meter_provider"
        else:
            if not all(hasattr(exporter, name) for name in ("export", "force_flush", "shutdown")):
                raise ConfigError(f"{_EXPECTED}, got {type(exporter).__name__}")
            self._sender = SdkSender(exporter)
            self._shown = type(exporter).__name__

    @property
    def name(self) -> str:
        """The name of the destination in metrics and logs."""
        return "opentelemetry"

    @property
    def sends_zero_points(self) -> bool:
        """Whether new series are sent as zero first."""
        return self._sender.sends_zero_points

    @property
    def wants_fine_durations(self) -> bool:
        """Whether latencies are sent in exponential buckets."""
        return self._sender.wants_fine_durations

    @property
    def keeps_exemplars(self) -> bool:
        """Whether exemplars are sent; an instrument of a provider cannot carry them."""
        return isinstance(self._sender, SdkSender)

    def __repr__(self) -> str:
        return f"OpenTelemetry({self._shown})"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Export a snapshot, or show it to the provider; raise ExportError if the export failed."""
        return self._sender.send(snapshot)

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of later exports of this process; with a provider, do nothing."""
        if isinstance(self._sender, SdkSender):
            self._sender.limit_sends(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Shut down the exporter; leave a provider open."""
        self._sender.close(timeout_seconds=timeout_seconds)
