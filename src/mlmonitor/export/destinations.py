"""Destination profiles: where OTLP goes, with the settings that the other side needs."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from mlmonitor.config import compression_is_chosen, otlp_from_environment
from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.otlp import OtlpExporter

Protocol = Literal["http/protobuf", "grpc"]

_METRICS_PATH = "/v1/metrics"
_TIMEOUT_SECONDS = 5.0


class Otlp:
    """Makes OTLP exporters, one class method a kind of destination."""

    @classmethod
    def collector(
        cls,
        endpoint: str = "http://localhost:4318",
        *,
        protocol: Protocol = "http/protobuf",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> OtlpExporter:
        """An exporter to an OpenTelemetry collector: cumulative, which it can turn into anything.

        endpoint: the collector's base URL; `/v1/metrics` is added for HTTP where there is no path.
        protocol: `grpc` needs the extra `grpc`; its port is 4317 as a rule. Over gRPC a partial
            success is not seen: what is refused then counts as accepted.
        headers: sent with each request; they are never shown. Those of the standard variables,
            which belong to the destination that these name, are not sent here.
        timeout_seconds: for one export, tries included.

        Raises:
            ConfigError: the address is not one of a collector; the message says what is wanted.
            MissingExtra: gRPC was asked for without its extra.
        """
        if protocol not in ("http/protobuf", "grpc"):
            raise ConfigError("protocol: wanted 'http/protobuf' or 'grpc'")
        if timeout_seconds <= 0:
            raise ConfigError("timeout_seconds: wanted more than 0")
        is_grpc = protocol == "grpc"
        if is_grpc:
            import_extra("opentelemetry.exporter.otlp.proto.grpc", extra="grpc")
        return OtlpExporter(
            name="collector",
            endpoint=_checked(endpoint, is_grpc=is_grpc),
            is_grpc=is_grpc,
            headers=headers or {},
            timeout_seconds=timeout_seconds,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> OtlpExporter | None:
        """The exporter that the standard `OTEL_EXPORTER_OTLP_*` variables describe, or None.

        Unlike the OpenTelemetry SDK it sends nothing to a default address: there is no exporter
        while neither `OTEL_EXPORTER_OTLP_ENDPOINT` nor its variant for metrics is set, nor with
        `OTEL_METRICS_EXPORTER=none`.

        Raises:
            ConfigError: the endpoint is not a URL, or the protocol is not supported.
        """
        settings = otlp_from_environment(environ)
        if settings is None:
            return None
        is_grpc = settings.protocol == "grpc"
        if is_grpc:
            import_extra("opentelemetry.exporter.otlp.proto.grpc", extra="grpc")
        return OtlpExporter(
            name="collector",
            endpoint=_without_secrets("OTEL_EXPORTER_OTLP_ENDPOINT", settings.endpoint),
            is_grpc=is_grpc,
            headers=None,  # those of the variables
            timeout_seconds=settings.timeout_seconds or _TIMEOUT_SECONDS,
            is_gzip=not compression_is_chosen(environ),
        )


def _checked(endpoint: str, *, is_grpc: bool) -> str:
    """The endpoint as it is used. An error does not repeat it, for it may hold a token."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "Otlp.collector: wanted an endpoint such as http://localhost:4318, scheme included"
        )
    _without_secrets("Otlp.collector", endpoint)
    if is_grpc:
        return endpoint
    path = parts.path.rstrip("/")
    if path.endswith(_METRICS_PATH):
        return endpoint
    return parts._replace(path=f"{path}{_METRICS_PATH}").geturl()


def _without_secrets(source: str, endpoint: str) -> str:
    """The endpoint, unless it has parts that may be secret: addresses are shown and logged."""
    parts = urlsplit(endpoint)
    if parts.username or parts.password or parts.query:
        raise ConfigError(f"{source}: pass credentials in headers, not in the endpoint")
    return endpoint
