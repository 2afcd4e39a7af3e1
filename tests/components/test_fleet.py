"""The PSI of eight processes, computed in a real Prometheus, is that of their pooled rows."""

import importlib.util
import subprocess
import time

import numpy as np
import pytest

from mlmonitor.formats.reference import NumericReference
from mlmonitor.stats.distance import psi
from mlmonitor.testing import OtlpReceiver
from support.backends import CONFIGURATIONS, Prometheus, program
from support.requests_to import ask_many
from support.served import SERVICES, Starter

pytestmark = pytest.mark.integration

REQUESTS = 4_000
AMOUNTS = [at * at % 61 for at in range(100)]  # none beyond 60: the last bins stay empty
GUNICORN = (
    *("gunicorn", "-b", "127.0.0.1:{port}", "-w", "8"),
    *("--preload", "--no-control-socket", "--log-level", "warning", "wsgi"),
)


def pooled() -> dict[tuple[str, str], float]:
    """Return the PSI of each field over all rows that were sent."""
    spec = importlib.util.spec_from_file_location("training", SERVICES / "training.py")
    assert spec is not None
    assert spec.loader is not None
    training = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(training)
    rows = [AMOUNTS[at % len(AMOUNTS)] for at in range(REQUESTS)]
    values_by_field = {}
    for entry in training.REFERENCE.content.fields:
        if isinstance(entry, NumericReference):
            places = np.searchsorted(entry.edges, rows, side="left")
        else:
            places = [entry.categories.index("AB"[row % 2]) for row in rows]
        counts = np.bincount(places, minlength=len(entry.counts))
        values_by_field[entry.name, entry.role] = float(
            psi(np.array([entry.counts]), counts[None, :])[0]
        )
    return values_by_field


def check(prometheus: Prometheus) -> None:
    """Assert that every row has arrived and that each field's PSI is that of the pooled rows."""
    values = 'sum(mlmonitor:field_bin:count{field="%s"})'
    prometheus.wait_for_number(values % "amount", REQUESTS)
    prometheus.wait_for_number(values % "line", REQUESTS)
    samples = prometheus.query("mlmonitor:field_psi")
    exported = {
        (sample["metric"]["field"], sample["metric"]["role"]): float(sample["value"][1])
        for sample in samples
    }
    expected = pooled()
    assert expected["amount", "feature"] > 0.5
    assert exported == pytest.approx(expected, rel=1e-9, abs=0)
    assert prometheus.number('count(mlmonitor:field_psi:threshold{field="amount"})') == 1


def test_psi_in_promql_equals_the_psi_of_the_pooled_rows(
    prometheus: Prometheus, serve: Starter
) -> None:
    """Each process exports to Prometheus directly."""
    url = f"{prometheus.otlp}/v1/metrics"
    service = serve(*GUNICORN, SERVICE_COLLECTOR=url, SERVICE_EXPORT_SECONDS="1")
    answers = ask_many(service.port, REQUESTS, amounts=AMOUNTS)
    assert (answers.total, answers.unanswered) == (REQUESTS, 0)
    assert len(answers.processes) == 8
    check(prometheus)
    assert service.stop() == 0, service.said()
    check(prometheus)


def test_psi_through_a_collector_is_the_same_and_dynatrace_gets_deltas(
    prometheus: Prometheus, dynatrace: OtlpReceiver, collector: str, serve: Starter
) -> None:
    """One cumulative stream feeds both, and the total in either is the number of answers."""
    service = serve(*GUNICORN, SERVICE_COLLECTOR=collector, SERVICE_EXPORT_SECONDS="1")
    answers = ask_many(service.port, REQUESTS, amounts=AMOUNTS)
    assert (answers.total, answers.unanswered) == (REQUESTS, 0)
    check(prometheus)
    assert service.stop() == 0, service.said()
    check_deltas(dynatrace)


def check_deltas(dynatrace: OtlpReceiver) -> None:
    """Assert that every delta arrived once with its attributes and that none was refused."""
    ledger = dynatrace.ledger
    deadline = time.monotonic() + 60
    while ledger.total("mlmonitor.predictions", status="ok") < REQUESTS:
        assert time.monotonic() < deadline, ledger
        time.sleep(0.1)
    ok = {"model.name": "served", "model.version": "1", "status": "ok"}
    assert ledger.total("mlmonitor.predictions", ok) == REQUESTS
    assert ledger.total("mlmonitor.field.bin", field="line", role="feature") == REQUESTS
    histogram = ledger.histogram("mlmonitor.field.distribution", field="amount", role="feature")
    assert histogram.count == REQUESTS
    assert not ledger.refused


def test_the_example_configurations_are_accepted_by_their_programs() -> None:
    """The validators of Prometheus and of the Collector check their own files."""
    rules = f"--config={CONFIGURATIONS}/otelcol.yaml"
    variables = {"MIMIR_URL": "http://m", "DYNATRACE_URL": "http://d", "DYNATRACE_TOKEN": "t"}
    subprocess.run([program("otelcol"), "validate", rules], env=variables, check=True)
    promtool = [program("promtool"), "check", "config", "--lint=all", "--lint-fatal"]
    subprocess.run([*promtool, CONFIGURATIONS / "prometheus.yml"], check=True)
