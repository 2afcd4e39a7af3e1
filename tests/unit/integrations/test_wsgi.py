"""The live page in WSGI services; the oracle is the same page over ASGI."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from mlmonitor import ConfigError, Monitor, Reference
from mlmonitor.integrations import asgi
from mlmonitor.integrations.wsgi import django_view, flask_view, page
from mlmonitor.testing import ManualClock

pytest.importorskip("flask")
pytest.importorskip("django")

import django
import flask
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import re_path
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

PATHS = ["/", "/page.css", "/page.js", "/snapshot.json", "/?q=age&sort=name", "/nothing.txt"]
HOST = {"Host": "localhost"}
urlpatterns: list[Any] = []


@pytest.fixture(scope="module")
def monitor() -> Iterator[Monitor]:
    """A model whose page is rendered quickly."""
    ages = [float(age) for age in range(20, 70)]
    reference = Reference.fit({"age": ages}, predictions=ages, thresholds="asymptotic")
    with Monitor("claims", reference=reference, exporters=[], clock=ManualClock()) as watched:
        watched.record({"age": ages}, ages)
        yield watched


def mount_in_werkzeug(monitor: Monitor) -> Any:
    """Mount the page beside a Flask app."""
    return DispatcherMiddleware(flask.Flask("service"), {"/monitor": page(monitor)})


def mount_in_flask(monitor: Monitor) -> Any:
    """Mount the page as a view of a Flask app."""
    app = flask.Flask("service")
    view = flask_view(monitor)
    app.add_url_rule("/monitor/", view_func=view)
    app.add_url_rule("/monitor/<path:path>", view_func=view)
    return app


def mount_in_django(monitor: Monitor) -> Any:
    """Mount the page as a Django view, behind a new project's middleware that changes headers."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True)
        django.setup()
    urlpatterns[:] = [re_path(r"^monitor/(?P<path>.*)$", django_view(monitor))]
    with override_settings(
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ]
    ):
        return WSGIHandler()


MOUNTS = [mount_in_werkzeug, mount_in_flask, mount_in_django]


@pytest.fixture(params=MOUNTS)
def browse(
    request: pytest.FixtureRequest, monitor: Monitor
) -> Iterator[Callable[..., TestResponse]]:
    """A test client of the service in each framework."""
    client = Client(request.param(monitor))
    yield lambda path, **options: client.open(path, **({"headers": HOST} | options))
    urlpatterns.clear()


@pytest.mark.parametrize("path", PATHS)
def test_the_page_over_wsgi_equals_that_over_asgi(
    path: str, browse: Callable[..., TestResponse], monitor: Monitor
) -> None:
    """Status, body and headers agree, but for headers that a framework adds."""
    answer = browse(f"/monitor{path}")
    expected = TestClient(asgi.page(monitor), headers=HOST).get(path)
    assert answer.status_code == expected.status_code
    if path != "/snapshot.json":  # it holds the time of its reading
        assert answer.data == expected.content
    same = ("content-type", "content-security-policy", "x-content-type-options", "cache-control")
    assert [answer.headers.get(name) for name in same if name in expected.headers] == [
        expected.headers[name] for name in same if name in expected.headers
    ]


def test_an_unchanged_page_is_answered_with_304(browse: Callable[..., TestResponse]) -> None:
    """The page's script sends the ETag back."""
    etag = browse("/monitor/snapshot.json").headers["ETag"]
    answer = browse("/monitor/snapshot.json", headers=HOST | {"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_a_foreign_host_header_is_refused_over_wsgi(browse: Callable[..., TestResponse]) -> None:
    """A page elsewhere may have rebound its name to this address."""
    answer = browse("/monitor/", headers={"Host": "evil.example"})
    assert answer.status_code == 421


def test_a_wsgi_page_accepts_only_read_requests(browse: Callable[..., TestResponse]) -> None:
    """Flask refuses others before they reach the page."""
    assert browse("/monitor/", method="POST").status_code == 405


def test_a_head_request_for_a_page_has_no_body(monitor: Monitor) -> None:
    """Django leaves this to its server."""
    answer = Client(page(monitor)).head("/page.css", headers=HOST)
    assert (answer.status_code, answer.data) == (200, b"")


def test_the_mount_without_a_slash_redirects_to_the_page(monitor: Monitor) -> None:
    """Links of the page are relative, so its address must end in a slash."""
    answer = Client(mount_in_werkzeug(monitor)).get("/monitor", headers=HOST)
    assert (answer.status_code, answer.headers["Location"]) == (307, "./monitor/")


def test_a_page_at_the_root_of_a_wsgi_server_needs_no_slash(monitor: Monitor) -> None:
    """An empty path is the root."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    assert page(monitor).answer("", environ).status_code == 200


def test_an_allowed_host_is_answered_over_wsgi(monitor: Monitor) -> None:
    """`allowed_hosts` is an option, as over ASGI."""
    app = page(monitor, allowed_hosts=["claims.example"])
    assert Client(app).get("/", headers={"Host": "claims.example:443"}).status_code == 200


def test_a_server_name_taken_from_the_request_is_not_trusted(monitor: Monitor) -> None:
    """Behind a Unix socket, gunicorn copies the Host header under test into SERVER_NAME."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": "evil.example", "SERVER_NAME": "evil.example"}
    assert page(monitor).answer("/", environ).status_code == 421


@pytest.mark.parametrize("build", [page, flask_view, django_view])
def test_a_page_without_monitors_is_refused(build: Callable[[], Any]) -> None:
    """The error is raised at the start of the service, not at the first request."""
    with pytest.raises(ConfigError, match="one or more monitors"):
        build()
