"""Rules of Mimir at its default limits, tested on both sides with handmade requests."""

import zlib
from collections.abc import Iterator

import pytest

from mlmonitor.testing import OtlpReceiver
from mlmonitor.testing.receiver.backends import mimir as rules
from mlmonitor.testing.receiver.backends import prometheus_samples as order
from mlmonitor.testing.receiver.backends.prometheus_backend import BAD_TEMPORALITY, EMPTY
from support.otlp_requests import (
    CUMULATIVE,
    NOW,
    PROTOBUF,
    buckets,
    counter,
    gauge,
    histogram,
    number,
    post,
    request,
    send,
)

GOOD = gauge("good", number(1.0))

REFUSED = {
    "a delta sum": (counter("bad", number(1)), BAD_TEMPORALITY),
    "no points": (gauge("bad"), EMPTY),
    "31 labels": (
        gauge("bad", number(1, {f"l{at}": "v" for at in range(30)})),
        rules.TOO_MANY_LABELS,
    ),
    "31 labels with le": (
        histogram(
            "bad",
            buckets([1, 2], [1], {f"l{at}": "v" for at in range(29)}),
            temporality=CUMULATIVE,
        ),
        rules.TOO_MANY_LABELS,
    ),
    "a label name of 1,025": (
        gauge("bad", number(1, {"n" * 1_025: "v"})),
        rules.NAME_TOO_LONG,
    ),
    "a label value of 2,049": (
        gauge("bad", number(1, {"n": "v" * 2_049})),
        rules.VALUE_TOO_LONG,
    ),
    "a label value of 2,049 bytes": (
        gauge("bad", number(1, {"n": "ä" * 1_024 + "v"})),
        rules.VALUE_TOO_LONG,
    ),
    "beyond ten minutes": (gauge("bad", number(1, at=601)), order.TOO_NEW),
}

FINE = {
    "30 labels": gauge("fine", number(1, {f"l{at}": "v" for at in range(29)})),
    "30 labels with le": histogram(
        "fine",
        buckets([1, 2], [1], {f"l{at}": "v" for at in range(28)}),
        temporality=CUMULATIVE,
    ),
    "a label name of 1,024": gauge("fine", number(1, {"n" * 1_024: "v"})),
    "a label value of 2,048": gauge("fine", number(1, {"n": "v" * 2_048})),
    "ten minutes ahead": gauge("fine", number(1, at=600)),
}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that behaves like Mimir and requires no tenant."""
    with OtlpReceiver("mimir", clock=lambda: NOW) as receiver:
        yield receiver


@pytest.mark.parametrize(("metric", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_point_gives_a_400_but_valid_points_are_stored(
    receiver: OtlpReceiver, metric: object, reason: str
) -> None:
    """The message names the first fault."""
    reply = send(receiver, GOOD, metric)
    assert reply.status == 400
    assert reason in reply.message
    assert receiver.ledger.names == ("good",)
    assert receiver.ledger.refused == {reason: 1}


def test_a_delta_is_refused_with_the_message_of_mimir(receiver: OtlpReceiver) -> None:
    """Users find exactly these words in their logs."""
    message = send(receiver, counter("c", number(1))).message
    assert message.startswith("invalid temporality and type combination for metric")


@pytest.mark.parametrize("metric", FINE.values(), ids=FINE)
def test_a_point_just_inside_the_mimir_limits_is_stored(
    receiver: OtlpReceiver, metric: object
) -> None:
    """The answer is 200 with an empty body."""
    reply = send(receiver, metric)
    assert (reply.status, reply.body) == (200, b"")
    assert receiver.ledger.accepted == 1


def test_wrong_order_is_reported_by_a_partial_success_that_rejects_nothing(
    receiver: OtlpReceiver,
) -> None:
    """The point is lost, but a client that only reads the number of rejected points misses it."""
    send(receiver, gauge("g", number(1, at=10)))
    reply = send(receiver, gauge("g", number(2, at=10)), gauge("h", number(2, at=10)))
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 0
    assert order.DUPLICATE in reply.partial.error_message
    assert receiver.ledger.gauge("g") == 1
    assert receiver.ledger.gauge("h") == 2
    assert receiver.ledger.refused == {order.DUPLICATE: 1}


def test_the_number_of_series_of_a_tenant_is_limited() -> None:
    """Existing series continue; a histogram with all its buckets is stored whole or not at all."""
    with OtlpReceiver("mimir", clock=lambda: NOW, most_series=6) as receiver:
        metric = histogram("h", buckets([1, 2], [1.0], sum=1), temporality=CUMULATIVE)
        assert send(receiver, metric).body == b""
        assert send(receiver, gauge("a", number(1)), gauge("b", number(1))).body == b""
        reply = send(receiver, gauge("c", number(1)))
        assert reply.status == 200
        assert rules.TOO_MANY_SERIES in reply.partial.error_message
        assert send(receiver, gauge("a", number(1, at=1))).body == b""
        assert receiver.ledger.names == ("a", "b", "h")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"X-Scope-OrgID": "other"}, 401), ({"X-Scope-OrgID": "team-a"}, 200)],
)
def test_a_tenant_is_required_if_one_was_configured(headers: dict[str, str], status: int) -> None:
    """A request without it is not read."""
    with OtlpReceiver("mimir", tenant="team-a", clock=lambda: NOW) as receiver:
        assert post(receiver, request(GOOD), {**PROTOBUF, **headers}).status == status
        assert (receiver.ledger.accepted == 1) == (status == 200)


def test_mimir_metric_names_have_no_suffixes(receiver: OtlpReceiver) -> None:
    """A query for `c_total` would return nothing."""
    send(receiver, counter("c.d", number(4), temporality=CUMULATIVE, unit="s"))
    assert receiver.ledger.total("c_d") == 4
    assert receiver.ledger.total("c_d_seconds_total") == 0


def test_a_deflated_body_is_answered_with_415(receiver: OtlpReceiver) -> None:
    """Content types other than protobuf and JSON are refused in the same way."""
    data = request(GOOD).SerializeToString()
    headers = {**PROTOBUF, "Content-Encoding": "deflate"}
    assert post(receiver, zlib.compress(data), headers).status == 415
    assert post(receiver, data, {"Content-Type": "text/plain"}).status == 415
