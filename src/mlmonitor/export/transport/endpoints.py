"""Check addresses of destinations; errors show a valid example and never a secret."""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from mlmonitor.errors import ConfigError
from mlmonitor.export.transport.http import Trust
from mlmonitor.secret import Secret

SIGNAL_PATH = "/v1/metrics"
_GRPC_PORT = 4317
_GRPC_TARGET = re.compile(
    r"(unix|unix-abstract|vsock|ipv4|ipv6|dns|xds):[^@\s]+|(?!https?:)[^@/\s]+:\d+", re.IGNORECASE
)


class Place(NamedTuple):
    """The OTLP address of one kind of backend.

    path: the path of its OTLP receiver, including `/v1/metrics`. wrong: patterns of URLs of other
    parts of the same backend, each with a description of what is expected instead.
    """

    option: str
    example: str
    path: str
    wrong: tuple[tuple[str, str], ...] = ()


PROMETHEUS = Place(
    "Otlp.prometheus",
    "http://prometheus:9090",
    "/api/v1/otlp/v1/metrics",
    (
        (r"(?<!/v1)/metrics/?$", "that page is scraped: give the server's base URL alone"),
        (r"/api/v1/(write|push|query)", "that is not the OTLP receiver: give the base URL alone"),
        (r":4317\b", "Prometheus accepts OTLP over HTTP, on the port of its pages: usually 9090"),
    ),
)
MIMIR = Place(
    "Otlp.mimir",
    "http://mimir:9009",
    "/otlp/v1/metrics",
    (
        (r"(?<!/v1)/metrics/?$", "that page is scraped: give the server's base URL alone"),
        (r"/api/v1/(push|write)", "that accepts remote write: give the base URL alone"),
        (r"/prometheus(/|$)", "that is where queries go: give the base URL alone"),
        (r":(4317|9095)\b", "Mimir accepts OTLP over HTTP, on its HTTP port"),
    ),
)
GRAFANA_CLOUD = Place(
    "Otlp.grafana_cloud",
    "https://otlp-gateway-prod-eu-west-2.grafana.net/otlp",
    "/otlp/v1/metrics",
    (
        (
            r"/api/prom",
            "that accepts remote write: give the OTLP endpoint that the stack's page shows",
        ),
        (r":4317\b", "the gateway accepts OTLP over HTTP: leave the port out"),
    ),
)
DYNATRACE = Place(
    "Otlp.dynatrace",
    "https://abc12345.live.dynatrace.com",
    "/api/v2/otlp/v1/metrics",
    (
        (r"\.apps\.dynatrace", "the pages are there, not the API: write .live. instead of .apps."),
        (
            r":(4317|4318)\b",
            "Dynatrace accepts no gRPC, and OTLP on its own port: leave the port out",
        ),
        (r"/metrics/ingest", "that accepts the line protocol: give the environment's URL alone"),
        (r"/v1/(traces|logs)", "that accepts another signal: give the environment's URL alone"),
    ),
)


def build_url(url: str, place: Place) -> str:
    """Build the URL of a backend's OTLP receiver, with its path added if it is missing.

    Raises:
        ConfigError: it is not a URL, belongs to another service, or contains credentials.
    """
    parts = _split(url, place.option, place.example)
    for pattern, fix in place.wrong:
        if re.search(pattern, f"{parts.netloc}{parts.path}"):
            raise ConfigError(f"{place.option}: {fix}, such as {place.example}")
    path = parts.path.rstrip("/")
    if path.endswith(place.path):
        return parts._replace(path=path).geturl()
    base = place.path.removesuffix(SIGNAL_PATH)
    if path.endswith(SIGNAL_PATH):
        raise ConfigError(
            f"{place.option}: expected a path that ends in {place.path}, or the base URL alone"
        )
    more = SIGNAL_PATH if path.endswith(base) else place.path
    return parts._replace(path=path + more).geturl()


def build_collector_url(endpoint: str, *, is_grpc: bool) -> str:
    """Build the endpoint of a collector; for HTTP, `/v1/metrics` is added if it is missing."""
    if is_grpc and _GRPC_TARGET.match(endpoint):
        return endpoint
    parts = _split(endpoint, "Otlp.collector", "http://localhost:4318")
    if is_grpc:
        return endpoint
    if parts.port == _GRPC_PORT:
        raise ConfigError(
            "Otlp.collector: 4317 is the port of gRPC: expected 4318, where a collector accepts "
            'HTTP, or protocol="grpc"'
        )
    path = parts.path.rstrip("/")
    if path.endswith(SIGNAL_PATH):
        return endpoint
    return parts._replace(path=f"{path}{SIGNAL_PATH}").geturl()


def refuse_secrets(source: str, endpoint: str) -> None:
    """Raise ConfigError if parts of an endpoint may be secret: endpoints are shown and logged."""
    parts = urlsplit(endpoint)
    if parts.username or parts.password or parts.query:
        raise ConfigError(f"{source}: pass credentials in headers, not in the endpoint")


def refuse_plain_http(url: str, option: str) -> None:
    """Refuse to send a token unencrypted, except to this machine.

    Raises:
        ConfigError: the URL does not use https.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"{option}: expected https, because a token is sent with every request")


def build_trust(
    ca_file: str | os.PathLike[str] | None,
    client_certificate: str | os.PathLike[str] | None,
    client_key: str | os.PathLike[str] | None,
    proxy: str | None,
) -> Trust:
    """Check certificate files and the proxy; raise ConfigError for an unusable one."""
    ca, certificate, key = (
        _check_file(option, path)
        for option, path in (
            ("ca_file", ca_file),
            ("client_certificate", client_certificate),
            ("client_key", client_key),
        )
    )
    if client_key is not None and client_certificate is None:
        raise ConfigError("client_key: expected together with client_certificate")
    if proxy is not None and not _is_proxy(proxy):
        raise ConfigError("proxy: expected a URL such as http://proxy:3128, scheme included")
    return Trust(ca, certificate, key, None if proxy is None else Secret(proxy))


def _is_proxy(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        port = parts.port
    except ValueError:
        return False
    is_scheme = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
    return is_scheme and bool(parts.hostname) and port != 0 and not re.search(r"\s", proxy)


def _check_file(option: str, path: str | os.PathLike[str] | None) -> str | None:
    if path is not None and not Path(path).is_file():
        raise ConfigError(f"{option}: there is no file {path}")
    return None if path is None else os.fspath(path)


def _split(url: str, option: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{option}: expected a URL such as {example}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"{option}: expected a URL such as {example}, scheme included")
    refuse_secrets(option, url)
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
