"""Parse gRPC targets, and decide whether they stay on this machine."""

from typing import NamedTuple
from urllib.parse import urlsplit

from mlmonitor.export.transport.endpoints import is_loopback

_LOCAL_SCHEMES = ("unix", "unix-abstract", "vsock")


class GrpcTarget(NamedTuple):
    """The target of a channel, and whether it is reached without TLS."""

    address: str
    is_plain: bool


def parse_target(endpoint: str, *, is_insecure: bool | None) -> GrpcTarget:
    """Parse an endpoint as a target of gRPC.

    The scheme of a URL, `http` or `https` in upper or lower case, decides whether TLS is used.
    Other targets (`host:port`, `dns:///host:port`, `unix:///path`) are used unchanged, and
    `is_insecure` decides. If it is None, TLS is used unless the target is on this machine.

    Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter", Endpoint (OTLP/gRPC).
    """
    scheme, is_url, rest = endpoint.partition("://")
    if is_url and scheme.lower() in ("http", "https"):
        return GrpcTarget(urlsplit(endpoint).netloc, scheme.lower() == "http")
    if is_insecure is None:
        is_insecure = _is_local(endpoint)
    return GrpcTarget(f"{scheme.lower()}://{rest}" if is_url else endpoint, is_insecure)


def _is_local(target: str) -> bool:
    """Whether a target is on this machine."""
    scheme, has_scheme, rest = target.partition(":")
    if has_scheme and scheme.lower() in _LOCAL_SCHEMES:
        return True
    if has_scheme and scheme.lower() in ("dns", "ipv4", "ipv6"):
        target = rest.rpartition("/")[2]
    host = urlsplit(f"//{target}").hostname
    return is_loopback(host or "")
