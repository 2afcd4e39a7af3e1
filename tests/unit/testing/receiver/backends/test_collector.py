"""A collector accepts any valid OTLP."""

import math
import zlib
from collections.abc import Iterator

import pytest

from mlmonitor.testing import OtlpReceiver
from support.otlp_requests import (
    CUMULATIVE,
    DELTA,
    NOW,
    NOW_NS,
    PROTOBUF,
    UNSPECIFIED,
    buckets,
    counter,
    exponential,
    exponential_histogram,
    gauge,
    histogram,
    number,
    post,
    request,
    send,
    summary,
)

LONG_AGO = -NOW + 1

INVALID = {
    "no name": (gauge("", number(1)), "metric without a name"),
    "no temporality": (
        counter("bad", number(1), temporality=UNSPECIFIED),
        "aggregation temporality unspecified",
    ),
    "a key twice": (
        gauge("bad", number(1, [("a", "1"), ("a", "2")])),
        "attribute key sent twice",
    ),
    "no time": (gauge("bad", number(1, at=-NOW)), "point without a time"),
    "an interval turned round": (
        counter("bad", number(1, at=1, since=2)),
        "start time after the point's time",
    ),
    "no value": (gauge("bad", number(None)), "point without a value"),
    "a bucket short": (
        histogram("bad", buckets([1, 2], [1, 2])),
        "buckets are not one more than bounds",
    ),
    "bounds that fall": (histogram("bad", buckets([1, 2, 3], [2, 1])), "bounds do not ascend"),
    "bounds with NaN": (
        histogram("bad", buckets([1, 2, 3], [1, math.nan])),
        "bounds do not ascend",
    ),
}

VALID = {
    "a delta sum": counter("fine", number(1, since=-1), temporality=DELTA),
    "a cumulative sum": counter("fine", number(1, since=-1), temporality=CUMULATIVE),
    "a histogram without buckets": histogram("fine", buckets([], [])),
    "negative bounds": histogram("fine", buckets([1, 2], [-1])),
    "40 buckets": histogram("fine", buckets([1] * 40, range(39))),
    "an exponential histogram": exponential_histogram(
        "fine", exponential(-9, 0, [1], negative=(2, [3]))
    ),
    "a summary": summary("fine"),
    "an old point": gauge("fine", number(1, at=LONG_AGO)),
    "a point without a recorded value": gauge("fine", number(None, flags=1)),
    "any attributes": gauge("fine", number(1, {"f": 1.5, "a": [1], "m": {"k": b"x"}, "n": None})),
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that behaves like a collector."""
    with OtlpReceiver(clock=lambda: NOW) as receiver:
        yield receiver


@pytest.mark.parametrize("metric", VALID.values(), ids=VALID)
def test_valid_points_are_stored(receiver: OtlpReceiver, metric: object) -> None:
    """Any temporality, age and attributes are accepted."""
    reply = send(receiver, metric)
    assert (reply.status, reply.body) == (200, b"")
    assert receiver.ledger.accepted == 1


@pytest.mark.parametrize(("metric", "reason"), INVALID.values(), ids=INVALID)
def test_only_invalid_points_are_refused(
    receiver: OtlpReceiver, metric: object, reason: str
) -> None:
    """The answer is a partial success, and the valid points are stored."""
    reply = send(receiver, gauge("good", number(1)), metric)
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 1
    assert reply.partial.error_message == reason
    assert receiver.ledger.names == ("good",)


@pytest.mark.parametrize("is_exponential", [False, True])
def test_buckets_that_do_not_add_up_are_refused(
    receiver: OtlpReceiver, *, is_exponential: bool
) -> None:
    """The count of a histogram must be the sum of its buckets."""
    point = exponential(0, 0, [1, 2]) if is_exponential else buckets([1, 2], [1])
    point.count = 4
    metric = exponential_histogram("h", point) if is_exponential else histogram("h", point)
    assert send(receiver, metric).partial.error_message == "buckets do not add up to the count"


@pytest.mark.parametrize("profile", ["prometheus", "mimir"])
def test_backends_that_store_invalid_otlp_are_shown_in_the_ledger(profile: str) -> None:
    """These backends do not compare the count with the buckets; a warning says so."""
    point = buckets([1, 2], [1], sum=1)
    point.count = 4
    with OtlpReceiver(profile, clock=lambda: NOW) as receiver:  # type: ignore[arg-type]
        assert send(receiver, histogram("h", point, temporality=CUMULATIVE)).status == 200
        assert receiver.ledger.warnings == {
            "accepted, but not valid OTLP: buckets do not add up to the count": 1
        }


@pytest.mark.parametrize(
    ("encoding", "pack"), [("deflate", zlib.compress), ("identity", bytes), ("", bytes)]
)
def test_deflated_and_plain_bodies_are_read(
    receiver: OtlpReceiver, encoding: str, pack: object
) -> None:
    """Gzip is covered by the tests of the official exporters."""
    data = pack(request(gauge("g", number(1))).SerializeToString())  # type: ignore[operator]
    assert post(receiver, data, {**PROTOBUF, "Content-Encoding": encoding}).status == 200
    assert receiver.ledger.gauge("g") == 1


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {**PROTOBUF, "Content-Encoding": "br"}]
)
def test_an_unsupported_content_type_is_answered_with_415(
    receiver: OtlpReceiver, headers: dict[str, str]
) -> None:
    """The OTLP specification demands it."""
    assert post(receiver, b"", headers).status == 415


def test_a_body_that_is_not_otlp_is_answered_with_400(receiver: OtlpReceiver) -> None:
    """It is counted as one refusal."""
    assert post(receiver, b"\xff\xff").status == 400
    assert receiver.ledger.refused == {"not OTLP": 1}


def test_a_small_body_that_expands_hugely_is_answered_with_413(receiver: OtlpReceiver) -> None:
    """Decompression stops at the limit, so memory stays bounded."""
    bomb = zlib.compress(bytes(21 * 1024 * 1024), 9)
    assert len(bomb) < 100_000
    assert post(receiver, bomb, {**PROTOBUF, "Content-Encoding": "deflate"}).status == 413
    assert receiver.ledger.requests[0].body_bytes < 21 * 1024 * 1024


def test_series_are_identified_by_resource_scope_and_attributes(receiver: OtlpReceiver) -> None:
    """Times and values are stored as they were sent."""
    for pod in ("a", "b"):
        send(receiver, gauge("g", number(1, {"x": 1}, at=1, since=-1)), resource={"pod": pod})
    first, second = receiver.ledger.series("g", x=1)
    assert (first.resource, second.resource) == ((("pod", "a"),), (("pod", "b"),))
    assert first.values == [(NOW_NS - 10**9, NOW_NS + 10**9, 1)]
    assert receiver.ledger.series("g", pod="b") == (second,)
