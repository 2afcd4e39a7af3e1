"""The live page as an ASGI app with four read-only paths."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mlmonitor.present.page.host_check import HostCheck
from mlmonitor.present.page.page_source import PageSource, RenderedPage, render_document
from mlmonitor.present.renderer import load_environment, read_asset
from mlmonitor.present.views.view_options import SORTS, ViewOptions

log: logging.Logger = logging.getLogger("mlmonitor")

Answer = Callable[[Request], Response]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_LONGEST = 200  # characters of an option in an address


class PageApp:
    """Answers requests for the page of some models; a model is read only when requested."""

    def __init__(self, sources: Sequence[PageSource]) -> None:
        self._sources = tuple(sources)
        load_environment("page")  # fail at set-up if the extra is missing

    def document(self, request: Request) -> Response:
        """Return the page as an HTML document."""
        page, options, place = self._render(request)
        body = render_document(page, options, place)
        return Response(body, media_type="text/html", headers=_HEADERS)

    def snapshot(self, request: Request) -> Response:
        """Return the parts of the page as JSON; 304 if nothing visible has changed."""
        page, _, _ = self._render(request)
        headers = {**_HEADERS, "ETag": page.etag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == page.etag:
            return Response(status_code=304, headers=headers)
        body = page.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = page.compressed, "gzip"
        return Response(body, media_type="application/json", headers=headers)

    def _render(self, request: Request) -> tuple[RenderedPage, ViewOptions, int]:
        query = request.query_params
        place = _read_place(query.get("m", ""), len(self._sources))
        options = _read_options(query)
        headlines = [source.headline() for source in self._sources]
        return self._sources[place].render(options, headlines, place), options, place


def build_app(
    sources: Sequence[PageSource],
    *,
    allowed_hosts: Collection[str] = (),
    loopback_only: bool = False,
) -> ASGIApp:
    """Return the app for the models of these sources, with the check of the `Host` header."""
    answers = build_answers(sources)
    app = Starlette(routes=[Route(path, answer) for path, answer in answers.items()])
    return HostCheck(app, allowed_hosts, loopback_only=loopback_only)


def build_answers(sources: Sequence[PageSource]) -> dict[str, Answer]:
    """Return the handler of each of the four paths; handlers never raise."""
    page = PageApp(sources)
    return {
        "/": _guard(page.document),
        "/snapshot.json": _guard(page.snapshot),
        "/page.css": _serve_asset("page.css", "text/css"),
        "/page.js": _serve_asset("page.js", "text/javascript"),
    }


def _serve_asset(name: str, media_type: str) -> Answer:
    body = read_asset(name).encode()

    def serve(_request: Request) -> Response:
        return Response(body, media_type=media_type, headers=_HEADERS)

    return serve


def _guard(answer: Answer) -> Answer:
    """Wrap a handler to answer 500 instead of raising an exception into the host's application.

    Only the type of the exception is logged, because its text may hold values.
    """

    def answer_or_fail(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - an error of ours must not reach the host
            log.warning("the page could not be made: %s", type(error).__name__)
            return PlainTextResponse("The page could not be made.\n", 500, headers=_HEADERS)

    return answer_or_fail


def _read_place(text: str, size: int) -> int:
    place = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return place if place < size else 0


def _read_options(query: Any) -> ViewOptions:
    """Return the options in a query string; ignore unknown options and values."""
    texts = {name: str(query.get(name, ""))[:_LONGEST] for name in ("q", "segment", "field")}
    sort = str(query.get("sort", ""))
    return ViewOptions(
        sort=sort if sort in SORTS else next(iter(SORTS)),
        query=texts["q"],
        segment=texts["segment"],
        field=texts["field"],
        with_calm=query.get("all") == "1",
    )
