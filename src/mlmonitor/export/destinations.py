"""OTLP exporters for each kind of destination, with the settings that the destination needs."""

from collections.abc import Mapping
from importlib.util import find_spec

from mlmonitor.environment.parsers import Warn, warn_once
from mlmonitor.environment.standard_variables import OtlpProtocol, otlp_from_environment
from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.export.otlp import backends
from mlmonitor.export.otlp.backends import Ambiguous, Durations
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.transport import credentials, endpoints
from mlmonitor.export.transport.connection import (
    Compression,
    Connection,
    make_exporter,
    read_connection,
)
from mlmonitor.export.transport.credentials import Headers, Path
from mlmonitor.secret import Secret

_TIMEOUT_SECONDS = 5.0


class Otlp:
    """Makes OTLP exporters, one class method per kind of destination.

    Each method chooses the settings that its backend needs: totals or deltas, the form of
    distributions, and the size of a request. Several exporters may be used at once; a failure of
    one does not affect the others.

    Common arguments: `headers` are sent with each request and never shown. `timeout_seconds` limits
    one request including its answer. `compression` is `gzip` or `none`. `ca_file` verifies the
    server's certificate, `client_certificate` and `client_key` identify us to it; `proxy` is a URL.
    If certificates or the proxy are not given, the standard environment variables apply.
    """

    @classmethod
    def collector(  # noqa: PLR0913 - options that a user sets once, by name
        cls,
        endpoint: str = "http://localhost:4318",
        *,
        protocol: OtlpProtocol = "http/protobuf",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        durations: Durations = "explicit",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
        insecure: bool | None = None,
    ) -> OtlpExporter:
        """An exporter to an OpenTelemetry collector, which receives totals.

        endpoint: the collector's base URL; `/v1/metrics` is added for HTTP if it is missing. With
            gRPC, a target such as `dns:///host:4317` or `unix:///path` is accepted too.
        protocol: `grpc` needs the extra `grpc`; its port is usually 4317.
        headers: sent with each request. `OTEL_EXPORTER_OTLP_HEADERS` is not read: its headers are
            meant for the endpoint of `OTEL_EXPORTER_OTLP_ENDPOINT`.
        durations: `exponential` sends latencies as an exponential histogram, not in fixed buckets.
        insecure: whether a gRPC target without `http://` or `https://` is reached without TLS; by
            default only if the target is on this machine.

        Raises:
            ConfigError: the endpoint is not a valid address of a collector; the message shows one.
            MissingExtra: gRPC was requested without its extra.
        """
        if protocol not in ("http/protobuf", "grpc"):
            raise ConfigError("protocol: expected 'http/protobuf' or 'grpc'")
        is_grpc = protocol == "grpc"
        if is_grpc and proxy is not None:
            raise ConfigError("proxy: for gRPC set the variable https_proxy, which it reads")
        url = endpoints.build_collector_url(endpoint, is_grpc=is_grpc)
        trust = endpoints.build_trust(ca_file, client_certificate, client_key, proxy)
        connection = Connection(
            url, trust, timeout_seconds, compression, is_grpc=is_grpc, is_insecure=insecure
        )
        if is_grpc:
            import_extra("grpc", extra="grpc")
        profile = backends.COLLECTOR._replace(durations=_check_durations(durations))
        return make_exporter(profile, connection, _fix(credentials.header_secrets(headers)))

    @classmethod
    def prometheus(  # noqa: PLR0913 - options that a user sets once, by name
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

        url: the base URL of Prometheus. durations: `exponential` sends latencies as a native
        histogram.

        Raises:
            ConfigError: the URL has an invalid form; the message shows a valid one.
        """
        trust = endpoints.build_trust(ca_file, client_certificate, client_key, proxy)
        address = endpoints.build_url(url, endpoints.PROMETHEUS)
        profile = backends.PROMETHEUS._replace(durations=_check_durations(durations))
        connection = Connection(address, trust, timeout_seconds, compression)
        return make_exporter(profile, connection, _fix(credentials.header_secrets(headers)))

    @classmethod
    def mimir(  # noqa: PLR0913 - options that a user sets once, by name
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
        """An exporter to Grafana Mimir, or to a gateway in front of it.

        url: the base URL of Mimir. tenant: sent as `X-Scope-OrgID`; leave it out if Mimir runs
        without multi-tenancy. durations: `exponential` sends latencies as a native histogram.

        Raises:
            ConfigError: the URL has an invalid form; the message shows a valid one.
        """
        address = endpoints.build_url(url, endpoints.MIMIR)
        trust = endpoints.build_trust(ca_file, client_certificate, client_key, proxy)
        more = {} if tenant is None else {"X-Scope-OrgID": tenant}
        profile = backends.MIMIR._replace(durations=_check_durations(durations))
        connection = Connection(address, trust, timeout_seconds, compression)
        return make_exporter(
            profile, connection, _fix(credentials.header_secrets({**(headers or {}), **more}))
        )

    @classmethod
    def grafana_cloud(  # noqa: PLR0913 - options that a user sets once, by name
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

        url and instance: the OTLP endpoint and the instance id that the stack's page shows. token:
        a token of an access policy with the scope `metrics:write`. It may also be in a token_file,
        which is read again when it changes, or in the variable `GRAFANA_CLOUD_TOKEN`.

        Raises:
            ConfigError: the URL, the instance or the token has an invalid form.
        """
        address = endpoints.build_url(url, endpoints.GRAFANA_CLOUD)
        endpoints.refuse_plain_http(address, "Otlp.grafana_cloud")
        if not str(instance).isdecimal():
            raise ConfigError("instance: expected the number that the stack's OTLP page shows")
        source = credentials.find_token_source(
            token,
            token_file,
            variable=credentials.GRAFANA_CLOUD_VARIABLE,
            check=credentials.check_plain_token,
        )
        trust = endpoints.build_trust(ca_file, None, None, proxy)
        profile = backends.GRAFANA_CLOUD._replace(durations=_check_durations(durations))
        connection = Connection(address, trust, timeout_seconds, compression)
        return make_exporter(
            profile, connection, credentials.basic_headers(source, str(instance), {})
        )

    @classmethod
    def dynatrace(  # noqa: PLR0913 - options that a user sets once, by name
        cls,
        url: str,
        *,
        token: str | None = None,
        token_file: Path | None = None,
        headers: Mapping[str, str] | None = None,
        ambiguous: Ambiguous = "keep",
        timeout_seconds: float = _TIMEOUT_SECONDS,
        compression: Compression = "gzip",
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
    ) -> OtlpExporter:
        """An exporter to Dynatrace: deltas, and a counter per bin instead of distributions.

        url: the URL of the environment, `https://<id>.live.dynatrace.com`, or of an ActiveGate or
            a managed cluster, `https://<host>/e/<id>`.
        token: an access token with the scope `metrics.ingest`, or a platform token. It may also be
            in a token_file, which is read again when it changes, or in the variable
            `DYNATRACE_API_TOKEN`.
        ambiguous: what to do if a request got no answer, because Dynatrace counts a repeated delta
            twice. `keep` sends it again, as OTLP specifies: it arrives at least once, and counts
            as `possibly_doubled`. `advance` does not: it arrives at most once, and counts as
            `possibly_lost`.

        Raises:
            ConfigError: the URL or the token has an invalid form; the message shows a valid one.
        """
        if ambiguous not in ("advance", "keep"):
            raise ConfigError("ambiguous: expected 'advance' or 'keep'")
        address = endpoints.build_url(url, endpoints.DYNATRACE)
        endpoints.refuse_plain_http(address, "Otlp.dynatrace")
        source = credentials.find_token_source(
            token,
            token_file,
            variable=credentials.DYNATRACE_VARIABLE,
            check=credentials.check_dynatrace_token,
        )
        trust = endpoints.build_trust(ca_file, client_certificate, client_key, proxy)
        profile = backends.DYNATRACE._replace(ambiguous=ambiguous)
        connection = Connection(address, trust, timeout_seconds, compression)
        more = credentials.header_secrets(headers)
        return make_exporter(profile, connection, credentials.dynatrace_headers(source, more))

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, warn: Warn = warn_once
    ) -> OtlpExporter | None:
        """The exporter that the standard `OTEL_EXPORTER_OTLP_*` variables describe, or None.

        Unlike the OpenTelemetry SDK, it does not send to a default address: there is no exporter if
        neither `OTEL_EXPORTER_OTLP_ENDPOINT` nor its variant for metrics is set, or if
        `OTEL_METRICS_EXPORTER` is `none`. It sends totals; for Dynatrace use `Otlp.dynatrace`.
        Timeout (in milliseconds, 10000 by default) and compression (none by default) follow the
        specification. Nothing is raised: an invalid variable is ignored, and `warn` is called with
        a sentence about it. If a file, header or extra is missing, the export fails, and
        `monitor.status()` shows the reason.
        """
        settings = otlp_from_environment(environ, warn)
        if settings is None:
            return None
        if settings.protocol == "grpc" and find_spec("grpc") is None:
            warn("OTEL_EXPORTER_OTLP_PROTOCOL: grpc needs pip install 'mlmonitor-sdk[grpc]'")
        variable = "OTEL_EXPORTER_OTLP_HEADERS"
        headers = credentials.headers_from_environment(variable, settings.headers)
        return make_exporter(backends.COLLECTOR, read_connection(settings), headers)


def _check_durations(durations: Durations) -> Durations:
    if durations not in ("explicit", "exponential"):
        raise ConfigError("durations: expected 'explicit' or 'exponential'")
    return durations


def _fix(headers: Mapping[str, Secret]) -> Headers:
    return lambda: headers
