"""Typed code as a user would write it; mypy and pyright read it, and nothing runs it."""

from datetime import UTC, datetime
from typing import assert_type

import numpy as np

from mlmonitor import (
    Config,
    Field,
    FieldStatus,
    Monitor,
    Observation,
    Otlp,
    Reference,
    SegmentStatus,
    Status,
)
from mlmonitor.testing import (
    HistogramTotal,
    InMemoryExporter,
    ManualClock,
    OtlpReceiver,
    Refuse,
    Sometimes,
)

reference = Reference.fit(
    {"age": np.array([1.0, 2.0])},
    predictions=np.array([1.0, 2.0]),
    trained_at=datetime(2026, 1, 1, tzinfo=UTC),
    importances={"age": 1.0},
    training_metrics={"mae": 2.0},
)
monitor = Monitor(
    "claims",
    version="7",
    reference=reference,
    exporters=[
        Otlp.collector("http://localhost:4318", compression="none"),
        Otlp.prometheus("http://localhost:9090", durations="exponential"),
        Otlp.mimir("http://localhost:9009", tenant="t"),
        Otlp.grafana_cloud("https://otlp.example", instance=1, token_file="token"),  # noqa: S106 - its path
        Otlp.dynatrace("https://abc.live.dynatrace.com", token_file="token", ambiguous="keep"),  # noqa: S106 - as above
        InMemoryExporter(),
    ],
    fields=[Field("age", minimum=0, nullable=False), Field("line", allowed=["home", "motor"])],
    config=Config(window_seconds=60),
    clock=ManualClock(),
)


@monitor.watch
def predict(features: dict[str, float]) -> float:
    """A bare decorator keeps the signature."""
    return features["age"]


@monitor.watch(features="row", prediction="score", id_from="request_id")
async def score(row: tuple[float, ...], *, request_id: str) -> dict[str, float]:
    """A decorator with options keeps the signature of a coroutine function."""
    return {"score": sum(row), "request": len(request_id)}


class Service:
    """Methods are watched like functions."""

    @monitor.watch
    def predict(self, features: list[float]) -> str:
        """Return a label."""
        return "high" if sum(features) > 1 else "low"


async def use() -> None:
    """Results have the types that the functions declare."""
    assert_type(predict({"age": 1.0}), float)
    assert_type(await score((1.0,), request_id="r"), dict[str, float])
    assert_type(Service().predict([1.0]), str)
    with monitor.observe({"age": 1.0}) as prediction:
        assert_type(prediction, Observation)
        assert_type(prediction.id, str)
        prediction.value = 1.0
    async with monitor.observe({"age": 1.0}) as other:
        other.value = 2.0
    assert_type(monitor.status(), Status)
    assert_type(monitor.status().fields, tuple[FieldStatus, ...])
    assert_type(monitor.status().segments["motor"], SegmentStatus)
    assert_type(monitor.flush(timeout_seconds=1.0), bool)


def receive() -> None:
    """The receiver, its ledger and its faults are typed."""
    with OtlpReceiver("dynatrace", token="token", faults=[None, Refuse(503)]) as receiver:  # noqa: S106 - not a real one
        receiver.script(Sometimes([Refuse(429, retry_after_seconds=1)], share=0.1, seed=1))
        assert_type(receiver.url, str)
        assert_type(receiver.ledger.total("n", {"a.b": 1}, c="d"), int | float)
        assert_type(receiver.ledger.histogram("h"), HistogramTotal)
