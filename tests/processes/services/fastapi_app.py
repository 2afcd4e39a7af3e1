"""A FastAPI service with a lifespan of its own and the middleware that closes the monitor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from service import answer, monitor, predict

from mlmonitor.integrations.asgi import MonitorMiddleware


@asynccontextmanager
async def own_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Something to do at both ends; both are predictions, and both are counted."""
    predict({"amount": 0.0, "line": "A"})
    yield
    predict({"amount": 99.0, "line": "B"})


app = FastAPI(lifespan=own_lifespan)
app.add_middleware(MonitorMiddleware, monitor=monitor)


@app.get("/")
async def root(request: Request) -> Response:
    """One prediction a request."""
    return Response(answer(request.url.query.encode()))
