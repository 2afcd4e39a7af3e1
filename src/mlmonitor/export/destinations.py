"""Destination profiles: where OTLP goes, with the settings that the other side needs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, NamedTuple

from mlmonitor.environment import otlp_from_environment
from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.otlp import backends
from mlmonitor.export.otlp.backends import Ambiguous, BackendProfile, Durations
from mlmonitor.export.otlp.exporter import Access, OtlpExporter, Transport
from mlmonitor.export.transport import credentials, endpoints
from mlmonitor.export.transport.credentials import Path
from mlmonitor.export.transport.grpc import GrpcTransport
from mlmonitor.export.transport.http import HttpTransport, Trust
from mlmonitor.secret import Secret

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["gzip", "none"]

_TIMEOUT_SECONDS = 5.0
_PLAIN = Trust()

Headers = Callable[[], Mapping[str, Secret]]


class Otlp:
    """Makes OTLP exporters, one class method a kind of destination.

    Each fixes what its backend needs: totals or deltas, the form of distributions, how much goes
    into a request. Several may be used at once: they share the totals, and nothing else.

    What all of them take: `headers` are sent with each request and never shown. `timeout_seconds`
    is for one request, its answer included. `compression` is `gzip` or `none`. `ca_file` is what
    the server's certificate is checked with, `client_certificate` and `client_key` are shown to it;
    `proxy` is a URL; not given, the usual variables decide.
    """

    @classmethod
    def collector(  # noqa: PLR0913 - what a user says once, each by its name
        cls,
        endpoint: str = "http://localhost:4318",
        *,
        protocol: Protocol = "http/protobuf",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        durations: Durations = "explicit",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to an OpenTelemetry collector: totals, which it can turn into anything.

        endpoint: the collector's base URL; `/v1/metrics` is added for HTTP where there is no path.
        protocol: `grpc` needs the extra `grpc`; its port is 4317 as a rule.
        headers: those of the standard variables, which belong to the destination that these name,
            are not sent here.
        durations: `exponential` sends latencies as an exponential histogram, of any resolution.

        Raises:
            ConfigError: the address is not one of a collector; the message says what is expected.
            MissingExtra: gRPC was asked for without its extra.
        """
        if protocol not in ("http/protobuf", "grpc"):
            raise ConfigError("protocol: expected 'http/protobuf' or 'grpc'")
        is_grpc = protocol == "grpc"
        if is_grpc and proxy is not None:
            raise ConfigError("proxy: over gRPC set the variable https_proxy, which it goes by")
        url = endpoints.collector_url(endpoint, is_grpc=is_grpc)
        trust = endpoints.trust_of(ca_file, client_certificate, client_key, proxy)
        connection = _Connection(url, trust, timeout_seconds, compression, is_grpc=is_grpc)
        told = backends.COLLECTOR._replace(durations=_durations(durations))
        return _exporter(told, connection, _fixed(credentials.header_secrets(headers)))

    @classmethod
    def prometheus(  # noqa: PLR0913 - what a user says once, each by its name
        cls,
        url: str = "http://localhost:9090",
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        durations: Durations = "explicit",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to Prometheus 3, started with `--web.enable-otlp-receiver`.

        url: its base URL. durations: `exponential` sends latencies as a native histogram.

        Raises:
            ConfigError: the URL is not one of its OTLP receiver.
        """
        trust = endpoints.trust_of(ca_file, client_certificate, client_key, proxy)
        found = endpoints.url_of(url, endpoints.PROMETHEUS)
        told = backends.PROMETHEUS._replace(durations=_durations(durations))
        connection = _Connection(found, trust, timeout_seconds, compression)
        return _exporter(told, connection, _fixed(credentials.header_secrets(headers)))

    @classmethod
    def mimir(  # noqa: PLR0913 - what a user says once, each by its name
        cls,
        url: str,
        *,
        tenant: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        durations: Durations = "explicit",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to Grafana Mimir, or to what stands before it.

        url: its base URL. tenant: sent as `X-Scope-OrgID`; not given, Mimir must run without
        tenants. durations: `exponential` sends latencies as a native histogram.

        Raises:
            ConfigError: the URL is not one of its OTLP receiver.
        """
        found = endpoints.url_of(url, endpoints.MIMIR)
        trust = endpoints.trust_of(ca_file, client_certificate, client_key, proxy)
        named = {} if tenant is None else {"X-Scope-OrgID": tenant}
        told = backends.MIMIR._replace(durations=_durations(durations))
        connection = _Connection(found, trust, timeout_seconds, compression)
        return _exporter(
            told, connection, _fixed(credentials.header_secrets({**(headers or {}), **named}))
        )

    @classmethod
    def grafana_cloud(  # noqa: PLR0913 - what a user says once, each by its name
        cls,
        url: str,
        *,
        instance: str | int,
        token: str | None = None,
        token_file: Path | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        durations: Durations = "explicit",
        ca_file: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to Grafana Cloud's OTLP gateway.

        url: the OTLP endpoint and instance: the instance id that the stack's page shows. token: of
        an access policy with the scope `metrics:write`; or token_file, read again when it changes;
        or the variable `GRAFANA_CLOUD_TOKEN`.

        Raises:
            ConfigError: the URL, the instance or the token is not what is expected.
        """
        found = endpoints.url_of(url, endpoints.GRAFANA_CLOUD)
        endpoints.private(found, "Otlp.grafana_cloud")
        if not str(instance).isdecimal():
            raise ConfigError("instance: expected the number that the stack's OTLP page shows")
        source = credentials.token_source(
            token,
            token_file,
            variable=credentials.GRAFANA_CLOUD_VARIABLE,
            check=credentials.plain_token,
        )
        trust = endpoints.trust_of(ca_file, None, None, proxy)
        told = backends.GRAFANA_CLOUD._replace(durations=_durations(durations))
        connection = _Connection(found, trust, timeout_seconds, compression)
        return _exporter(told, connection, credentials.basic_headers(source, str(instance), {}))

    @classmethod
    def dynatrace(  # noqa: PLR0913 - what a user says once, each by its name
        cls,
        url: str,
        *,
        token: str | None = None,
        token_file: Path | None = None,
        headers: Mapping[str, str] | None = None,
        ambiguous: Ambiguous = "advance",
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to Dynatrace: deltas, and a counter a bin in place of distributions.

        url: of the environment, `https://<id>.live.dynatrace.com`, or of an ActiveGate or a managed
            cluster, `https://<host>/e/<id>`.
        token: an access token with the scope `metrics.ingest`, or a platform token; or token_file,
            read again when it changes; or the variable `DYNATRACE_API_TOKEN`.
        ambiguous: what to do with a request that got no answer, for Dynatrace adds up what it gets
            twice. `advance`: it counts as taken, and as possibly lost. `keep`: it is sent again,
            and may count twice.

        Raises:
            ConfigError: the URL or the token is not what is expected; the message says what is.
        """
        if ambiguous not in ("advance", "keep"):
            raise ConfigError("ambiguous: expected 'advance' or 'keep'")
        found = endpoints.url_of(url, endpoints.DYNATRACE)
        endpoints.private(found, "Otlp.dynatrace")
        source = credentials.token_source(
            token,
            token_file,
            variable=credentials.DYNATRACE_VARIABLE,
            check=credentials.dynatrace_token,
        )
        trust = endpoints.trust_of(ca_file, client_certificate, client_key, proxy)
        told = backends.DYNATRACE._replace(ambiguous=ambiguous)
        connection = _Connection(found, trust, timeout_seconds, compression)
        more = credentials.header_secrets(headers)
        return _exporter(told, connection, credentials.dynatrace_headers(source, more))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> OtlpExporter | None:
        """The exporter that the standard `OTEL_EXPORTER_OTLP_*` variables describe, or None.

        Unlike the OpenTelemetry SDK it sends nothing to a default address: there is no exporter
        while neither `OTEL_EXPORTER_OTLP_ENDPOINT` nor its variant for metrics is set, nor with
        `OTEL_METRICS_EXPORTER=none`. What it sends are totals: for Dynatrace use `Otlp.dynatrace`.

        Raises:
            ConfigError: a variable makes no sense; the message names it.
        """
        told = otlp_from_environment(environ)
        if told is None:
            return None
        url = endpoints.without_secrets("OTEL_EXPORTER_OTLP_ENDPOINT", told.endpoint)
        trust = endpoints.trust_of(told.ca_file, told.client_certificate, told.client_key, None)
        connection = _Connection(
            url,
            trust,
            told.timeout_seconds or _TIMEOUT_SECONDS,
            told.compression or "gzip",
            is_grpc=told.protocol == "grpc",
            is_insecure=told.is_insecure,
        )
        return _exporter(backends.COLLECTOR, connection, _fixed(told.headers))


class _Connection(NamedTuple):
    """How requests get there."""

    url: str
    trust: Trust
    timeout_seconds: float
    compression: Compression
    is_grpc: bool = False
    is_insecure: bool = False


def _exporter(told: BackendProfile, to: _Connection, headers: Headers) -> OtlpExporter:
    if not to.timeout_seconds > 0:
        raise ConfigError("timeout_seconds: expected more than 0")
    if to.compression not in ("gzip", "none"):
        raise ConfigError("compression: expected 'gzip' or 'none'")
    if to.is_grpc:
        import_extra("grpc", extra="grpc")
    return OtlpExporter(told, Access(to.url, partial(_transport, to), headers))


def _transport(to: _Connection) -> Transport:
    is_gzip, seconds = to.compression == "gzip", to.timeout_seconds
    if not to.is_grpc:
        return HttpTransport(to.url, to.trust, timeout_seconds=seconds, is_gzip=is_gzip)
    has_scheme = "://" in to.url  # else OTEL_EXPORTER_OTLP_INSECURE decides
    is_plain = to.url.startswith("http://") if has_scheme else to.is_insecure
    return GrpcTransport(
        to.url, to.trust, timeout_seconds=seconds, is_gzip=is_gzip, is_plain=is_plain
    )


def _durations(durations: Durations) -> Durations:
    if durations not in ("explicit", "exponential"):
        raise ConfigError("durations: expected 'explicit' or 'exponential'")
    return durations


def _fixed(headers: Mapping[str, Secret]) -> Headers:
    return lambda: headers
