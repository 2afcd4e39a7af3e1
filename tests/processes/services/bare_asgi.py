"""An ASGI service without lifespan support, in the middleware that answers in its place."""

from typing import Any

from service import answer, monitor

from mlmonitor.integrations.asgi import MonitorMiddleware


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Make one prediction a request."""
    assert scope["type"] == "http"
    await receive()
    body = answer(scope["query_string"])
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


app = MonitorMiddleware(bare, monitor)
