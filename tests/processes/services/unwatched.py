"""A service for ASGI and WSGI that does not use a monitor."""

import os
from collections.abc import Callable, Iterable
from typing import Any


def predict(features: dict[str, object]) -> object:
    """Return the amount."""
    return features["amount"]


def answer(query: bytes) -> bytes:
    """Return the prediction for the amount that a request names."""
    amount = float(query.partition(b"=")[2])
    return f"{predict({'amount': amount, 'line': 'AB'[int(amount) % 2]})} {os.getpid()}".encode()


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Make one prediction a request."""
    assert scope["type"] == "http"
    body = answer(scope["query_string"])
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Make one prediction a request."""
    body = answer(environ["QUERY_STRING"].encode())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
