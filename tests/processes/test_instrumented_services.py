"""`opentelemetry-instrument` watches a service that does not mention mlmonitor."""

from pathlib import Path

import pytest

from mlmonitor import Reference
from support.collector_sink import Sink
from support.requests_to import ask_many
from support.served import Starter

REQUESTS = 25
SERVERS = {
    "uvicorn": ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "unwatched:app"),
    "gunicorn": (
        *("gunicorn", "-b", "127.0.0.1:{port}", "-w", "2", "--no-control-socket"),
        "unwatched:application",
    ),
}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(SERVERS["uvicorn"], id="uvicorn"),
        pytest.param(SERVERS["gunicorn"], id="gunicorn", marks=pytest.mark.slow),
    ],
)
def test_an_instrumented_server_reports_every_answer(
    command: tuple[str, ...], serve: Starter, sink: Sink, tmp_path: Path
) -> None:
    """Model, version and reference come from the environment, and the last window is delivered."""
    amounts = [float(i % 100) for i in range(1_000)]
    reference = Reference.fit({"amount": amounts}, predictions=amounts, thresholds="asymptotic")
    reference.save(tmp_path / "reference.json")
    service = serve(
        "run_instrumented",
        *command,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{sink.port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        MLMONITOR_WATCH="unwatched:predict",
        MLMONITOR_MODEL="claims",
        MLMONITOR_VERSION="7",
        MLMONITOR_REFERENCE=str(tmp_path / "reference.json"),
        MLMONITOR_EXPORT_INTERVAL_SECONDS="3600",
    )
    answers = ask_many(service.port, REQUESTS)
    service.stop()
    assert answers.unanswered == 0, service.said()
    counted = sink.total(
        "mlmonitor.predictions", status="ok", model_name="claims", model_version="7"
    )
    assert counted == REQUESTS, service.said()
    assert sink.named("mlmonitor.reference.mean", field="amount"), service.said()


def test_a_mistake_in_the_instrumentation_variables_leaves_the_service_running(
    serve: Starter, sink: Sink
) -> None:
    """It is logged, and requests are still answered."""
    service = serve(
        "run_instrumented",
        *SERVERS["uvicorn"],
        MLMONITOR_WATCH="unwatched:prophesy",
        MLMONITOR_MODEL="claims",
    )
    answers = ask_many(service.port, REQUESTS)
    service.stop()
    assert answers.unanswered == 0
    assert "MLMONITOR_WATCH: the module has no such callable" in service.said()
    assert sink.points == []
