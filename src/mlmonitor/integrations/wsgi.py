"""For WSGI services, such as those of Flask and Django: mount the live page.

WSGI has no shutdown event. Servers that exit normally, such as gunicorn and uWSGI, deliver the
last window without a hook (see docs/guides/processes.md).
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from mlmonitor.integrations.asgi import build_sources
from mlmonitor.monitor.monitor import Monitor

if TYPE_CHECKING:
    from mlmonitor.present.page.wsgi_page import WsgiPage

__all__ = ["django_view", "flask_view", "page"]


def page(*monitors: Monitor, allowed_hosts: Collection[str] = ()) -> "WsgiPage":
    """Build the live page of some monitors, as a WSGI app to mount.

    Promise: that of `mlmonitor.integrations.asgi.page`. Everyone who can reach the mount can read
        the page. An app mounted with Werkzeug's `DispatcherMiddleware` is not behind your app's
        authentication: use `flask_view` or `django_view` for that.
    Price: one reading every three seconds while the page is open, in a thread of the server.

    Args:
        monitors: in the order in which the page lists them.
        allowed_hosts: names under which the service is requested, as for `asgi.page`.

    Raises:
        ConfigError: there is no monitor.
        MissingExtra: the extra `page` is not installed.
    """
    sources = build_sources(monitors)
    from mlmonitor.present.page.wsgi_page import WsgiPage

    return WsgiPage(sources, allowed_hosts)


def flask_view(*monitors: Monitor, allowed_hosts: Collection[str] = ()) -> Callable[..., Any]:
    """Build the live page as a view of Flask, which a decorator can put behind a login.

    Register it for the page and its assets: `app.add_url_rule("/monitor/", view_func=view)` and
    `app.add_url_rule("/monitor/<path:path>", view_func=view)`. Arguments, promise and price are
    those of `page`.

    Raises:
        ConfigError: there is no monitor.
        MissingExtra: the extra `page` is not installed.
    """
    from flask import Response, request

    app = page(*monitors, allowed_hosts=allowed_hosts)

    def show_monitor_page(path: str = "") -> Any:
        answer = app.answer(f"/{path}", request.environ)
        return Response(bytes(answer.body), answer.status_code, dict(answer.headers))

    return show_monitor_page


def django_view(*monitors: Monitor, allowed_hosts: Collection[str] = ()) -> Callable[..., Any]:
    """Build the live page as a view of Django, which a decorator can put behind a login.

    Its pattern ends with the rest of the path: `re_path(r"^monitor/(?P<path>.*)$", view)`.
    Arguments, promise and price are those of `page`; the host must be in `ALLOWED_HOSTS` as well.

    Raises:
        ConfigError: there is no monitor.
        MissingExtra: the extra `page` is not installed.
    """
    from django.http import HttpResponse

    app = page(*monitors, allowed_hosts=allowed_hosts)

    def show_monitor_page(request: Any, path: str = "") -> Any:
        answer = app.answer(f"/{path}", request.META)
        headers = dict(answer.headers)
        return HttpResponse(bytes(answer.body), status=answer.status_code, headers=headers)

    return show_monitor_page
