"""One model as its page shows it: read only on request, and shared by all viewers."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from mlmonitor.environment.library_version import library_version
from mlmonitor.present.renderer import load_environment, render_parts
from mlmonitor.present.views.headline import Headline, build_headline
from mlmonitor.present.views.model_page import build_model_page
from mlmonitor.present.views.view_options import SORTS, ModelReading, ViewOptions

REFRESH_SECONDS = 3.0
_FRESH = 0.6  # share of the refresh interval, so that each refresh of a viewer gets a new reading
_KEPT = 32  # pages kept per reading
_SCHEMA = 1
_COMPRESSION = 2


@dataclass(frozen=True, eq=False)
class RenderedPage:
    """The parts of a page, and the JSON snapshot that the page's script requests.

    etag: a weak entity tag, equal for pages that look the same.
    """

    title: str
    parts: dict[str, str]
    segments: tuple[tuple[str, str], ...]
    body: bytes
    etag: str

    @cached_property
    def compressed(self) -> bytes:
        """The snapshot, compressed with gzip."""
        return gzip.compress(self.body, _COMPRESSION, mtime=0)


class PageSource:
    """Reads a model at most once in `REFRESH_SECONDS`, and only on request.

    Price: one reading and one rendering per refresh, for any number of viewers.
    """

    def __init__(
        self, read: Callable[[], ModelReading], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._newest: tuple[ModelReading, dict[ViewOptions, RenderedPage]] | None = None
        self._read_at = 0.0

    def headline(self) -> Headline:
        """Return the headline of the newest reading."""
        return build_headline(self._refresh()[0])

    def render(
        self, options: ViewOptions, headlines: Sequence[Headline], place: int
    ) -> RenderedPage:
        """Return the page of the newest reading.

        headlines: the headlines of all models, which the page lists. place: the index of this model
        among them.
        """
        reading, pages = self._refresh()
        page = pages.get(options)
        if page is None:
            page = _render(reading, options, headlines, place)
            if len(pages) < _KEPT:
                pages[options] = page
        return page

    def _refresh(self) -> tuple[ModelReading, dict[ViewOptions, RenderedPage]]:
        """Return the last reading and its rendered pages, after reading again if it is too old."""
        with self._lock:
            now = self._clock()
            if self._newest is None or now - self._read_at >= REFRESH_SECONDS * _FRESH:
                self._newest, self._read_at = (self._read(), {}), now
            return self._newest


def _render(
    reading: ModelReading, options: ViewOptions, headlines: Sequence[Headline], place: int
) -> RenderedPage:
    page = build_model_page(reading, options)
    parts = render_parts(page, str(place) if place else "", options)
    models = load_environment("page").get_template("models.html.j2")
    parts["models"] = models.render(models=headlines, current=place)
    headline = page.headline
    sign = "▲ " if headline.tone == "alert" else ""
    title = f"{sign}{headline.model} {headline.version}: {headline.word}"
    shown = json.dumps(parts)
    snapshot = {
        "schema": _SCHEMA,
        "time": reading.snapshot.time,
        "title": title,
        "models": [
            {"model": h.model, "version": h.version, "state": h.tone, "verdict": h.word}
            for h in headlines
        ],
    }
    body = f'{json.dumps(snapshot)[:-1]}, "parts": {shown}}}'.encode()
    digest = blake2b(f"{title}\0{shown}".encode(), digest_size=12).hexdigest()
    return RenderedPage(title, parts, page.fields.segments, body, f'W/"{digest}"')


def render_document(page: RenderedPage, options: ViewOptions, place: int) -> bytes:
    """Return the HTML document that a browser loads first; its script then updates the parts."""
    template = load_environment("page").get_template("page.html.j2")
    markup = {name: _mark_safe(html) for name, html in page.parts.items()}
    text: str = template.render(
        base="./",
        title=page.title,
        parts=markup,
        options=options,
        sorts=SORTS,
        segments=page.segments,
        model=str(place) if place else "",
        refresh_seconds=REFRESH_SECONDS,
        library_version=library_version(),
    )
    return text.encode()


def _mark_safe(html: str) -> object:
    """Mark HTML as safe to insert, because our own template has already escaped its values."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704 - rendered by our own templates
