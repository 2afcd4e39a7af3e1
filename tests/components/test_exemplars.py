"""Exemplars lead from a bucket in a real Prometheus to a trace that fell into it."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from mlmonitor import Config, Monitor, Otlp, Reference
from mlmonitor.export.otlp.backends import Durations
from support.backends import Prometheus, run_prometheus

pytestmark = pytest.mark.integration

NEVER = {"amount": -1e6}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus with exemplar storage, which must be enabled, and native histograms."""
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
    with run_prometheus(tmp_path, "--enable-feature=exemplar-storage") as prometheus:
        yield prometheus


@pytest.fixture
def tracer() -> Iterator[trace.Tracer]:
    """The tracer of the host."""
    provider = TracerProvider()
    yield provider.get_tracer("host")
    provider.shutdown()


def exemplars(prometheus: Prometheus, promql: str) -> list[dict[str, Any]]:
    """Return the exemplars of a query, each with its value, time, labels and series."""
    now = time.time()
    query = urllib.parse.urlencode({"query": promql, "start": now - 600, "end": now + 600})
    url = f"http://127.0.0.1:{prometheus.port}/api/v1/query_exemplars?{query}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    return [
        {**one, "series": series["seriesLabels"]}
        for series in document["data"]
        for one in series["exemplars"]
    ]


def predict(features: dict[str, float]) -> float:
    """Return the amount, but raise an error for one of the inputs."""
    if features == NEVER:
        raise ValueError("never")
    return features["amount"]


def served(url: str, durations: Durations, tracer: trace.Tracer) -> dict[str, str]:
    """Send four requests, export after each, and return their trace ids by name."""
    grid = np.arange(100.0)
    ids: dict[str, str] = {}
    with Monitor(
        "traced",
        reference=Reference.fit({"amount": grid}, predictions=grid),
        exporters=[Otlp.prometheus(url, durations=durations)],
        config=Config(poll_interval_seconds=0.01, export_interval_seconds=3_600),
    ) as monitor:
        watched = monitor.watch(predict)
        for name, amount in (("usual", 55.0), ("newer", 55.5), ("outlier", 1e6), ("never", -1e6)):
            with tracer.start_as_current_span(name) as span, suppress(ValueError):
                ids[name] = format(span.get_span_context().trace_id, "032x")
                watched({"amount": amount})
            assert monitor.flush(timeout_seconds=60)
            time.sleep(0.01)  # Prometheus tells exemplars apart by the millisecond
    return ids


@pytest.mark.parametrize("durations", ["explicit", "exponential"])
def test_a_bucket_an_outlier_and_an_error_lead_to_their_traces(
    durations: Durations, prometheus: Prometheus, tracer: trace.Tracer
) -> None:
    """Several exports follow each other, so exemplars of a series are replaced by newer ones."""
    ids = served(f"http://127.0.0.1:{prometheus.port}", durations, tracer)

    def known(promql: str) -> dict[str, tuple[float, str]]:
        return {
            one["labels"]["trace_id"]: (float(one["value"]), one["series"].get("le", ""))
            for one in exemplars(prometheus, promql)
        }

    amounts = known('mlmonitor_field_distribution_bucket{field="amount"}')
    assert set(amounts) == set(ids.values())
    assert amounts[ids["outlier"]] == (1e6, "+Inf")
    value, upper = amounts[ids["newer"]]
    assert value == 55.5 <= float(upper)
    outliers = known('mlmonitor_field_outliers_total{field="amount"}')
    beyond = {ids["outlier"]: 1e6, ids["never"]: -1e6}
    assert {one: value for one, (value, _) in outliers.items()} == beyond
    assert set(known('mlmonitor_predictions_total{status="error"}')) == {ids["never"]}
    name = "mlmonitor_prediction_duration_seconds"
    latencies = known(f"{name}_bucket" if durations == "explicit" else name)
    assert set(latencies) == set(ids.values())
    (one, *_) = exemplars(prometheus, 'mlmonitor_predictions_total{status="error"}')
    assert len(one["labels"]["span_id"]) == 16
    assert abs(one["timestamp"] - time.time()) < 60
