"""What answers of a server mean."""

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from mlmonitor.export.otlp.response import LONGEST_PAUSE_SECONDS, Answer, read_answer
from mlmonitor.export.otlp.rpc_status import parse_rpc_status
from mlmonitor.secret import Secret

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Interpret an HTTP answer."""
    header_values = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(
        status, header_values, body, secrets=[Secret("s3cretpart")], now_unix_seconds=NOW
    )


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("7", 7.0),
        ("7.5", 7.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("inf", LONGEST_PAUSE_SECONDS),
        ("86400", LONGEST_PAUSE_SECONDS),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("tomorrow", 0.0),
        ("", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_header_is_read_in_either_form_and_bounded(
    status: int, retry_after: str, pause: float
) -> None:
    """It has seconds or a date; invalid values mean no pause."""
    assert answer(status, retry_after=retry_after).pause_seconds == pause


def test_a_retry_date_is_relative_to_the_date_of_the_answer() -> None:
    """The clocks of the two sides may differ by hours."""
    read = answer(
        503, retry_after="Tue, 14 Nov 2023 12:01:00 GMT", date="Tue, 14 Nov 2023 12:00:00 GMT"
    )
    assert read.pause_seconds == 60


def test_an_impossible_number_of_rejected_points_is_corrected() -> None:
    """It is negative, or larger than the number of points sent."""
    body = ExportMetricsServiceResponse()
    body.partial_success.rejected_data_points = -5
    assert answer(200, body.SerializeToString()) == Answer("stored")
    assert answer(204) == answer(200, b"\xff<html>") == Answer("stored")


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "Text/HTML"])
def test_an_html_answer_is_reported_as_suspicious(kind: str) -> None:
    """A login page or a proxy answers 200 too, and so does a gateway that accepted the data."""
    read = answer(200, b"<html>Please sign in</html>", content_type=kind)
    assert (read.kind, read.rejected) == ("stored", 0)
    assert "web page" in read.reason
    assert "check the URL" in read.reason


def test_the_message_of_a_server_is_shown_on_one_line_and_without_secrets() -> None:
    """It is a `google.rpc.Status` or text; HTML pages are left out."""
    status = b"\x08\x03\x12\x12no\ns3cretpart here"
    assert parse_rpc_status(status) == ("no\ns3cretpart here", 0.0)
    reason = answer(400, status, content_type="application/x-protobuf").reason
    assert reason.endswith("(it says: no *** here)")
    assert answer(400, b"\n bad  \x00 s3cretpart\n").reason.endswith("(it says: bad ***)")
    assert "says" not in answer(502, b"<html>oh").reason
    assert "says" not in answer(400, b"\xff\xff", content_type="application/x-protobuf").reason
    assert len(answer(400, b"x" * 100_000).reason) < 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_that_says_what_to_do(status: int) -> None:
    """Nothing is sent to the new address."""
    read = answer(status, location="https://evil.example/")
    assert read.kind == "refused"
    assert "final URL" in read.reason
    assert "evil" not in read.reason


def test_a_pause_requested_in_protobuf_is_read() -> None:
    """It is the `RetryInfo` in the details of a gRPC status; invalid ones mean no pause."""
    from google.protobuf.any_pb2 import Any
    from google.protobuf.duration_pb2 import Duration

    delay = Duration(seconds=2, nanos=500_000_000).SerializeToString()
    info = Any(
        type_url="type.googleapis.com/google.rpc.RetryInfo",
        value=bytes([10, len(delay)]) + delay,
    ).SerializeToString()
    body = b"\x08\x0e\x12\x04busy" + bytes([26, len(info)]) + info
    assert parse_rpc_status(body) == ("busy", 2.5)
    assert parse_rpc_status(b"\xff\xff") == parse_rpc_status(b"") == ("", 0.0)
    assert parse_rpc_status(b"\x12\x02no\x1a\x01\xff") == ("no", 0.0)
