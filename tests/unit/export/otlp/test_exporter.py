"""The OTLP exporter against servers that accept all, some or nothing."""

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from mlmonitor import ExportError, Otlp, catalog
from mlmonitor.errors import ExportClosed, ExportRefused, ExportTimeout
from mlmonitor.export.base import Point, Snapshot
from mlmonitor.export.otlp import exporter as exporter_module
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.series.grouping import group_points
from mlmonitor.testing import (
    Drop,
    Garbage,
    ManualClock,
    OtlpReceiver,
    PartialSuccess,
    Redirect,
    Refuse,
    Slow,
)

TOKEN = "dt0c01.PUBLIC.s3cretpart"  # noqa: S105 - of a test's own server
START = 1_700_000_000.0
TOTAL = "mlmonitor.predictions"
RETRY_SECONDS = exporter_module._RETRY_SECONDS
"""Read before a fixture sets it to 0."""


def snapshot(value: int = 3, *, after: float = 60.0, statuses: int = 2) -> Snapshot:
    """Return a counter of some series."""
    points = [
        Point(catalog.PREDICTIONS, (("model.name", "m"), ("status", str(at))), value)
        for at in range(statuses)
    ]
    return Snapshot("i", "s", int(START * 1e9), int((START + after) * 1e9), group_points(points))


@pytest.fixture
def receiver(clock: ManualClock) -> Iterator[OtlpReceiver]:
    """A collector."""
    with OtlpReceiver("collector", clock=clock) as server:
        yield server


@pytest.fixture
def exporter(receiver: OtlpReceiver) -> Iterator[OtlpExporter]:
    """An exporter to that collector."""
    otlp_exporter = Otlp.collector(
        receiver.url, headers={"x-token": "s3cretpart"}, timeout_seconds=1
    )
    yield otlp_exporter
    otlp_exporter.close(timeout_seconds=0)


def test_a_full_success_accepts_all_points(exporter: OtlpExporter, receiver: OtlpReceiver) -> None:
    """An empty answer with status 200 is a success, and the request is compressed."""
    assert exporter.send(snapshot())[:5] == (2, 0, 0, 0, "")
    assert receiver.ledger.total(TOTAL) == 6
    assert not receiver.ledger.warnings
    (request,) = receiver.ledger.requests
    assert request.wire_bytes < request.body_bytes


def test_a_partial_success_is_counted_as_rejected_points(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """The reason is reported although the status is 200."""
    receiver.next(PartialSuccess(1, "UNSUPPORTED_METRIC_TYPE\n"))
    delivered = exporter.send(snapshot())
    assert delivered[:4] == (1, 1, 0, 0)
    assert delivered.reason.endswith(": UNSUPPORTED_METRIC_TYPE")


def test_an_answer_that_is_not_protobuf_is_judged_by_its_status(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """Gateways answer with pages of their own, or answers end half-way."""
    receiver.next(Garbage())
    assert exporter.send(snapshot())[:2] == (2, 0)
    receiver.next(Slow(5, "body"))
    assert exporter.send(snapshot(after=61))[:2] == (2, 0)


@pytest.mark.parametrize(
    ("code", "hint", "kind"),
    [
        (400, "refuses it", ExportRefused),
        (401, "renew it", ExportError),
        (403, "metrics.ingest", ExportError),
        (404, "is the URL right", ExportError),
        (413, "too large", ExportRefused),
        (415, "gzipped protobuf", ExportRefused),
        (500, "500", ExportRefused),
        (503, "503", ExportError),
    ],
)
def test_a_refusal_is_an_error_that_names_the_status_and_no_secret(
    exporter: OtlpExporter,
    receiver: OtlpReceiver,
    code: int,
    hint: str,
    kind: type[ExportError],
) -> None:
    """It repeats the server's message without secrets, and says what to do."""
    receiver.next(Refuse(code, message="who is s3cretpart?"), times=2 if code == 503 else 1)
    with pytest.raises(ExportError, match=hint) as caught:
        exporter.send(snapshot())
    assert type(caught.value) is kind
    assert str(code) in str(caught.value)
    assert "s3cretpart" not in str(caught.value)
    assert "who is ***?" in str(caught.value)
    assert exporter.send(snapshot(after=61)).accepted == 2


def test_an_unreachable_destination_is_an_error() -> None:
    """A refused connection fails at once, and closing twice does nothing."""
    exporter = Otlp.collector("http://127.0.0.1:9", timeout_seconds=0.5)
    with pytest.raises(ExportError, match="cannot be reached"):
        exporter.send(snapshot())
    exporter.close(timeout_seconds=0)
    exporter.close(timeout_seconds=0)


@pytest.mark.parametrize("fault", [Slow(5), Drop("unread"), Drop("stored"), Drop("half-way")])
def test_a_total_without_an_answer_is_sent_again(
    exporter: OtlpExporter, receiver: OtlpReceiver, fault: Any
) -> None:
    """Sending totals twice is harmless, so nothing counts as possibly lost."""
    receiver.next(fault)
    with suppress(ExportTimeout, ExportClosed):
        assert exporter.send(snapshot())[1:4] == (0, 0, 0)  # half an answer has a status
    assert exporter.send(snapshot(4, after=70)).accepted == 2
    assert receiver.ledger.total(TOTAL) == 8


def served(then: Callable[[socket.socket, bytes], None]) -> tuple[socket.socket, str]:
    """Run a server that answers through `then`, and return its socket and URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = server.accept()
            with connection:
                then(connection, connection.recv(65_536))
        except OSError:  # the client has gone, as it should
            return

    threading.Thread(target=serve, daemon=True).start()
    return server, f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_answers_byte_by_byte_does_not_delay_an_export() -> None:
    """Each read is within its timeout, but the whole answer is not."""
    stop = threading.Event()

    def drip(connection: socket.socket, _request: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1_000:
            connection.send(bytes([byte]))
            if stop.wait(0.05):
                return

    server, url = served(drip)
    with closing(server):
        exporter = Otlp.collector(url, timeout_seconds=0.3)
        try:
            with pytest.raises(ExportTimeout):
                exporter.send(snapshot())
        finally:
            stop.set()


def test_a_destination_that_requests_a_pause_gets_no_export_during_it(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """The worker does not wait; exports in the meantime fail at once."""
    receiver.next(Refuse(503, retry_after_seconds=100))
    with pytest.raises(ExportError, match="503"):
        exporter.send(snapshot(after=0))
    with pytest.raises(ExportError, match="a pause"):
        exporter.send(snapshot(after=99))
    assert len(receiver.ledger.requests) == 1
    assert exporter.send(snapshot(after=100)).accepted == 2


def test_a_request_that_is_too_large_is_halved_and_later_ones_are_smaller(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """All points arrive in the same export."""
    receiver.script([Refuse(413)])
    assert exporter.send(snapshot(statuses=1_000)).accepted == 1_000
    assert [request.points for request in receiver.ledger.requests] == [0, 500, 500]
    assert exporter.send(snapshot(4, after=70, statuses=1_000)).accepted == 1_000
    assert receiver.ledger.total(TOTAL) == 4_000
    assert all(request.points <= 500 for request in receiver.ledger.requests[1:])


@pytest.mark.slow
def test_one_refused_request_does_not_affect_the_others_of_an_export(clock: ManualClock) -> None:
    """The next export contains what the refused one did."""
    with OtlpReceiver("dynatrace", token=TOKEN, clock=clock) as receiver:
        exporter = Otlp.dynatrace(receiver.url, token=TOKEN)
        receiver.script([None, Refuse(500)])
        delivered = exporter.send(snapshot(1, after=1, statuses=12_000))
        assert delivered[:4] == (7_000, 0, 5_000, 0)
        assert receiver.ledger.total(TOTAL) == 7_000
        assert exporter.send(snapshot(2, after=60, statuses=12_000)).accepted == 12_000
        assert receiver.ledger.total(TOTAL) == 24_000
        assert not receiver.ledger.warnings


@pytest.mark.parametrize(("ambiguous", "stored"), [("advance", 3), ("keep", 9)])
def test_a_delta_without_an_answer_is_handled_as_configured(
    clock: ManualClock, ambiguous: Any, stored: int
) -> None:
    """With at-most-once it may be lost, with at-least-once counted twice; both are reported."""
    with OtlpReceiver("dynatrace", token=TOKEN, clock=clock) as receiver:
        exporter = Otlp.dynatrace(
            receiver.url, token=TOKEN, ambiguous=ambiguous, timeout_seconds=0.5
        )
        receiver.next(Drop("stored") if ambiguous == "keep" else Drop("unread"))
        delivered = exporter.send(snapshot(3, after=1, statuses=1))
        lost, doubled = (1, 0) if ambiguous == "advance" else (0, 1)
        assert (delivered.failed, delivered.possibly_lost, delivered.possibly_doubled) == (
            0,
            lost,
            doubled,
        )
        assert delivered.closed == 1
        assert "the connection was closed without an answer" in delivered.reason
        exporter.send(snapshot(6, after=60, statuses=1))
        assert receiver.ledger.total(TOTAL) == stored


@pytest.mark.parametrize("code", [307, 308])
def test_a_redirect_is_followed_only_within_the_same_origin(
    exporter: OtlpExporter, receiver: OtlpReceiver, code: Any
) -> None:
    """Credentials are not sent to another host or port."""
    receiver.next(Redirect(receiver.metrics_url, code))
    assert exporter.send(snapshot()).accepted == 2
    with OtlpReceiver("collector") as elsewhere:
        receiver.next(Redirect(elsewhere.metrics_url, code))
        with pytest.raises(ExportError, match="final URL"):
            exporter.send(snapshot(after=61))
        assert not elsewhere.ledger.requests


def test_an_endless_redirect_fails_after_three_steps(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """It then counts as a refusal."""
    receiver.script(lambda _number: Redirect(receiver.metrics_url))
    with pytest.raises(ExportError, match="status 307"):
        exporter.send(snapshot())
    assert len(receiver.ledger.requests) == 4


def test_a_collector_that_returns_gets_all_totals(
    exporter: OtlpExporter, receiver: OtlpReceiver
) -> None:
    """Exports during an outage are refused and lose nothing."""
    with receiver.down(), pytest.raises(ExportError, match="cannot be reached"):
        exporter.send(snapshot(1))
    exporter.send(snapshot(3, after=62))
    assert receiver.ledger.total(TOTAL) == 6


def test_answers_over_grpc_are_read_like_those_over_http(clock: ManualClock) -> None:
    """They are partial success, refusals, pauses, size limits and missing servers."""
    pytest.importorskip("grpc", reason="extra grpc")
    with OtlpReceiver("collector", protocol="grpc", clock=clock) as receiver:
        exporter = Otlp.collector(receiver.url, protocol="grpc", headers={"X-Token": "s3cretpart"})
        receiver.next(PartialSuccess(1, "no"))
        assert exporter.send(snapshot())[:2] == (1, 1)
        receiver.next(Refuse("INVALID_ARGUMENT", message="s3cretpart"))
        with pytest.raises(ExportError, match=r"INVALID_ARGUMENT \*\*\*"):
            exporter.send(snapshot(after=61))
        receiver.next(Refuse("RESOURCE_EXHAUSTED", message="received message larger than max"))
        assert exporter.send(snapshot(after=62, statuses=1_000)).accepted == 1_000
        receiver.next(Refuse("UNAVAILABLE", retry_after_seconds=40))
        with pytest.raises(ExportError, match="UNAVAILABLE"):
            exporter.send(snapshot(after=63))
        with pytest.raises(ExportError, match="a pause"):
            exporter.send(snapshot(after=102))
        with receiver.down(), pytest.raises(ExportError, match="UNAVAILABLE"):
            exporter.send(snapshot(after=103))
        exporter.close(timeout_seconds=0)


def test_credentials_are_never_sent_to_another_destination(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Headers of the standard variables and a `.netrc` do not get into a request."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic s3cretpart")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login l password s3cretpart\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[bytes] = []
    server, url = served(lambda _connection, request: seen.append(request))
    with closing(server), pytest.raises(ExportError):
        Otlp.collector(url, timeout_seconds=0.5).send(snapshot())
    assert b"x-protobuf" in seen[0]
    assert b"uthorization" not in seen[0]


def test_exports_are_not_recorded_by_the_tracing_of_the_host(
    exporter: OtlpExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context suppresses instrumentation during a send and not afterwards."""
    from opentelemetry import context

    key = context._SUPPRESS_INSTRUMENTATION_KEY
    seen = []
    process = exporter._process
    post = process.transport.post

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(context.get_value(key))
        return post(*args, **options)

    monkeypatch.setattr(process.transport, "post", watched)
    exporter.send(snapshot())
    assert seen == [True]
    assert context.get_value(key) is None
    monkeypatch.delitem(sys.modules, "opentelemetry.context")
    exporter.send(snapshot(after=61))
    assert seen == [True, None]


def test_no_credential_appears_in_texts_or_logs(
    receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts are reprs, messages, the logs of requests and urllib3, and their locals."""
    exporter = Otlp.dynatrace(receiver.url, token=TOKEN, headers={"x": "s3cretpart"})
    with caplog.at_level(logging.DEBUG), pytest.raises(ExportError) as caught:
        exporter.send(snapshot())
    shown = [repr(exporter), repr(vars(exporter)), str(caught.value), caplog.text]
    frame = caught.tb
    while frame is not None:
        shown.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next  # type: ignore[assignment]  # None ends it
    assert "s3cretpart" not in "".join(shown)


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_short_unavailability_delays_an_export_only_briefly(
    exporter: OtlpExporter, receiver: OtlpReceiver, code: int
) -> None:
    """Without a requested pause, each export is tried once more, which covers a restart."""
    receiver.next(Refuse(code))
    assert exporter.send(snapshot()).accepted == 2
    receiver.next(Refuse(code), times=2)
    with pytest.raises(ExportError, match=str(code)):
        exporter.send(snapshot(after=61))
    assert len(receiver.ledger.requests) == 4


def test_the_retry_within_an_export_comes_after_a_quarter_of_a_second(
    exporter: OtlpExporter, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documentation says so; the fixture that removes the pause elsewhere is undone here."""
    pauses: list[float] = []
    monkeypatch.setattr(exporter_module, "_RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(exporter_module, "time", SimpleNamespace(sleep=pauses.append))
    receiver.next(Refuse(503))
    assert exporter.send(snapshot()).accepted == 2
    assert pauses == [0.25]
