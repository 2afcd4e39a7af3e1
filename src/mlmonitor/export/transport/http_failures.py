"""Describe why an HTTP request got no answer, without quoting exceptions that hold secrets."""

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mlmonitor.export.otlp.response import Answer

_GRPC_PORT = 4317
_VARIABLES = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
_BROKEN_OFF = "the TLS handshake was aborted; does it speak https at this port?"
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")


class Route(NamedTuple):
    """The route of a request: its URL, the description of the proxy, and the proxy's secret URL."""

    url: str
    proxy: str = ""
    proxy_url: str = ""


def describe_proxy(proxy: str | None, *, is_given: bool) -> str:
    """Describe where the proxy was set, and its address without credentials; empty if none was."""
    if not proxy:
        return ""
    source = "given as proxy=" if is_given else f"of {_VARIABLES}"
    address = re.sub(r"^.*@", "", proxy.partition("://")[2] or proxy)
    scheme = proxy.partition("://")[0] if "://" in proxy else "http"
    return f"the proxy {scheme}://{address.partition('/')[0][:100]} ({source})"


def classify_failure(error: BaseException, *, was_sent: bool, route: Route) -> Answer:
    """Convert the exception of a request without an answer to an `Answer`.

    was_sent: whether any byte of the request was sent. If so, the destination may have stored it,
    unless it ended the connection with a TLS alert.
    """
    from requests import exceptions as http

    if not was_sent or (isinstance(error, http.SSLError) and not _is_end_of_file(error)):
        return Answer("unreached", 0, f"{_describe_unreached(error, route)}; nothing was sent")
    if isinstance(error, http.Timeout) or _has_cause(error, TimeoutError):
        return Answer("timed_out", 0, "no answer in time")
    hint = ""
    if urlsplit(route.url).port == _GRPC_PORT:
        hint = (
            f"; {_GRPC_PORT} is the port of gRPC: use port 4318, or the protocol grpc "
            "(OTEL_EXPORTER_OTLP_PROTOCOL=grpc)"
        )
    return Answer("closed", 0, f"the connection was closed without an answer{hint}")


def _describe_unreached(error: BaseException, route: Route) -> str:
    from requests import exceptions as http

    if route.proxy:
        reason = _describe_proxy_failure(error, route)
        if reason:
            return reason
    if isinstance(error, http.SSLError):
        return _describe_tls(error)
    if isinstance(error, UnicodeError):
        return "headers: expected ASCII characters"
    is_https = route.url.lower().startswith("https")
    if isinstance(error, http.ConnectTimeout) or _is_unconnected(error):
        return _describe_address(error)
    if is_https and (isinstance(error, http.Timeout) or _has_cause(error, TimeoutError)):
        return "the TLS handshake did not end in time"
    return _BROKEN_OFF if is_https else f"cannot be reached ({type(error).__name__})"


def _describe_proxy_failure(error: BaseException, route: Route) -> str:
    """Describe a failure of the proxy; empty if the request failed beyond the proxy."""
    from requests import exceptions as http

    is_socks = route.proxy_url.partition("://")[0].lower() in _SOCKS
    if is_socks and isinstance(error, http.InvalidSchema):
        return f"{route.proxy} needs PySocks: pip install 'requests[socks]'"
    if isinstance(error, (http.InvalidProxyURL, http.InvalidURL, http.InvalidSchema, ValueError)):
        return f"{route.proxy} is not usable: expected a URL such as http://proxy:3128"
    refusal = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    if refusal:
        return f"{route.proxy} refused a connection to the destination (status {refusal[1]})"
    if isinstance(error, http.Timeout) or _has_cause(error, TimeoutError):
        return f"{route.proxy} gave no connection to the destination in time"
    if isinstance(error, http.SSLError) and not is_socks:
        return ""
    return f"{route.proxy} cannot be reached or refuses the connection"


def _describe_tls(error: BaseException) -> str:
    if _has_words(error, "could not find", "PEM", "X509", "no such file"):
        return "a certificate file cannot be used: check ca_file, or the client's files"
    words = str(error).lower().replace("_", " ")
    if "wrong version number" in words or "record layer failure" in words:
        return (
            "it speaks plain http at this port: give an http:// URL, or the port that speaks https"
        )
    if _is_end_of_file(error) or "reset" in words:
        return _BROKEN_OFF
    if "alert" in words:
        return "it ended the TLS connection: does it expect client_certificate and client_key?"
    return "its certificate is not trusted; pass ca_file, or give a URL that matches it"


def _describe_address(error: BaseException) -> str:
    """Describe why no connection could be opened, by the operating system's error."""
    from requests.exceptions import ConnectTimeout

    words = str(error)
    if isinstance(error, ConnectTimeout):
        return "cannot be reached; no connection in time"
    if any(sign in words for sign in ("NameResolution", "getaddrinfo", "resolve")):
        return "cannot be reached; no host of this name is known"
    if "refused" in words.lower():
        return "cannot be reached; it refused the connection"
    return "cannot be reached; is it up, and is this its address?"


def _is_end_of_file(error: BaseException) -> bool:
    return _has_words(error, "EOF occurred", "UNEXPECTED_EOF")


def _has_words(error: BaseException, *signs: str) -> bool:
    return any(sign.lower() in str(error).lower() for sign in signs)


def _is_unconnected(error: BaseException) -> bool:
    """Whether no connection could be opened: refused, no route, or an unknown name."""
    from urllib3.exceptions import NewConnectionError

    return _has_cause(error, NewConnectionError)


def _has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error of `requests` was caused by an error of this kind."""
    pending: list[Any] = [error]
    seen: list[Any] = []
    while pending:
        current = pending.pop()
        if isinstance(current, kind):
            return True
        if isinstance(current, BaseException) and not any(current is other for other in seen):
            seen.append(current)
            pending += [*current.args, getattr(current, "reason", None), current.__cause__]
            pending.append(current.__context__)
    return False
