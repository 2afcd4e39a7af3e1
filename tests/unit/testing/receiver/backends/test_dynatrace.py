"""Documented rules of Dynatrace, tested on both sides of each limit with handmade requests."""

import gzip
import math
from collections.abc import Iterator

import pytest

from mlmonitor.testing import OtlpReceiver
from mlmonitor.testing.receiver.backends import dynatrace as rules
from support.otlp_requests import (
    CUMULATIVE,
    DELTA,
    NOW,
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

GOOD = gauge("good", number(1.0))


REFUSED = {
    "a summary": (summary("bad"), "UNSUPPORTED_METRIC_TYPE_SUMMARY"),
    "a cumulative histogram": (
        histogram("bad", buckets([1], [], sum=1), temporality=CUMULATIVE),
        "UNSUPPORTED_METRIC_TYPE_CUMULATIVE_HISTOGRAM",
    ),
    "a cumulative exponential histogram": (
        exponential_histogram("bad", exponential(0, 0, [1], sum=1), temporality=CUMULATIVE),
        "UNSUPPORTED_METRIC_TYPE_CUMULATIVE_HISTOGRAM",
    ),
    "no temporality": (counter("bad", number(1), temporality=UNSPECIFIED), rules.NO_TEMPORALITY),
    "no sum": (histogram("bad", buckets([1, 2], [1])), rules.NO_SUM),
    "no sum, exponential": (exponential_histogram("bad", exponential(0, 0, [1])), rules.NO_SUM),
    "sum is NaN": (histogram("bad", buckets([1, 2], [1], sum=math.nan)), rules.VALUE_INVALID),
    "bounds fall": (histogram("bad", buckets([1, 2, 3], [2, 1], sum=1)), rules.BUCKETS_INVALID),
    "bounds repeat": (histogram("bad", buckets([1, 2, 3], [1, 1], sum=1)), rules.BUCKETS_INVALID),
    "NaN bound": (histogram("bad", buckets([1, 2], [math.nan], sum=1)), rules.BUCKETS_INVALID),
    "infinite bound": (histogram("bad", buckets([1, 2], [math.inf], sum=1)), rules.BUCKETS_INVALID),
    "a bucket short": (histogram("bad", buckets([1, 2], [1, 2], sum=1)), rules.BUCKETS_INVALID),
    "13 buckets": (histogram("bad", buckets([1] * 13, range(12), sum=1)), rules.BUCKETS_INVALID),
    "negative bound": (histogram("bad", buckets([1, 1], [-0.1], sum=1)), rules.BUCKETS_INVALID),
    "NaN": (gauge("bad", number(math.nan)), rules.VALUE_INVALID),
    "infinity": (gauge("bad", number(-math.inf)), rules.VALUE_INVALID),
    "no value": (gauge("bad", number(None)), rules.VALUE_INVALID),
    "a key of Dynatrace": (gauge("dt.bad", number(1)), rules.KEY_RESERVED),
    "a key of 1": (gauge("x", number(1)), rules.KEY_INVALID),
    "a key of 256": (gauge("x" * 256, number(1)), rules.KEY_INVALID),
    "a key without a valid character": (gauge("äöü", number(1)), rules.KEY_INVALID),
    "older than an hour": (gauge("bad", number(1, at=-3_601)), rules.TIME_INVALID),
    "beyond ten minutes": (gauge("bad", number(1, at=601)), rules.TIME_INVALID),
    "51 dimensions": (
        gauge("bad", number(1, {f"d{at}": "v" for at in range(51)})),
        "DIMENSION_COUNT_EXCEEDED",
    ),
}

FINE = {
    "12 buckets from 0 up": histogram("fine", buckets([1] * 12, range(11), sum=0)),
    "one bucket": histogram("fine", buckets([3], [], sum=1)),
    "no buckets": histogram("fine", buckets([], [], sum=1)),
    "exponential": exponential_histogram("fine", exponential(0, -3, [1, 2], zeros=4, sum=1)),
    "a key of 2": gauge("fi", number(0)),
    "a key of 255": gauge("f" * 255, number(1e300)),
    "an hour old": gauge("fine", number(1, at=-3_600)),
    "ten minutes ahead": gauge("fine", number(1, at=600)),
    "50 dimensions": gauge("fine", number(1, {f"d{at}": "v" for at in range(50)})),
    "nearly a key of Dynatrace": gauge("dtx.fine", number(1)),
    "a unit of 63": gauge("fine", number(1), unit="u" * 63),
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that behaves like Dynatrace and requires no token."""
    with OtlpReceiver("dynatrace", clock=lambda: NOW) as receiver:
        yield receiver


def test_delta_counters_are_stored_and_cumulative_ones_refused_by_name(
    receiver: OtlpReceiver,
) -> None:
    """The status is still 200; the reason is in the partial success."""
    taken = counter("taken", number(3, since=-60))
    refused = counter("refused", number(3, since=-60), temporality=CUMULATIVE)
    reply = send(receiver, taken, refused)
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 1
    assert "'refused' - Reason: UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM" in (
        reply.partial.error_message
    )
    assert receiver.ledger.total("taken") == 3
    assert receiver.ledger.names == ("taken",)
    assert receiver.ledger.refused == {rules.CUMULATIVE_SUM: 1}


def test_non_monotonic_sums_are_stored_in_either_temporality(receiver: OtlpReceiver) -> None:
    """Cumulative ones are read as gauges, and delta ones as counters."""
    sums = [
        counter(name, number(2, since=-60), temporality=temporality, is_monotonic=False)
        for name, temporality in (("level", CUMULATIVE), ("steps", DELTA))
    ]
    assert send(receiver, *sums).status == 200
    assert receiver.ledger.gauge("level") == 2
    assert receiver.ledger.total("steps") == 2


@pytest.mark.parametrize(("metric", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_point_that_breaks_a_rule_is_refused_alone(
    receiver: OtlpReceiver, metric: object, reason: str
) -> None:
    """The other point of the request is stored, the status is 200, and the reason is counted."""
    reply = send(receiver, GOOD, metric)
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 1
    assert f"Reason: {reason}" in reply.partial.error_message
    assert receiver.ledger.refused == {reason: 1}
    assert receiver.ledger.names == ("good",)


@pytest.mark.parametrize("metric", FINE.values(), ids=FINE)
def test_a_point_just_inside_the_dynatrace_rules_is_stored_without_a_warning(
    receiver: OtlpReceiver, metric: object
) -> None:
    """The answer is 200 with an empty body."""
    reply = send(receiver, metric)
    assert (reply.status, reply.body) == (200, b"")
    assert receiver.ledger.accepted == 1
    assert not receiver.ledger.refused
    assert not receiver.ledger.warnings


@pytest.mark.parametrize(
    "point",
    [buckets([1] * 13, range(12), sum=1), buckets([1, 1], [-0.1], sum=1)],
    ids=["13 buckets", "negative bound"],
)
def test_bucket_rules_of_dynatrace_managed_can_be_switched_off(point: object) -> None:
    """The documentation of SaaS mentions neither 12 buckets nor negative bounds."""
    with OtlpReceiver("dynatrace", clock=lambda: NOW, is_managed=False) as receiver:
        assert send(receiver, histogram("fine", point)).partial.rejected_data_points == 0
        assert receiver.ledger.accepted == 1


def test_the_status_is_400_only_if_all_points_are_invalid(receiver: OtlpReceiver) -> None:
    """The message of the error then holds the reasons."""
    reply = send(receiver, summary("one"), gauge("two", number(math.nan)))
    assert reply.status == 400
    assert "UNSUPPORTED_METRIC_TYPE_SUMMARY" in reply.message
    assert receiver.ledger.refused.total() == 2


def test_a_request_over_4_mb_uncompressed_is_dropped_whole(receiver: OtlpReceiver) -> None:
    """Compression does not help: the limit counts the uncompressed bytes."""
    padding = rules.MOST_BYTES - len(request(gauge("pad", number(1))).SerializeToString())
    for size, status in ((padding - 30, 200), (padding + 30, 413)):
        body = request(gauge("pad", number(1)), resource={"padding": "x" * size})
        data = body.SerializeToString()
        assert (len(data) > rules.MOST_BYTES) == (status == 413)
        headers = {**PROTOBUF, "Content-Encoding": "gzip"}
        assert post(receiver, gzip.compress(data), headers).status == status
    assert [one.status for one in receiver.ledger.requests] == [200, 413]
    assert receiver.ledger.accepted == 1
    assert receiver.ledger.refused == {"request too large": 1}


def test_a_request_of_more_than_15000_points_is_dropped_whole(receiver: OtlpReceiver) -> None:
    """A single point above the limit makes all of them fail."""
    points = [number(1, at=-at / 1000) for at in range(15_000)]
    assert send(receiver, gauge("many", *points)).status == 200
    assert receiver.ledger.accepted == 15_000
    assert send(receiver, gauge("many", *points), GOOD).status == 400
    assert receiver.ledger.accepted == 15_000
    assert receiver.ledger.refused == {rules.TOO_MANY_POINTS: 15_001}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({}, 415),
        ({**PROTOBUF, "Content-Encoding": "deflate"}, 415),
        ({"Content-Type": "application/x-protobuf; charset=binary"}, 200),
    ],
)
def test_only_protobuf_is_read_plain_or_as_gzip(
    receiver: OtlpReceiver, headers: dict[str, str], status: int
) -> None:
    """JSON is not supported."""
    assert post(receiver, request(GOOD), headers).status == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("dt0c01.secret", 401),
        ("Basic dt0c01.secret", 401),
        ("Api-Token", 401),
        ("Api-Token dt0c01.other", 403),
        ("Api-Token dt0c01.secret", 200),
        ("Bearer dt0c01.secret", 200),
    ],
)
def test_a_token_is_required_if_one_was_configured(authorization: str | None, status: int) -> None:
    """Without a token the status is 401, with a wrong scope 403; the token is never shown."""
    with OtlpReceiver("dynatrace", token="dt0c01.secret", clock=lambda: NOW) as receiver:  # noqa: S106 - not a real one
        sent = {} if authorization is None else {"Authorization": authorization}
        reply = post(receiver, request(GOOD), {**PROTOBUF, **sent})
        assert reply.status == status
        assert (receiver.ledger.accepted == 1) == (status == 200)
        assert "secret" not in repr(receiver) + str(reply) + repr(receiver.ledger.requests)


def test_invalid_names_are_repaired_and_the_repair_is_reported(receiver: OtlpReceiver) -> None:
    """The point is stored under the repaired key, and the ledger finds it under both."""
    send(receiver, gauge("1st métric", number(7)))
    assert receiver.ledger.gauge("_st_m_tric") == receiver.ledger.gauge("1st métric") == 7
    assert receiver.ledger.warnings == {"metric key changed: '1st métric' to '_st_m_tric'": 1}


def test_a_unit_that_is_too_long_is_dropped_and_reported(receiver: OtlpReceiver) -> None:
    """The point is stored without it."""
    send(receiver, gauge("long", number(1), unit="u" * 64))
    assert receiver.ledger.warnings == {"unit dropped, it is too long: 'long'": 1}


def test_a_point_without_a_recorded_value_is_ignored(receiver: OtlpReceiver) -> None:
    """It counts neither as refused nor as accepted."""
    assert send(receiver, gauge("gone", number(None, flags=1))).status == 200
    assert receiver.ledger.accepted == 0
    assert not receiver.ledger.refused


def test_two_processes_that_write_one_series_at_one_time_are_reported(
    receiver: OtlpReceiver,
) -> None:
    """By default `service.instance.id` is not a dimension, so workers cannot be distinguished."""
    for instance in ("a", "b"):
        send(
            receiver,
            counter("served", number(5, since=-60)),
            resource={"service.instance.id": instance},
        )
    assert receiver.ledger.total("served") == 10
    assert receiver.ledger.warnings == {"two processes wrote one series at one time": 1}


def test_series_that_become_equal_when_dimensions_are_truncated_are_reported(
    receiver: OtlpReceiver,
) -> None:
    """Values that differ only after 255 characters are one series in Dynatrace."""
    points = [number(1, {"path": "x" * 255 + end}, at=at) for at, end in enumerate("ab")]
    send(receiver, gauge("cut", *points))
    assert receiver.ledger.warnings == {
        "dimension value cut: 'path'": 2,
        "series of different attributes became one": 1,
    }
