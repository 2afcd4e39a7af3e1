"""The OTLP exporter against a server that answers as backends do: well, partly, or not at all."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from mlmonitor import ExportError, Otlp, catalog
from mlmonitor.export.base import THREAD_NAME, Point, Snapshot
from mlmonitor.export.delivery import Delivery
from mlmonitor.export.otlp import OtlpExporter

SNAPSHOT = Snapshot(
    "instance",
    "service",
    1_000,
    2_000,
    [Point(catalog.PREDICTIONS, (("model.name", "m"), ("status", s)), 3) for s in ("ok", "error")],
)


class Backend(ThreadingHTTPServer):
    """Answers every request with `status` and `body`, and remembers headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.body = 200, b""
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Backend

    def do_POST(self) -> None:
        """Take the body, and answer as told."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append({key.lower(): value for key, value in self.headers.items()})
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    """A backend on a port of its own."""
    server = Backend()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def exporter(backend: Backend) -> Iterator[OtlpExporter]:
    """An exporter to that backend."""
    made = Otlp.collector(backend.url, headers={"x-token": "s3cret"}, timeout_seconds=2)
    yield made
    made.close(timeout_seconds=0)


def test_a_full_success_is_all_accepted(exporter: OtlpExporter, backend: Backend) -> None:
    """An empty answer with 200 means that everything was taken; headers and gzip were sent."""
    assert exporter.send(SNAPSHOT) == (2, 0)
    (headers,) = backend.headers
    assert headers["x-token"] == "s3cret"
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/x-protobuf"


def test_credentials_of_another_destination_stay_away(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers of the standard variables go to what these variables name, and nowhere else."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic s3cret")
    exporter = Otlp.collector(backend.url)
    exporter.send(SNAPSHOT)
    exporter.close(timeout_seconds=0)
    (headers,) = backend.headers
    assert "authorization" not in headers


def test_only_our_own_words_are_logged_when_nobody_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client tells of each try; in the worker these lines are dropped, elsewhere kept."""
    exporter = Otlp.collector("http://127.0.0.1:9", timeout_seconds=1.5)
    thread = threading.Thread(
        target=Delivery(exporter, "c").send, args=(SNAPSHOT,), name=THREAD_NAME
    )
    thread.start()
    thread.join()
    assert [record.name for record in caplog.records] == ["mlmonitor"]


def test_a_partial_success_is_read(
    exporter: OtlpExporter, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Rejected points are counted and their reason is logged, though the status was 200."""
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 1
    answer.partial_success.error_message = "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM"
    backend.body = answer.SerializeToString()
    assert exporter.send(SNAPSHOT) == (1, 1)
    assert "UNSUPPORTED_METRIC_TYPE" in caplog.text


def test_an_answer_that_is_no_protobuf_is_still_an_answer(
    exporter: OtlpExporter, backend: Backend
) -> None:
    """Gateways answer 200 with a page of their own."""
    backend.body = b"<html>thank you</html>"
    assert exporter.send(SNAPSHOT) == (2, 0)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_a_refusal_is_an_error_that_names_the_status_and_no_secret(
    exporter: OtlpExporter, backend: Backend, status: int
) -> None:
    """Nothing was taken, and the message says why."""
    backend.status = status
    with pytest.raises(ExportError, match=str(status)) as caught:
        exporter.send(SNAPSHOT)
    assert "s3cret" not in str(caught.value)


def test_nobody_there_is_an_error() -> None:
    """A connection that is refused ends within the timeout."""
    exporter = Otlp.collector("http://127.0.0.1:9", timeout_seconds=0.5)
    with pytest.raises(ExportError):
        exporter.send(SNAPSHOT)
    exporter.close(timeout_seconds=0)
    exporter.close(timeout_seconds=0)
