"""Prometheus 3 and the OpenTelemetry Collector, with the configurations of the examples."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmonitor.testing import OtlpReceiver
from support.alerting import Inbox, open_inbox, run_with_alertmanager
from support.backends import CONFIGURATIONS, Prometheus, program, run_prometheus, running
from support.collector_sink import free_port
from support.served import Starter, service_environment


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus with the configuration of the examples, which evaluates rules every second."""
    for name in ("prometheus.yml", "fleet.rules.yml"):
        text = (CONFIGURATIONS / name).read_text(encoding="utf-8")
        assert "interval: 1m" in text
        (tmp_path / name).write_text(text.replace("interval: 1m", "interval: 1s"))
    with run_prometheus(tmp_path) as prometheus:
        yield prometheus


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A running webhook that keeps what it receives."""
    with open_inbox() as inbox:
        yield inbox


@pytest.fixture
def alerting_prometheus(tmp_path: Path, inbox: Inbox) -> Iterator[Prometheus]:
    """A Prometheus with an Alertmanager that calls the inbox, and no rules yet."""
    with run_with_alertmanager(tmp_path, inbox) as prometheus:
        yield prometheus


@pytest.fixture
def dynatrace() -> Iterator[OtlpReceiver]:
    """A receiver that refuses whatever Dynatrace's documentation says it refuses."""
    with OtlpReceiver("dynatrace", token="secret") as receiver:  # noqa: S106 - a test's own
        yield receiver


@pytest.fixture
def collector(prometheus: Prometheus, dynatrace: OtlpReceiver, tmp_path: Path) -> Iterator[str]:
    """The address of a Collector with the configuration of the examples.

    Prometheus stands in for Mimir, which accepts the same stream.
    """
    port = free_port()
    quick = tmp_path / "quick.yaml"
    quick.write_text(
        "processors: {batch: {timeout: 100ms}}\nservice: {telemetry: {metrics: {level: none}}}\n"
    )
    command = [
        program("otelcol"),
        f"--config={CONFIGURATIONS}/otelcol.yaml",
        f"--config={quick}",
    ]
    variables = {
        "OTLP_LISTEN": f"127.0.0.1:{port}",
        "MIMIR_URL": prometheus.otlp,
        "DYNATRACE_URL": dynatrace.metrics_url.removesuffix("/v1/metrics"),
        "DYNATRACE_TOKEN": "secret",
    }
    with running(command, port, tmp_path / "otelcol.log", **variables):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Starter]:
    """Start services that export to the given destinations."""
    starter = Starter(tmp_path, service_environment(""))
    yield starter
    starter.end()
