"""The host's own `/metrics` shows what Prometheus would store of an export."""

import re
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp, Reference
from mlmonitor.integrations.prometheus import collector
from mlmonitor.testing import ManualClock, OtlpReceiver

client = pytest.importorskip("prometheus_client", reason="extra prometheus")
OWN = ("mlmonitor_export", "mlmonitor_memory")


def test_a_scrape_has_the_names_and_values_that_prometheus_stores(
    rng: np.random.Generator, clock: ManualClock
) -> None:
    """The oracle is a receiver that translates names as Prometheus does."""
    train = {"x": rng.exponential(size=500), "line": rng.choice(["home", "motor"], 500)}
    reference = Reference.fit(train, predictions=rng.normal(size=500))
    registry = client.CollectorRegistry()
    with OtlpReceiver("prometheus", clock=clock) as receiver:
        monitor = Monitor(
            "m",
            version="7",
            reference=reference,
            exporters=[Otlp.prometheus(receiver.url)],
            config=Config(export_interval_seconds=86_400),
            clock=clock,
        )
        collector(monitor, registry)
        monitor.record({"x": np.arange(1.0, 8), "line": ["home"] * 7}, np.arange(7.0))
        clock.advance(60)
        assert monitor.flush(timeout_seconds=60)
        scraped = [
            (family, sample)
            for family in registry.collect()
            for sample in family.samples
            if not family.name.startswith(OWN) and not sample.name.endswith(("_bucket", "_sum"))
        ]
        for family, sample in scraped:
            assert sample.value == stored_value(receiver, family, sample), sample
        assert len(scraped) > 50
        monitor.close()


def stored_value(receiver: OtlpReceiver, family: Any, sample: Any) -> float:
    """Return what the receiver stored for a scraped sample."""
    labels = dict(sample.labels)
    if family.type == "histogram":
        return receiver.ledger.histogram(family.name, labels).count
    if family.type == "counter":
        return receiver.ledger.total(sample.name, labels)
    return receiver.ledger.gauge(sample.name, labels)


def test_prometheus_client_parses_the_scraped_text(clock: ManualClock) -> None:
    """Buckets are cumulative and end in +Inf, and rows recorded before the scrape are included."""
    from prometheus_client.parser import text_string_to_metric_families

    registry = client.CollectorRegistry()
    monitor = Monitor("m", exporters=[], clock=clock)
    source = collector(monitor, registry)

    @monitor.watch
    def predict(row: dict[str, float]) -> float:
        return row["x"]

    for value in range(5):
        predict({"x": float(value)})
    text = client.generate_latest(registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (predictions,) = (s for s in families["mlmonitor_predictions"].samples if s.value)
    assert predictions.value == 5
    assert predictions.labels == {"model_name": "m", "status": "ok"}
    samples = families["mlmonitor_prediction_duration_seconds"].samples
    buckets = [s.value for s in samples if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 5
    assert re.search(r'duration_seconds_bucket\{.*le="\+Inf"', text)
    registry.unregister(source)
    assert b"mlmonitor" not in client.generate_latest(registry)
    monitor.close()


def test_a_disabled_monitor_adds_nothing_to_a_scrape() -> None:
    """It exports nothing either."""
    registry = client.CollectorRegistry()
    collector(Monitor("m", exporters=[], config=Config(enabled=False)), registry)
    assert client.generate_latest(registry) == b""


def test_a_monitor_registered_twice_is_shown_once() -> None:
    """A module may be imported again; after `unregister` the monitor can be registered again."""
    registry = client.CollectorRegistry()
    with Monitor("m", exporters=[]) as monitor:
        first = collector(monitor, registry)
        assert collector(monitor, registry) is first
        lines = client.generate_latest(registry).decode().splitlines()
        series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
        assert len(series) == len(set(series)) > 0
        assert collector(monitor, client.CollectorRegistry()) is not first
        registry.unregister(first)
        assert client.generate_latest(registry) == b""
        collector(monitor, registry)
        assert b"mlmonitor" in client.generate_latest(registry)
