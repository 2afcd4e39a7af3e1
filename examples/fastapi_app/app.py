"""The claim severity service, watched from inside.

Three things make it monitored: the `Monitor` in `serve`, the `with monitor.observe(...)` around the
prediction, and the middleware that closes the monitor at the end, since uvicorn never runs `atexit`
functions when it is asked to stop. The live page is mounted at /monitor.
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
    """The expected severity, and the id under which the actual one can be reported."""

    id: str
    severity: float


class LabelIn(BaseModel):
    """What a claim cost in the end."""

    id: str
    actual: float = Field(ge=0)


class Settings(BaseModel):
    """Where metrics and events go; `from_environment` reads `CLAIMS_*` variables.

    brokers: of Kafka, for the event log; none if empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    collector: str = "http://127.0.0.1:4318"
    brokers: str = ""
    reference: str = "claims.reference.json"
    window_seconds: float = Field(default=3600.0, gt=0)
    export_seconds: float = Field(default=15.0, gt=0)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings that the environment names; the only place that reads it."""
        prefix = "CLAIMS_"
        options = {
            key.removeprefix(prefix).lower(): value
            for key, value in environ.items()
            if key.startswith(prefix)
        }
        return cls.model_validate(options)


def create_app(model: SeverityModel, monitor: Monitor) -> FastAPI:
    """The service around a model and its monitor; it closes the monitor when it ends."""
    app = FastAPI(title="Claim severity")
    app.add_middleware(MonitorMiddleware, monitor=monitor)
    app.mount("/monitor", page(monitor))

    # Not `def`: a prediction takes less time than handing it to a thread and back.
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
    """The service as uvicorn starts it: trains, saves the reference, and watches from then on."""
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
