"""A FastAPI service with its own lifespan and the middleware that closes the monitor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from service import answer, monitor, predict

from mlmonitor.integrations.asgi import MonitorMiddleware


@asynccontextmanager
async def own_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Make one prediction at start-up and one at shutdown; both are counted."""
    predict({"amount": 0.0, "line": "A"})
    yield
    predict({"amount": 99.0, "line": "B"})


app = FastAPI(lifespan=own_lifespan)
app.add_middleware(MonitorMiddleware, monitor=monitor)


@app.get("/")
async def root(request: Request) -> Response:
    """Make one prediction a request."""
    return Response(answer(request.url.query.encode()))
