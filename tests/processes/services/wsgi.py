"""A WSGI service without an mlmonitor hook."""

from collections.abc import Callable, Iterable
from typing import Any

from service import answer


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Make one prediction a request."""
    body = answer(environ["QUERY_STRING"].encode())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
