"""Render the templates of the page and the report: Jinja2 with all values escaped."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mlmonitor.errors import import_extra
from mlmonitor.present.views.model_page import ModelPage
from mlmonitor.present.views.view_options import SORTS, ViewOptions

_FOLDER = Path(__file__).parent


@cache
def load_environment(extra: str) -> Any:
    """Return the Jinja2 environment of our templates, which compiles each template once.

    Raises:
        MissingExtra: Jinja2 is not installed; the message names `extra`.
    """
    jinja2: Any = import_extra("jinja2", extra=extra)
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def read_asset(name: str) -> str:
    """Return the text of one of our style sheets or scripts."""
    return (_FOLDER / "page" / "assets" / name).read_text(encoding="utf-8")


def link_query(model: str, options: ViewOptions, **change: str) -> str:
    """Return a query string with the current options and `change`; it omits default values."""
    chosen = {
        "m": model,
        "q": options.query,
        "sort": "" if options.sort == next(iter(SORTS)) else options.sort,
        "segment": options.segment,
        "field": options.field,
        "all": "1" if options.with_calm else "",
    } | change
    return "?" + urlencode(
        {name: value for name, value in chosen.items() if value}, errors="replace"
    )


def render_parts(page: ModelPage, model: str, options: ViewOptions) -> dict[str, str]:
    """Return each part of a page as an HTML fragment, by name."""
    macros = load_environment("page").get_template("parts.html.j2").module

    def link(field: str) -> str:
        return link_query(model, options, field=field)

    return {
        "masthead": macros.masthead(page.headline),
        "incidents": macros.incidents(page.incidents, link),
        "prediction": macros.prediction(page.prediction),
        "why": macros.why(page.prediction),
        "count": _describe_count(page),
        "fields": macros.fields(page.fields, link, link_query(model, options, all="1")),
        "performance": macros.performance(page.performance, page.objectives),
        "challengers": macros.challengers(page.challengers) if page.challengers else "",
        "kpis": macros.kpis(page.kpis) if page.kpis else "",
        "monitoring": macros.monitoring(page.monitoring),
        "field": macros.field(page.field) if page.field else "",
    }


def _describe_count(page: ModelPage) -> str:
    """Say how many fields there are and how many have changed; empty if there are no fields."""
    fields = page.fields
    return f"{fields.total - fields.calm} of {fields.total} changed" if fields.total else ""
