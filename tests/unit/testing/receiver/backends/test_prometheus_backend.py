"""Rules of Prometheus 3, tested on both sides of each limit with handmade requests."""

import gzip
import json
import math
import zlib
from collections.abc import Iterator

import pytest

from mlmonitor.testing import ManualClock, OtlpReceiver
from mlmonitor.testing.receiver.backends import prometheus_backend as rules
from mlmonitor.testing.receiver.backends import prometheus_samples as order
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
EMPTY = gauge("empty")

UNTRANSLATABLE = {
    "a delta sum": (counter("bad", number(1), temporality=DELTA), rules.BAD_TEMPORALITY),
    "a sum without temporality": (
        counter("bad", number(1), temporality=UNSPECIFIED),
        rules.BAD_TEMPORALITY,
    ),
    "a delta histogram": (histogram("bad", buckets([1, 2], [1])), rules.BAD_TEMPORALITY),
    "a delta exponential histogram": (
        exponential_histogram("bad", exponential(0, 0, [1])),
        rules.BAD_TEMPORALITY,
    ),
    "a scale of -5": (
        exponential_histogram("bad", exponential(-5, 0, [1]), temporality=CUMULATIVE),
        rules.BAD_SCALE,
    ),
    "a name of nothing valid": (gauge("äö", number(1)), rules.BAD_NAME),
    "a label of nothing valid": (gauge("bad", number(1, {"ä": "v"})), rules.BAD_LABEL),
    "no points": (EMPTY, rules.EMPTY),
}

FINE = {
    "a cumulative sum": counter("fine", number(1), temporality=CUMULATIVE),
    "a sum that may fall": counter("fine", number(-1), temporality=CUMULATIVE, is_monotonic=False),
    "a gauge that is NaN": gauge("fine", number(math.nan)),
    "a histogram without sum": histogram("fine", buckets([1, 2], [-1.0]), temporality=CUMULATIVE),
    "a histogram of 40 buckets": histogram(
        "fine", buckets([1] * 40, range(39), sum=1), temporality=CUMULATIVE
    ),
    "a scale of -4": exponential_histogram("fine", exponential(-4, 0, [1]), temporality=CUMULATIVE),
    "a scale of 20": exponential_histogram("fine", exponential(20, 0, [1]), temporality=CUMULATIVE),
    "a summary": summary("fine"),
    "ten minutes ahead": gauge("fine", number(1, at=600)),
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that behaves like Prometheus."""
    with OtlpReceiver("prometheus", clock=lambda: NOW) as receiver:
        yield receiver


@pytest.mark.parametrize(("metric", "reason"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE)
def test_a_point_that_cannot_be_translated_fails_its_whole_request(
    receiver: OtlpReceiver, metric: object, reason: str
) -> None:
    """The status is 500, and the valid points of the request are rolled back."""
    reply = send(receiver, GOOD, metric)
    assert reply.status == 500
    assert reason in reply.message
    assert receiver.ledger.accepted == 0
    assert receiver.ledger.refused == {reason: 1, "rolled back with the request": 1}
    assert send(receiver, GOOD).status == 200


@pytest.mark.parametrize("metric", FINE.values(), ids=FINE)
def test_a_point_just_inside_the_prometheus_rules_is_stored(
    receiver: OtlpReceiver, metric: object
) -> None:
    """The answer is 200 with an empty body."""
    reply = send(receiver, metric)
    assert (reply.status, reply.body) == (200, b"")
    assert receiver.ledger.accepted == 1
    assert not receiver.ledger.warnings


def test_samples_of_a_series_must_arrive_in_order(receiver: OtlpReceiver) -> None:
    """An earlier time or another value for the same millisecond is answered with 400."""
    assert send(receiver, gauge("g", number(1, at=10))).status == 200
    assert send(receiver, gauge("g", number(1, at=10.0004))).status == 200
    assert send(receiver, gauge("g", number(2, at=10.0004))).status == 400
    assert send(receiver, gauge("g", number(2, at=9.999))).status == 400
    assert send(receiver, gauge("g", number(2, at=10.001))).status == 200
    assert receiver.ledger.refused == {order.DUPLICATE: 1, order.OUT_OF_ORDER: 1}


def test_a_repeated_request_is_accepted_and_counted_once(receiver: OtlpReceiver) -> None:
    """Cumulative points of the same time and value are not duplicates for Prometheus."""
    sent = request(
        counter("c", number(3, at=1, since=0), temporality=CUMULATIVE),
        histogram("h", buckets([1, 2], [1], at=1, sum=3), temporality=CUMULATIVE),
        gauge("nan", number(math.nan, at=1)),
    )
    assert [post(receiver, sent).status for _ in range(2)] == [200, 200]
    assert receiver.ledger.total("c") == 3
    assert receiver.ledger.histogram("h").count == 3
    assert not receiver.ledger.warnings


def test_one_sample_out_of_order_fails_its_whole_request(receiver: OtlpReceiver) -> None:
    """Nothing was stored, so the other points can be sent again."""
    send(receiver, gauge("g", number(1, at=10)))
    assert send(receiver, GOOD, gauge("g", number(1, at=5))).status == 400
    assert receiver.ledger.names == ("g",)
    assert send(receiver, gauge("good", number(2.0))).status == 200


def test_samples_out_of_order_give_a_400_even_beside_untranslatable_points(
    receiver: OtlpReceiver,
) -> None:
    """Prometheus joins both errors, and the order fault decides the status."""
    send(receiver, gauge("g", number(1, at=10)))
    assert send(receiver, EMPTY, gauge("g", number(1, at=5))).status == 400


def test_a_sample_too_far_in_the_future_is_refused(receiver: OtlpReceiver) -> None:
    """The limit is ten minutes ahead of the clock of the server."""
    reply = send(receiver, gauge("g", number(1, at=600.001)))
    assert reply.status == 400
    assert reply.message == order.TOO_NEW


def test_a_sample_too_old_is_refused_even_of_a_new_series() -> None:
    """The limit is an hour before the newest of all samples."""
    clock = ManualClock(NOW)
    with OtlpReceiver("prometheus", clock=clock) as receiver:
        assert send(receiver, gauge("new", number(1, at=0))).status == 200
        assert send(receiver, gauge("old", number(1, at=-3_600))).status == 200
        assert send(receiver, gauge("older", number(1, at=-3_600.001))).status == 400
        assert receiver.ledger.refused == {order.TOO_OLD: 1}


def test_metrics_whose_names_become_equal_collide(receiver: OtlpReceiver) -> None:
    """`a.b` and `a_b` are one series, which cannot have two values at one time."""
    assert send(receiver, gauge("a.b", number(1)), gauge("a_b", number(2))).status == 400
    assert send(receiver, gauge("a.b", number(1)), gauge("a_c", number(2))).status == 200


def test_a_histogram_and_a_gauge_may_collide_as_well(receiver: OtlpReceiver) -> None:
    """The histogram `h` has a series `h_count`, which a gauge may be called, too."""
    metric = histogram("h", buckets([1, 2], [1.0], sum=1), temporality=CUMULATIVE)
    assert send(receiver, metric, gauge("h.count", number(2))).status == 400
    assert send(receiver, metric, gauge("h.size", number(2))).status == 200


def test_processes_are_identified_by_their_instance(receiver: OtlpReceiver) -> None:
    """Without `service.instance.id` two workers write one series."""
    for instance, statuses in (({"service.instance.id": "{}"}, [200, 200]), ({}, [200, 400])):
        replies = [
            send(
                receiver,
                counter(f"c{len(instance)}", number(worker), temporality=CUMULATIVE),
                resource={key: text.format(worker) for key, text in instance.items()},
            )
            for worker in (1, 2)
        ]
        assert [reply.status for reply in replies] == statuses
    assert receiver.ledger.total("c1") == 3


def test_metrics_are_found_under_their_prometheus_names(receiver: OtlpReceiver) -> None:
    """Labels are found likewise, because queries use these names."""
    send(
        receiver,
        counter("my.requests", number(3, {"http.method": "GET"}), temporality=CUMULATIVE),
        resource={"service.name": "s"},
    )
    assert receiver.ledger.total("my_requests_total", http_method="GET", job="s") == 3
    assert receiver.ledger.total("my.requests", {"http.method": "GET", "service.name": "s"}) == 3
    assert receiver.ledger.total("my.requests", {"http.method": "PUT"}) == 0


def test_a_counter_that_falls_without_a_new_start_time_is_reported(receiver: OtlpReceiver) -> None:
    """Like Prometheus, the ledger reads the fall as a reset."""
    for at, since, value in ((1, 0, 5), (2, 0, 3), (4, 3, 1)):
        send(receiver, counter("c", number(value, at=at, since=since), temporality=CUMULATIVE))
    assert receiver.ledger.total("c") == 5 + 3 + 1
    assert receiver.ledger.warnings == {"counter fell without a new start time: read as a reset": 1}


def test_a_stale_marker_is_stored_as_a_sample_without_a_value(receiver: OtlpReceiver) -> None:
    """The series ends there, and its newest value is the one before the marker."""
    send(receiver, gauge("g", number(1, at=1)))
    assert send(receiver, gauge("g", number(None, at=2, flags=1))).status == 200
    assert receiver.ledger.gauge("g") == 1
    assert send(receiver, gauge("g", number(3, at=1.5))).status == 400


def test_a_body_may_be_gzip_but_not_deflate(receiver: OtlpReceiver) -> None:
    """What cannot be decoded is answered with 400, because Prometheus has no 415."""
    data = request(GOOD).SerializeToString()
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    assert post(receiver, gzip.compress(data), headers).status == 200
    assert post(receiver, data, headers).status == 400
    assert post(receiver, gzip.compress(data)[:-9], headers).status == 400
    headers["Content-Encoding"] = "deflate"
    assert post(receiver, zlib.compress(data), headers).status == 400
    assert post(receiver, b"\xff\xff", PROTOBUF).status == 400
    assert post(receiver, data, {"Content-Type": "text/plain"}).status == 400


def test_json_is_read_and_answered_in_json(receiver: OtlpReceiver) -> None:
    """OTLP in JSON writes 64-bit integers as strings."""
    point = {"asInt": "7", "timeUnixNano": str(NOW * 10**9)}
    metric = {"name": "g", "gauge": {"dataPoints": [point]}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    headers = {"Content-Type": "application/json"}
    reply = post(receiver, json.dumps(body).encode(), headers)
    assert (reply.status, reply.body) == (200, b"{}")
    assert receiver.ledger.gauge("g") == 7
    assert post(receiver, b"{", headers).status == 400
