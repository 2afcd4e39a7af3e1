"""Simulate fifty minutes of two models and export them, to test dashboards and rules."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np

from mlmonitor import Challenger, Config, Field, Kafka, Kpi, Monitor, Objective, Reference
from mlmonitor.cli.store.loader_metrics import LoaderMetrics
from mlmonitor.export.base import Exporter
from mlmonitor.store.load.loader import Loader
from mlmonitor.testing import ManualClock

MINUTES = 50
"""Shorter than the window, so that a window holds every row."""

DRIFT_MINUTE = 20
"""From this minute on, amounts are 1.5 times as large."""

ROWS = 60
"""Rows per minute and process."""

BUCKETS = [500.0, 1_500.0]


class History(NamedTuple):
    """The monitors at the end of the simulated time, still open."""

    severity: tuple[Monitor, Monitor]
    """Two processes of one regression model."""
    fraud: Monitor
    """A classifier with segments."""
    ended_at: float


def _claims(rng: np.random.Generator, rows: int, factor: float = 1.0) -> dict[str, Any]:
    return {
        "amount": rng.gamma(3.0, 400.0 * factor, rows),
        "age": rng.normal(45.0, 12.0, rows),
        "line": rng.choice(["motor", "home"], rows, p=[0.7, 0.3]),
    }


def _severity(claims: dict[str, Any]) -> Any:
    return 0.8 * claims["amount"] + 2.0 * claims["age"]


def _attributions(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the contribution of each feature to the predictions of `_severity`."""
    return {
        "amount": 0.8 * (claims["amount"] - 1_200.0),
        "age": np.nan_to_num(2.0 * (claims["age"] - 45.0)),
        "line": np.zeros(len(claims["line"])),
    }


def _savings(rows: Mapping[str, Any]) -> Any:
    """Return the amount minus the prediction, minus 300 so that some values are negative."""
    return rows["amount"] - rows["prediction"] - 300.0


def _frauds(rng: np.random.Generator, rows: int) -> tuple[dict[str, Any], Any, list[str]]:
    """Draw claims, the scores of both classes, and the actual classes."""
    scores = rng.beta(0.8, 1.6, rows)
    actual = np.where(rng.random(rows) < scores, "fraud", "honest")
    return _claims(rng, rows), np.column_stack([1 - scores, scores]), actual.tolist()


def severity_reference() -> Reference:
    """Fit the reference of the severity model on 4,000 claims before the drift."""
    claims = _claims(np.random.default_rng(1), 4_000)
    return Reference.fit(
        claims,
        predictions=_severity(claims),
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
        training_metrics={"mae": 40.0},
        training_seconds=90.0,
        training_rows=12_000,
        parent_version="6",
        attributions=_attributions(claims),
        thresholds="asymptotic",
    )


def fraud_reference() -> Reference:
    """Fit the reference of the fraud model on 4,000 claims and their scores."""
    claims, scores, actual = _frauds(np.random.default_rng(2), 4_000)
    return Reference.fit(
        claims,
        predictions=scores,
        output="probabilities",
        classes=["honest", "fraud"],
        actuals=actual,
        segments=["line"],
        thresholds="asymptotic",
    )


def _severity_minute(
    monitor: Monitor, rng: np.random.Generator, minute: int, *, factor: float, is_clean: bool
) -> None:
    claims = _claims(rng, ROWS, factor)
    if not is_clean:
        claims["age"][: ROWS // 20] = np.nan
    predictions = _severity(claims)
    ids = [f"{minute}-{row}" for row in range(ROWS)]
    monitor.record(claims, predictions, ids=ids, attributions=_attributions(claims))
    monitor.record_challenger("8", 0.95 * predictions, ids=ids)
    monitor.status()  # the predictions are read before their labels
    labelled = ROWS // 2
    actual = predictions[:labelled] + rng.normal(10.0, 50.0, labelled)
    monitor.label(ids[:labelled], actual)

    @monitor.watch
    def predict(features: dict[str, float]) -> float:
        if features["amount"] < 0:
            raise ValueError("an amount below zero")
        return features["amount"]

    one = _claims(rng, 2, factor)
    calls = [{name: values[row] for name, values in one.items()} for row in range(2)]
    if not is_clean:
        calls[1]["amount"] = -1.0
    for call in calls:
        with suppress(ValueError):
            predict(call)


def _fraud_minute(monitor: Monitor, rng: np.random.Generator, minute: int) -> None:
    claims, scores, actual = _frauds(rng, ROWS)
    ids = [f"{minute}-{row}" for row in range(ROWS)]
    names = ["honest", "fraud"]
    monitor.record(claims, scores, ids=ids, output="probabilities", names=names)
    monitor.status()
    monitor.label(ids, actual)


@contextmanager
def lived_through(
    make_exporters: Callable[[], Sequence[Exporter]],
    *,
    drift_minute: int = DRIFT_MINUTE,
    is_clean: bool = False,
) -> Iterator[History]:
    """Simulate the models minute by minute, up to now, and export after each minute.

    make_exporters: called once for each process. is_clean: no value is missing, no call fails.
    """
    ended_at = time.time()
    clock = ManualClock(ended_at - 60.0 * MINUTES)
    config = Config(
        poll_interval_seconds=3_600,
        export_interval_seconds=3_600,
        cohort_seconds=600,
        baseline_rows=200,
    )
    with ExitStack() as stack:

        def start(model: str, **options: Any) -> Monitor:
            return stack.enter_context(
                Monitor(model, exporters=make_exporters(), config=config, clock=clock, **options)
            )

        reference = severity_reference()
        severity = tuple(
            start(
                "severity",
                version="7",
                reference=reference,
                buckets={"amount": BUCKETS},
                kpis=[Kpi("total_savings", _savings, unit="EUR")],
                objectives=[Objective("mae", maximum=900.0), Objective("error_rate", maximum=0.01)],
                fields=[Field("amount", maximum=1e6, nullable=False)],
                challengers=[Challenger("8")],
            )
            for _ in range(2)
        )
        fraud = start(
            "fraud",
            version="2",
            reference=fraud_reference(),
            segments=["line"],
            events=Kafka("mock:1", options={"test.mock.num.brokers": 1}),
        )
        everyone = (*severity, fraud)
        rngs = [np.random.default_rng(seed) for seed in range(3)]
        for minute in range(MINUTES):
            for monitor, rng in zip(severity, rngs, strict=False):
                factor = 1.5 if minute >= drift_minute else 1.0
                _severity_minute(monitor, rng, minute, factor=factor, is_clean=is_clean)
            _fraud_minute(fraud, rngs[2], minute)
            clock.advance(60.0)
            for monitor in everyone:
                assert monitor.flush(timeout_seconds=60)
        for exporter in make_exporters():
            _load(stack, exporter)
        yield History((severity[0], severity[1]), fraud, ended_at)


def _load(stack: ExitStack, exporter: Exporter) -> None:
    """Export the metrics of a loader that has stored some events, twice."""
    counts = SimpleNamespace(loaded={"prediction": 90, "label": 9}, replayed=3, dead=1, batches=2)
    loader = SimpleNamespace(
        counts=counts, outages=0, lag=0, owned=4, committed_at=time.time() - 5.0
    )
    metrics = LoaderMetrics(cast("Loader", loader), exporter, interval_seconds=3_600)
    stack.callback(metrics.close)
    for more in (0, 50):
        counts.loaded["prediction"] += more
        exporter.send(metrics.snapshot())
        time.sleep(0.01)  # two stamps
