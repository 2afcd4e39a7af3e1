"""What the standard OpenTelemetry variables say, and those that hold backends' tokens."""

import math
import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import unquote

from mlmonitor.errors import ConfigError
from mlmonitor.secret import Secret

_URL = re.compile(r"https?://[^/\s]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TRUE = ("true", "1", "yes", "on")


class OtlpSettings(NamedTuple):
    """Where the standard OTLP variables send metrics, and how. What they leave open is None."""

    endpoint: str
    protocol: Literal["http/protobuf", "grpc"]
    timeout_seconds: float | None = None
    headers: Mapping[str, Secret] = {}
    compression: Literal["gzip", "none"] | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    is_insecure: bool = False


def otlp_from_environment(environ: Mapping[str, str]) -> OtlpSettings | None:
    """What the `OTEL_EXPORTER_OTLP_*` variables say, those for metrics first; None where silent.

    The signal's own endpoint is used as it stands; the general one gets the signal's path, for
    HTTP (OpenTelemetry protocol specification, "Endpoint URLs for OTLP/HTTP").

    Raises:
        ConfigError: an endpoint is no URL, a protocol or compression is unknown, a timeout is no
            number, or a header has no name.
    """
    exporters = environ.get("OTEL_METRICS_EXPORTER", "").strip()
    own, general = _said(environ, "METRICS_ENDPOINT"), _said(environ, "ENDPOINT")
    is_wanted = not exporters or "otlp" in (name.strip() for name in exporters.split(","))
    if not is_wanted or not (own or general):
        return None
    protocol = _first(environ, "PROTOCOL")
    if protocol not in ("", "http/protobuf", "grpc"):
        raise ConfigError("OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf or grpc")
    is_grpc = protocol == "grpc"
    if not is_grpc and not _URL.match(own or general):
        name = "METRICS_ENDPOINT" if own else "ENDPOINT"
        raise ConfigError(f"OTEL_EXPORTER_OTLP_{name}: expected a URL, scheme included")
    return OtlpSettings(
        own or (general if is_grpc else f"{general.rstrip('/')}/v1/metrics"),
        "grpc" if is_grpc else "http/protobuf",
        _timeout(environ),
        _headers(_first(environ, "HEADERS")),
        _compression(environ),
        _first(environ, "CERTIFICATE") or None,
        _first(environ, "CLIENT_CERTIFICATE") or None,
        _first(environ, "CLIENT_KEY") or None,
        _first(environ, "INSECURE").lower() in _TRUE,
    )


def resource_from_environment(environ: Mapping[str, str], *, service: str) -> dict[str, str]:
    """What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say; else the name is `service`.

    What is no pair of a key and a value is passed over, as the OpenTelemetry SDK does.
    """
    found = {"service.name": service}
    for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, is_pair, value = item.partition("=")
        if is_pair and key.strip():
            found[key.strip()] = unquote(value.strip())
    name = environ.get("OTEL_SERVICE_NAME", "").strip()
    return found | {"service.name": name} if name else found


def token_from_environment(name: str) -> Secret | None:
    """The token in the variable of that name, if there is one."""
    told = os.environ.get(name, "").strip()
    return Secret(told) if told else None


def _timeout(environ: Mapping[str, str]) -> float | None:
    text = _first(environ, "TIMEOUT")
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not 0 < seconds < math.inf:
        raise ConfigError("OTEL_EXPORTER_OTLP_TIMEOUT: expected seconds, more than 0")
    return seconds


def _compression(environ: Mapping[str, str]) -> Literal["gzip", "none"] | None:
    told = _first(environ, "COMPRESSION").lower()
    if told == "gzip":
        return "gzip"
    if told == "none":
        return "none"
    if told:
        raise ConfigError("OTEL_EXPORTER_OTLP_COMPRESSION: expected gzip or none")
    return None


def _headers(told: str) -> dict[str, Secret]:
    """Headers as `key=value,key2=value2`, percent-encoded or, as most write them, not."""
    found = {}
    for item in told.split(","):
        if not item.strip():
            continue
        name, is_pair, value = item.partition("=")
        if not is_pair or not _HEADER_NAME.fullmatch(unquote(name).strip()):
            raise ConfigError("OTEL_EXPORTER_OTLP_HEADERS: expected key=value,key2=value2")
        found[unquote(name).strip()] = Secret(unquote(value).strip())
    return found


def _first(environ: Mapping[str, str], name: str) -> str:
    """What is said for metrics, else what is said for all signals."""
    return _said(environ, f"METRICS_{name}") or _said(environ, name)


def _said(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()
