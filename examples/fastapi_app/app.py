"""The claim severity service, with monitoring.

Monitoring needs three things: the `Monitor` in `serve`, the `with monitor.observe(...)` around the
prediction, and the middleware that closes the monitor at shutdown, because uvicorn runs no `atexit`
functions when a signal stops it. The live page is mounted at /monitor.
"""

import os
from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

import claims
from mlmonitor import Config, Kafka, Monitor, Otlp
from mlmonitor.integrations.asgi import MonitorMiddleware, page
from snapshot import Snapshot
from train import SeverityModel, train


class ClaimIn(BaseModel):
    """What is known about a claim on the day it is reported."""

    model_config = ConfigDict(extra="forbid")

    line: str
    accident_weekday: str
    limit: float = Field(gt=0)
    deductible: float = Field(ge=0)
    report_lag_days: float = Field(ge=0)
    accident_month: int = Field(ge=1, le=12)


class PredictionOut(BaseModel):
    """The predicted severity, and the id with which the actual severity can be reported."""

    id: str
    severity: float


class LabelIn(BaseModel):
    """The actual cost of a claim."""

    id: str
    actual: float = Field(ge=0)


class Settings(BaseModel):
    """Where metrics and events go; `from_environment` reads `CLAIMS_*` variables.

    brokers: Kafka's brokers, for the event log; if empty, there is no event log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    collector: str = "http://127.0.0.1:4318"
    brokers: str = ""
    reference: str = "claims.reference.json"
    window_seconds: float = Field(default=3600.0, gt=0)
    export_seconds: float = Field(default=15.0, gt=0)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from the environment."""
        prefix = "CLAIMS_"
        options = {
            key.removeprefix(prefix).lower(): value
            for key, value in environ.items()
            if key.startswith(prefix)
        }
        return cls.model_validate(options)


def create_app(model: SeverityModel, monitor: Monitor) -> FastAPI:
    """Build the service for a model and its monitor; the service closes the monitor at shutdown."""
    app = FastAPI(title="Claim severity")
    app.add_middleware(MonitorMiddleware, monitor=monitor)
    app.mount("/monitor", page(monitor))

    # `async def`, because a prediction takes less time than a switch to another thread.
    @app.post("/predict")
    async def predict(claim: ClaimIn) -> PredictionOut:
        features = claim.model_dump()
        with monitor.observe(features) as prediction:
            prediction.value = model.predict_one(features)
            return PredictionOut(id=prediction.id, severity=prediction.value)

    @app.post("/label", status_code=202)
    async def label(given: LabelIn) -> None:
        monitor.label(given.id, given.actual)

    @app.get("/status", response_class=PlainTextResponse)
    def status() -> str:
        return f"{monitor.status()}\n"

    @app.get("/status.json")
    def status_json() -> Snapshot:
        return Snapshot.from_status(monitor.status())

    return app


def serve() -> FastAPI:
    """Build the service for uvicorn: train the model, save the reference, and start the monitor."""
    settings = Settings.from_environment(os.environ)
    model, reference = train()
    reference.save(settings.reference)
    monitor = Monitor(
        model="claims-severity",
        version="1",
        reference=settings.reference,
        exporters=[Otlp.collector(settings.collector)],
        events=Kafka(settings.brokers) if settings.brokers else None,
        ignore=[claims.SEASONAL],
        config=Config(
            window_seconds=settings.window_seconds,
            export_interval_seconds=settings.export_seconds,
        ),
    )
    return create_app(model, monitor)
