"""OTLP over HTTP: one request, one answer, one deadline for all of it."""

import gzip
import io
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from mlmonitor.export.otlp.response import Answer, http_answer
from mlmonitor.gil import yield_gil
from mlmonitor.secret import Secret

if TYPE_CHECKING:
    from http.client import HTTPResponse

_READ_BYTES = 64 * 1024  # of an answer; more is not read
_REDIRECTS = 3
_KEEPS_BODY = (307, 308)  # redirects that keep the method and the body
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Trust(NamedTuple):
    """What a connection is checked with, and how it gets there; not given: as `requests` has it."""

    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    proxy: Secret | None = None


class Deadline:
    """When a request has to be over, by the monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = 0.0

    def begin(self, seconds: float) -> None:
        """Set it so many seconds from now."""
        self._at = self._clock() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, and never quite none: a socket takes none for for ever."""
        return max(self._at - self._clock(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self._clock() >= self._at


class HttpTransport:
    """Posts requests to one URL, and reads the answers; never raises for what a server does.

    Promise: an answer comes within `timeout_seconds`, a slow name server aside. Nothing is sent to
        another host than that of the URL. No span and no metric of the host's own instrumentation
        is made for it, and `.netrc` is not asked. Connections are not kept between exports: one
        that has died in the meantime would make it unsure whether a request was taken.
    """

    def __init__(self, url: str, trust: Trust, *, timeout_seconds: float, is_gzip: bool) -> None:
        self._url, self._trust = url, trust
        self._timeout_seconds, self._is_gzip = timeout_seconds, is_gzip
        self._deadline = Deadline()
        self._session: Any = None

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request. `now` is the time in seconds since 1970."""
        import requests
        from requests import exceptions as http

        if self._session is None:
            self._session = self._open()
        self._deadline.begin(self._timeout_seconds)
        sent: dict[str, str] = {"Content-Type": "application/x-protobuf", **headers}
        if self._is_gzip:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            sent["Content-Encoding"] = "gzip"
        yield_gil()  # what follows is a millisecond that nobody can interrupt
        secrets = list(headers.values())
        try:
            response = self._follow(body, sent)
        except (http.ConnectTimeout, http.ProxyError, http.SSLError) as error:
            return Answer("unreached", 0, _reason(error))
        except http.ConnectionError as error:
            return Answer("unreached" if _never_arrived(error) else "unsure", 0, _reason(error))
        except requests.RequestException as error:
            return Answer("unsure", 0, _reason(error))
        with response:
            told = {name.lower(): value for name, value in response.headers.items()}
            content = self._content(response)
            return http_answer(
                response.status_code, told, content, secrets=secrets, now_unix_seconds=now
            )

    def rest(self) -> None:
        """Close connections until the next export."""
        if self._session is not None:
            self._session.close()

    close = rest

    def _follow(self, body: bytes, headers: dict[str, str]) -> Any:
        """The answer, after redirects within the same origin."""
        url, redirects = self._url, 0
        while True:
            left = self._deadline.left
            response = self._session.post(
                url,
                data=body,
                headers=headers,
                timeout=(left, left),
                allow_redirects=False,
                stream=True,
            )
            url = urljoin(url, response.headers.get("location", ""))
            is_ours = response.status_code in _KEEPS_BODY and _origin(url) == _origin(self._url)
            if redirects == _REDIRECTS or not is_ours:
                return response
            response.close()
            redirects += 1

    def _content(self, response: Any) -> bytes:
        """The body as far as it comes in time; the status is what counts."""
        found = io.BytesIO()
        try:
            for chunk in response.iter_content(8 * 1024):
                found.write(chunk)
                if found.tell() >= _READ_BYTES or self._deadline.is_over:
                    break
        except Exception:  # noqa: BLE001 - dropped half-way, too slow, or not what it says it is
            return b""
        return found.getvalue()

    def _open(self) -> Any:
        import requests

        session = requests.Session()
        session.auth = _as_it_is
        session.headers["User-Agent"] = "mlmonitor"
        adapter = _adapter(self._deadline)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        trust = self._trust
        # The environment's proxies and certificates, once: asking takes half a millisecond. Never
        # again from then on: REQUESTS_CA_BUNDLE would outrank what a session says.
        known = session.merge_environment_settings(self._url, {}, None, trust.ca_file, None)
        session.trust_env = False
        session.proxies, session.verify = known["proxies"], known["verify"]
        if trust.client_certificate is not None:
            key = trust.client_key
            pair = trust.client_certificate if key is None else (trust.client_certificate, key)
            session.cert = pair
        if trust.proxy is not None:
            session.proxies = dict.fromkeys(("http", "https"), trust.proxy.revealed())
        return session


def _as_it_is(request: Any) -> Any:
    """Keeps `requests` from looking for credentials in `.netrc` and sending those instead."""
    return request


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _never_arrived(error: BaseException) -> bool:
    """Whether the connection was not even made: refused, no route, no such name."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError)


def _reason(error: BaseException) -> str:
    """What went wrong, in our words: theirs repeat headers and addresses."""
    from requests import exceptions as http

    if isinstance(error, http.SSLError) and _is_plain(error):
        return (
            "it speaks plain http at this port: give an http:// URL, or the port that speaks https"
        )
    if isinstance(error, http.SSLError):
        return "its certificate is not trusted; pass ca_file, or use https where it is spoken"
    if isinstance(error, http.ProxyError):
        return "the proxy cannot be reached or does not let us through"
    if isinstance(error, http.Timeout):
        return "no answer in time"
    if isinstance(error, http.ConnectionError) and _never_arrived(error):
        return _unreached(error)
    return f"the connection broke ({type(error).__name__})"


def _is_plain(error: BaseException) -> bool:
    """Whether what answered was no TLS at all."""
    words = str(error).lower().replace("_", " ")
    return "wrong version number" in words or "record layer failure" in words


def _unreached(error: BaseException) -> str:
    """Which way a connection could not be made; only the words of the system tell."""
    words = str(error)
    if any(sign in words for sign in ("NameResolution", "getaddrinfo", "resolve")):
        return "cannot be reached; no host of this name is known"
    if "refused" in words.lower():
        return "cannot be reached; it refused the connection"
    return "cannot be reached; is it up, and is this its address?"


def _adapter(deadline: Deadline) -> Any:
    """An adapter of `requests` whose answers keep to a deadline, and which never tries again."""
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    pools = {}
    for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool)):
        timed = _response_class(deadline)
        connection = type("Connection", (pool.ConnectionCls,), {"response_class": timed})
        pools[scheme] = type("Pool", (pool,), {"ConnectionCls": connection})

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*args, **options)
            manager.pool_classes_by_scheme = pools
            return manager

    return Adapter(max_retries=0)


def _response_class(deadline: Deadline) -> "type[HTTPResponse]":
    from http.client import HTTPResponse

    class Response(HTTPResponse):
        """Its reads get what is left until the deadline: each alone could take the timeout."""

        def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp: Any = io.BufferedReader(_Timed(self.fp.detach(), sock, deadline))

    return Response


class _Timed(io.RawIOBase):
    """A socket's file, read until the deadline and no longer."""

    def __init__(self, raw: Any, sock: Any, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._deadline.is_over:
            raise TimeoutError("no answer in time")
        self._sock.settimeout(self._deadline.left)
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()
