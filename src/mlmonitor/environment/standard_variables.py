"""The standard OpenTelemetry variables for OTLP and the process.

An invalid value is reported by a warning and ignored, so that it does not keep a service from
starting (`mlmonitor.environment.parsers` cites the rule).
"""

import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from mlmonitor.environment.parsers import (
    Warn,
    iterate_values,
    read_boolean,
    read_choice,
    read_text,
    read_timeout,
    warn_once,
)
from mlmonitor.secret import Secret

OtlpProtocol = Literal["http/protobuf", "grpc"]

_PREFIX = "OTEL_EXPORTER_OTLP_"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_GRPC_SCHEMES = ("http", "https", "dns", "unix", "unix-abstract", "ipv4", "ipv6", "vsock", "xds")
_EXPORTERS = ("otlp", "none", "prometheus", "console", "logging", "otlp/stdout")
_GRPC_PORT = 4317


class OtlpSettings(NamedTuple):
    """Where the standard OTLP variables send metrics, and how. An unset variable is None here.

    endpoint_variable: the name of the variable that gave the endpoint.
    """

    endpoint: str
    protocol: OtlpProtocol
    endpoint_variable: str = f"{_PREFIX}ENDPOINT"
    timeout_seconds: float | None = None
    headers: Mapping[str, Secret] = {}
    compression: Literal["gzip", "none"] | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    is_insecure: bool | None = None


def otlp_from_environment(
    environ: Mapping[str, str], warn: Warn = warn_once
) -> OtlpSettings | None:
    """Read the `OTEL_EXPORTER_OTLP_*` variables; None if no usable endpoint is set.

    The variables for metrics (`OTEL_EXPORTER_OTLP_METRICS_*`) override the general ones. For HTTP,
    `/v1/metrics` is appended to the general endpoint; the endpoint for metrics is used unchanged.
    `OTEL_EXPORTER_OTLP_TIMEOUT` is in milliseconds.

    Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter"
        (opentelemetry.io/docs/specs/otel/protocol/exporter) and "Environment Variable
        Specification", section "Timeout"; opentelemetry.io/docs/languages/sdk-configuration/
        otlp-exporter names the unit of the variable.
    """
    if not _is_otlp_selected(environ, warn):
        return None
    chosen = read_choice(
        environ, *_list_names("PROTOCOL"), choices=("http/protobuf", "grpc"), warn=warn
    )
    protocol = cast("OtlpProtocol", chosen or "http/protobuf")
    endpoint = _read_endpoint(environ, is_grpc=protocol == "grpc", warn=warn)
    if endpoint is None:
        return None
    compression = read_choice(
        environ, *_list_names("COMPRESSION"), choices=("gzip", "none"), warn=warn
    )
    return OtlpSettings(
        endpoint.url,
        protocol,
        endpoint.variable,
        read_timeout(environ, *_list_names("TIMEOUT"), warn=warn),
        _read_headers(environ, warn),
        cast("Literal['gzip', 'none'] | None", compression),
        read_text(environ, *_list_names("CERTIFICATE")) or None,
        read_text(environ, *_list_names("CLIENT_CERTIFICATE")) or None,
        read_text(environ, *_list_names("CLIENT_KEY")) or None,
        read_boolean(environ, *_list_names("INSECURE"), warn=warn),
    )


def resource_from_environment(
    environ: Mapping[str, str], *, service: str, warn: Warn = warn_once
) -> dict[str, str]:
    """Read `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; the name defaults to `service`.

    Keys and values are percent-decoded and otherwise sent unchanged. An item that is not a pair of
    a key and a value is ignored with a warning, as in the OpenTelemetry SDK.
    """
    attributes = {"service.name": service}
    for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, is_pair, value = item.partition("=")
        if is_pair and key.strip():
            attributes[unquote(key.strip())] = unquote(value.strip())
        elif item.strip():
            warn("OTEL_RESOURCE_ATTRIBUTES: an item is ignored: expected key=value,key2=value2")
    name = environ.get("OTEL_SERVICE_NAME", "").strip()
    return attributes | {"service.name": name} if name else attributes


def token_from_environment(name: str) -> Secret | None:
    """Return the token in the variable of that name, or None if it is unset or empty."""
    value = os.environ.get(name, "").strip()
    return Secret(value) if value else None


class _Endpoint(NamedTuple):
    variable: str
    url: str


def _list_names(name: str) -> tuple[str, str]:
    return f"{_PREFIX}METRICS_{name}", f"{_PREFIX}{name}"


def _is_otlp_selected(environ: Mapping[str, str], warn: Warn) -> bool:
    words = [word.strip() for word in environ.get("OTEL_METRICS_EXPORTER", "").split(",")]
    exporters = [word for word in words if word in _EXPORTERS]
    if len(exporters) < len([word for word in words if word]):
        warn(f"OTEL_METRICS_EXPORTER: a word is ignored: expected {' or '.join(_EXPORTERS)}")
    return not exporters or "otlp" in exporters


def _read_endpoint(environ: Mapping[str, str], *, is_grpc: bool, warn: Warn) -> _Endpoint | None:
    for name, value in iterate_values(environ, _list_names("ENDPOINT")):
        problem = _find_endpoint_problem(value, is_grpc=is_grpc)
        if problem:
            warn(f"{name} is ignored: {problem}")
            continue
        if not is_grpc and urlsplit(value).port == _GRPC_PORT:
            warn(
                f"{name}: {_GRPC_PORT} is the port of gRPC: expected port 4318, or "
                f"{_PREFIX}PROTOCOL=grpc"
            )
        is_general = name == f"{_PREFIX}ENDPOINT"
        return _Endpoint(name, _add_path(value) if is_general and not is_grpc else value)
    return None


def _find_endpoint_problem(value: str, *, is_grpc: bool) -> str:
    """Describe what is wrong with an endpoint; empty if it can be used."""
    try:
        parts = urlsplit(value)
        port = parts.port if parts.scheme in ("http", "https") else None
    except ValueError:
        return "expected a URL, scheme included"
    if parts.username or parts.password or (parts.query and parts.scheme in ("http", "https")):
        return f"pass credentials in {_PREFIX}HEADERS, not in the endpoint"
    is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    if is_grpc and not is_url:
        has_scheme = parts.scheme in _GRPC_SCHEMES[2:] or "://" not in value
        return "" if has_scheme and "@" not in value else "expected a URL or a target of gRPC"
    return "" if is_url else "expected a URL, scheme included"


def _add_path(url: str) -> str:
    return f"{url.rstrip('/')}/v1/metrics"


def _read_headers(environ: Mapping[str, str], warn: Warn) -> dict[str, Secret]:
    """Read headers given as `key=value,key2=value2`, whether percent-encoded or not."""
    for variable, value in iterate_values(environ, _list_names("HEADERS")):
        headers = {}
        for item in filter(str.strip, value.split(",")):
            name, is_pair, text = item.partition("=")
            if is_pair and _HEADER_NAME.fullmatch(unquote(name).strip()):
                headers[unquote(name).strip()] = Secret(unquote(text).strip())
            else:
                warn(f"{variable}: an item is ignored: expected key=value,key2=value2")
        return headers
    return {}
