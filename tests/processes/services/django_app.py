"""A Django service in one file: `application` for WSGI, and `app` for ASGI with the middleware."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from service import answer, monitor

from mlmonitor.integrations.asgi import MonitorMiddleware


def root(request: HttpRequest) -> HttpResponse:
    """Make one prediction a request."""
    return HttpResponse(answer(request.META["QUERY_STRING"].encode()))


urlpatterns = [path("", root)]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",  # noqa: S106
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
application = get_wsgi_application()
app = MonitorMiddleware(get_asgi_application(), monitor)
