"""Settings of a connection, and the exporter and transport that use them."""

from functools import partial
from typing import Any, Literal, NamedTuple

from mlmonitor.environment.standard_variables import OtlpSettings
from mlmonitor.errors import ConfigError
from mlmonitor.export.otlp.backends import BackendProfile
from mlmonitor.export.otlp.exporter import Access, OtlpExporter, Transport
from mlmonitor.export.transport.credentials import Headers
from mlmonitor.export.transport.grpc import GrpcTransport
from mlmonitor.export.transport.grpc_targets import parse_target
from mlmonitor.export.transport.http import HttpTransport, Trust

Compression = Literal["gzip", "none"]

SPECIFIED_TIMEOUT_SECONDS = 10.0
"""The default of the OpenTelemetry specification, for exporters that the environment configures."""


class Connection(NamedTuple):
    """Settings of the connection to a destination; if `is_insecure` is None, the target decides."""

    url: str
    trust: Trust
    timeout_seconds: float
    compression: Compression
    is_grpc: bool = False
    is_insecure: bool | None = None


def read_connection(settings: OtlpSettings) -> Connection:
    """Return the connection that the environment describes, with OpenTelemetry's defaults."""
    trust = Trust(settings.ca_file, settings.client_certificate, settings.client_key)
    return Connection(
        settings.endpoint,
        trust,
        settings.timeout_seconds or SPECIFIED_TIMEOUT_SECONDS,
        settings.compression or "none",
        is_grpc=settings.protocol == "grpc",
        is_insecure=settings.is_insecure,
    )


def make_exporter(profile: BackendProfile, to: Connection, headers: Headers) -> OtlpExporter:
    """Make an exporter; raise ConfigError for an invalid timeout or compression."""
    seconds: Any = to.timeout_seconds
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not seconds > 0:
        raise ConfigError("timeout_seconds: expected a number of seconds, more than 0")
    if to.compression not in ("gzip", "none"):
        raise ConfigError("compression: expected 'gzip' or 'none'")
    return OtlpExporter(profile, Access(to.url, partial(connect, to), headers))


def connect(to: Connection) -> Transport:
    """Make the transport of a connection, without opening it yet."""
    is_gzip, seconds = to.compression == "gzip", to.timeout_seconds
    if not to.is_grpc:
        return HttpTransport(to.url, to.trust, timeout_seconds=seconds, is_gzip=is_gzip)
    has_files = any((to.trust.ca_file, to.trust.client_certificate))
    is_insecure = False if has_files and to.is_insecure is None else to.is_insecure
    target = parse_target(to.url, is_insecure=is_insecure)
    return GrpcTransport(target, to.trust, timeout_seconds=seconds, is_gzip=is_gzip)
