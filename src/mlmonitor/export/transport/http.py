"""OTLP over HTTP: one request, one answer, one deadline for all of it."""

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from mlmonitor.export.otlp.response import Answer, read_answer
from mlmonitor.export.transport.http_adapter import Progress, make_adapter
from mlmonitor.export.transport.http_failures import Route, classify_failure, describe_proxy
from mlmonitor.gil import yield_gil
from mlmonitor.secret import Secret

_READ_BYTES = 64 * 1024  # the maximum that is read of an answer
_REDIRECTS = 3
_KEEPS_BODY = (307, 308)  # redirects that keep the method and the body
_DEFAULT_PORTS = {"http": 80, "https": 443}
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Trust(NamedTuple):
    """Certificate files and proxy of a connection; by default those of `requests`."""

    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    proxy: Secret | None = None


class HttpTransport:
    """Posts requests to one URL and reads the answers; a server's failure is not raised.

    Promise: `post` returns within `timeout_seconds`, unless DNS is slow. Nothing is sent to a host
        other than that of the URL. The application's own instrumentation records no span or metric
        of the request, and `.netrc` is not read. Connections are closed after each export: if an
        idle one had died, it would be unknown whether a request was stored.
    """

    def __init__(self, url: str, trust: Trust, *, timeout_seconds: float, is_gzip: bool) -> None:
        self._url, self._trust = url, trust
        self._timeout_seconds, self._is_gzip = timeout_seconds, is_gzip
        self._progress = Progress()
        self._session: Any = None

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request and read its answer; `now` is in seconds since 1970."""
        from requests import RequestException

        if self._session is None:
            self._session = self._open()
        missing = self._find_missing_file()
        if missing:
            return Answer("unreached", 0, missing)
        self._progress.begin(self._timeout_seconds)
        sent: dict[str, str] = {"Content-Type": "application/x-protobuf", **headers}
        if self._is_gzip:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            sent["Content-Encoding"] = "gzip"
        yield_gil()  # encoding and sending hold the GIL for about a millisecond
        try:
            response = self._follow(body, sent)
        except (RequestException, OSError, ValueError) as error:
            return classify_failure(error, was_sent=self._progress.was_sent, route=self._route())
        with response:
            names = {name.lower(): value for name, value in response.headers.items()}
            content = self._read(response)
            secrets = list(headers.values())
            return read_answer(
                response.status_code, names, content, secrets=secrets, now_unix_seconds=now
            )

    def limit(self, seconds: float) -> None:
        """Wait at most this long for each later answer."""
        self._timeout_seconds = min(self._timeout_seconds, seconds)

    def rest(self) -> None:
        """Close connections until the next export."""
        if self._session is not None:
            self._session.close()

    close = rest

    def _follow(self, body: bytes, headers: dict[str, str]) -> Any:
        """Post, and follow redirects within the same origin."""
        url, redirects = self._url, 0
        while True:
            left = self._progress.left
            response = self._session.post(
                url,
                data=body,
                headers=headers,
                timeout=(left, left),
                allow_redirects=False,
                stream=True,
            )
            url = urljoin(url, response.headers.get("location", ""))
            is_ours = response.status_code in _KEEPS_BODY and _find_origin(url) == _find_origin(
                self._url
            )
            if redirects == _REDIRECTS or not is_ours:
                return response
            response.close()
            self._progress.was_sent = False  # a redirect stored nothing
            redirects += 1

    def _read(self, response: Any) -> bytes:
        """Read as much of the body as arrives in time; the status decides the outcome."""
        content = io.BytesIO()
        try:
            for chunk in response.iter_content(8 * 1024):
                content.write(chunk)
                if content.tell() >= _READ_BYTES or self._progress.is_over:
                    break
        except Exception:  # noqa: BLE001 - closed half-way, too slow, or wrongly encoded
            return b""
        return content.getvalue()

    def _route(self) -> Route:
        from requests.utils import select_proxy

        proxy = select_proxy(self._url, self._session.proxies)
        is_given = self._trust.proxy is not None
        return Route(self._url, describe_proxy(proxy, is_given=is_given), str(proxy or ""))

    def _find_missing_file(self) -> str:
        """Return a message about the first certificate file that is missing; empty if none is."""
        trust, verify = self._trust, self._session.verify
        source = "ca_file" if trust.ca_file else " or ".join(_BUNDLES)
        files = (
            (source, verify if isinstance(verify, str) else None),
            ("client_certificate", trust.client_certificate),
            ("client_key", trust.client_key),
        )
        for option, path in files:
            if path is not None and not Path(path).exists():
                return f"{option}: there is no file {path}; nothing was sent"
        return ""

    def _open(self) -> Any:
        import requests

        session = requests.Session()
        session.auth = _keep_headers
        session.headers["User-Agent"] = "mlmonitor"
        adapter = make_adapter(self._progress)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        trust = self._trust
        # The environment's proxies and certificates are read only here: reading takes half a
        # millisecond, and later REQUESTS_CA_BUNDLE would override the session's own setting.
        settings = session.merge_environment_settings(self._url, {}, None, trust.ca_file, None)
        session.trust_env = False
        session.proxies, session.verify = settings["proxies"], settings["verify"]
        if trust.client_certificate is not None:
            key = trust.client_key
            pair = trust.client_certificate if key is None else (trust.client_certificate, key)
            session.cert = pair
        if trust.proxy is not None:
            session.proxies = dict.fromkeys(("http", "https"), trust.proxy.revealed())
        return session


def _keep_headers(request: Any) -> Any:
    """Return the request unchanged; without an `auth`, `requests` would read `.netrc`."""
    return request


def _find_origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
