"""The live page for WSGI servers: the ASGI app's handlers, called without an event loop."""

from collections.abc import Callable, Collection, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mlmonitor.present.page.host_check import allow_hosts, is_expected_host, refuse_host
from mlmonitor.present.page.page_app import build_answers
from mlmonitor.present.page.page_source import PageSource


class WsgiPage:
    """A WSGI app to mount. Frameworks with requests of their own, such as Django, call `answer`."""

    def __init__(self, sources: Sequence[PageSource], allowed_hosts: Collection[str]) -> None:
        self._answers = build_answers(sources)
        self._allowed = allow_hosts(allowed_hosts)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request, as a WSGI app; `PATH_INFO` is the path below the mount."""
        response = self.answer(environ.get("PATH_INFO", ""), environ)
        status = HTTPStatus(response.status_code)
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.raw_headers]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [bytes(response.body)]

    def answer(self, path: str, environ: dict[str, Any]) -> Response:
        """Answer a request for a path below the mount, such as `/page.css`.

        The `Host` header is compared with the expected names only, and not with SERVER_NAME, which
        some servers derive from that header.
        """
        scope = _build_scope(path, environ)
        if not is_expected_host(scope, self._allowed, loopback_only=False):
            return refuse_host()
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, headers={"Allow": "GET, HEAD"})
        mount = environ.get("SCRIPT_NAME", "").rpartition("/")[2]
        if not path and mount:  # the links of the page are relative to the mount
            return RedirectResponse(f"./{mount}/")
        answer = self._answers.get(path or "/")
        return PlainTextResponse("Not Found", 404) if answer is None else answer(Request(scope))


def _build_scope(path: str, environ: dict[str, Any]) -> dict[str, Any]:
    """Translate a WSGI environment into the parts of an ASGI scope that the handlers read."""
    headers = [
        (
            key[5:].replace("_", "-").lower().encode("latin-1", "replace"),
            str(value).encode("latin-1", "replace"),
        )
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "headers": headers,
    }
