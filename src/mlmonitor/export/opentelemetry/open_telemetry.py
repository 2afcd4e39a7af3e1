"""The public way through the OpenTelemetry SDK."""

from typing import Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.export.opentelemetry.observable import ProviderSender
from mlmonitor.export.opentelemetry.sdk_sender import SdkSender

_EXPECTED = "OpenTelemetry: expected one of a MetricExporter or meter_provider="


class OpenTelemetry:
    """Exports through OpenTelemetry as the host already has it.

    `OpenTelemetry(exporter)` sends through any `MetricExporter` of the OpenTelemetry SDK: OTLP,
    console, Azure Monitor, Google Cloud, in memory. Its preferences decide about totals or deltas
    and about exponential histograms.
    `OpenTelemetry(meter_provider=provider)` shows the same figures as asynchronous instruments of
    the host's own provider, whose readers collect and export them.

    Promise: through an exporter a failed export loses nothing: totals are sent again, and a delta
        is the difference from the last success. An exporter that reports a failure although its
        backend stored the data makes deltas count twice. Through a provider the readers see the
            totals of the newest snapshot, and are responsible for their delivery.
    Price: Python objects, about 8 us a point, in the worker. Needs the extra `otel`.

    Args:
        exporter: owned by this monitor, which shuts it down when it closes.
        meter_provider: owned by the host. Close the monitor before shutting it down.

    Raises:
        ConfigError: neither or both are given, or something else.
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
        """Whether traces are sent with values; an instrument of a provider cannot carry them."""
        return isinstance(self._sender, SdkSender)

    def __repr__(self) -> str:
        return f"OpenTelemetry({self._shown})"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Export or show a snapshot; raise ExportError if nothing was stored."""
        return self._sender.send(snapshot)

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of this process's later exports; a provider exports by itself."""
        if isinstance(self._sender, SdkSender):
            self._sender.limit_sends(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Shut down the exporter; a provider stays open."""
        self._sender.close(timeout_seconds=timeout_seconds)
