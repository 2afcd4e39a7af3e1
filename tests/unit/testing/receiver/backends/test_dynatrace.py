"""Dynatrace's documented rules, each from both sides, by requests made by hand."""

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
    """A Dynatrace that asks for no token."""
    with OtlpReceiver("dynatrace", clock=lambda: NOW) as receiver:
        yield receiver


def test_delta_counters_are_stored_and_cumulative_ones_refused_by_name(
    receiver: OtlpReceiver,
) -> None:
    """The answer is 200 all the same: the reason is in the partial success."""
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


def test_sums_that_may_fall_are_stored_in_either_temporality(receiver: OtlpReceiver) -> None:
    """Cumulative they are gauges, delta they are counters."""
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
    """Its neighbour is taken, the status is 200, the reason is counted and told."""
    reply = send(receiver, GOOD, metric)
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 1
    assert f"Reason: {reason}" in reply.partial.error_message
    assert receiver.ledger.refused == {reason: 1}
    assert receiver.ledger.names == ("good",)


@pytest.mark.parametrize("metric", FINE.values(), ids=FINE)
def test_a_point_just_inside_the_rules_is_stored_without_a_warning(
    receiver: OtlpReceiver, metric: object
) -> None:
    """No reason and no warning: 200 with an empty answer."""
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
def test_rules_on_buckets_of_dynatrace_managed_can_be_switched_off(point: object) -> None:
    """The pages of SaaS name neither 12 buckets nor negative bounds."""
    with OtlpReceiver("dynatrace", clock=lambda: NOW, is_managed=False) as receiver:
        assert send(receiver, histogram("fine", point)).partial.rejected_data_points == 0
        assert receiver.ledger.accepted == 1


def test_the_status_is_400_only_if_all_points_are_invalid(receiver: OtlpReceiver) -> None:
    """The reasons are in the error's message then."""
    reply = send(receiver, summary("one"), gauge("two", number(math.nan)))
    assert reply.status == 400
    assert "UNSUPPORTED_METRIC_TYPE_SUMMARY" in reply.message
    assert receiver.ledger.refused.total() == 2


def test_a_request_over_4_mb_uncompressed_is_dropped_whole(receiver: OtlpReceiver) -> None:
    """Compression does not help: it is 413 however small it is on the wire."""
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
    """One point more, and none is taken."""
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
def test_only_protobuf_plain_or_gzip_is_read(
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
def test_a_token_is_asked_for_where_one_was_configured(
    authorization: str | None, status: int
) -> None:
    """Without one 401, with one that may not ingest 403; it is shown nowhere."""
    with OtlpReceiver("dynatrace", token="dt0c01.secret", clock=lambda: NOW) as receiver:  # noqa: S106 - not a real one
        sent = {} if authorization is None else {"Authorization": authorization}
        reply = post(receiver, request(GOOD), {**PROTOBUF, **sent})
        assert reply.status == status
        assert (receiver.ledger.accepted == 1) == (status == 200)
        assert "secret" not in repr(receiver) + str(reply) + repr(receiver.ledger.requests)


def test_names_are_repaired_and_the_repair_is_reported(receiver: OtlpReceiver) -> None:
    """The point is taken under the mended key, and found under both."""
    send(receiver, gauge("1st métric", number(7)))
    assert receiver.ledger.gauge("_st_m_tric") == receiver.ledger.gauge("1st métric") == 7
    assert receiver.ledger.warnings == {"metric key changed: '1st métric' to '_st_m_tric'": 1}


def test_a_unit_that_is_too_long_is_dropped_and_reported(receiver: OtlpReceiver) -> None:
    """The point is taken without it."""
    send(receiver, gauge("long", number(1), unit="u" * 64))
    assert receiver.ledger.warnings == {"unit dropped, it is too long: 'long'": 1}


def test_a_point_without_a_recorded_value_is_ignored(receiver: OtlpReceiver) -> None:
    """It is neither refused nor taken."""
    assert send(receiver, gauge("gone", number(None, flags=1))).status == 200
    assert receiver.ledger.accepted == 0
    assert not receiver.ledger.refused


def test_two_processes_that_write_one_series_at_one_time_are_reported(
    receiver: OtlpReceiver,
) -> None:
    """`service.instance.id` is no dimension by default: Dynatrace cannot tell workers apart."""
    for instance in ("a", "b"):
        send(
            receiver,
            counter("served", number(5, since=-60)),
            resource={"service.instance.id": instance},
        )
    assert receiver.ledger.total("served") == 10
    assert receiver.ledger.warnings == {"two processes wrote one series at one time": 1}


def test_series_that_become_one_when_their_dimensions_are_cut_are_reported(
    receiver: OtlpReceiver,
) -> None:
    """Values that differ after 255 characters alone are one series in Dynatrace."""
    points = [number(1, {"path": "x" * 255 + end}, at=at) for at, end in enumerate("ab")]
    send(receiver, gauge("cut", *points))
    assert receiver.ledger.warnings == {
        "dimension value cut: 'path'": 2,
        "series of different attributes became one": 1,
    }
