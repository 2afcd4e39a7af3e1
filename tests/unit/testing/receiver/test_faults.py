"""Scripted faults: what a client observes, and what the backend has stored afterwards."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from mlmonitor.errors import ConfigError
from mlmonitor.testing import (
    Down,
    Drop,
    Fault,
    Garbage,
    OtlpReceiver,
    PartialSuccess,
    Redirect,
    Refuse,
    Slow,
    Sometimes,
)
from support.otlp_requests import (
    CUMULATIVE,
    NOW,
    Reply,
    counter,
    gauge,
    number,
    post,
    request,
    send,
)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a collector whose faults are scripted."""
    with OtlpReceiver(clock=lambda: NOW) as receiver:
        yield receiver


def one(at: int = 1) -> object:
    """Return one increment of a counter."""
    return counter("n", number(1, at=at, since=at - 1))


def test_a_scripted_error_stores_nothing_and_applies_once(receiver: OtlpReceiver) -> None:
    """The next request succeeds."""
    receiver.script([Refuse(503, retry_after_seconds=1.5, message="later")])
    reply = send(receiver, one())
    assert (reply.status, reply.message) == (503, "later")
    assert reply.headers["Retry-After"] == "1.5"
    assert receiver.ledger.accepted == 0
    assert send(receiver, one()).status == 200
    assert [(request.status, request.fault) for request in receiver.ledger.requests] == [
        (503, "Refuse"),
        (200, ""),
    ]


def test_a_scripted_error_may_have_any_body(receiver: OtlpReceiver) -> None:
    """Gateways, for instance, answer with HTML pages."""
    receiver.next(Refuse(502, body=b"<html>"))
    assert send(receiver, one())[:2] == (502, b"<html>")


def test_faults_of_a_list_apply_in_order_and_none_means_no_fault(receiver: OtlpReceiver) -> None:
    """A fault given to `next` precedes the list, as many times as requested."""
    receiver.script([None, Refuse(429), None, Refuse(500)])
    receiver.next(Refuse(401), times=2)
    receiver.next(Refuse(403))
    statuses = [send(receiver, one(at)).status for at in range(1, 9)]
    assert statuses == [401, 401, 403, 200, 429, 200, 500, 200]
    assert receiver.ledger.total("n") == 3


def test_a_new_script_replaces_the_old_one(receiver: OtlpReceiver) -> None:
    """Requests are counted from 0 again."""
    receiver.script([Refuse(500), Refuse(500)])
    assert send(receiver, one()).status == 500
    receiver.script(lambda number: Refuse(503) if number == 1 else None)
    assert [send(receiver, one(at)).status for at in (1, 2, 3)] == [200, 503, 200]


def test_a_receiver_can_be_constructed_with_faults() -> None:
    """They are given as a list or as a function."""
    for faults in ([Refuse(500)], lambda number: None if number else Refuse(500)):
        with OtlpReceiver(faults=faults, clock=lambda: NOW) as receiver:
            assert [send(receiver, one(at)).status for at in (1, 2)] == [500, 200]


def test_random_faults_are_reproducible_by_their_seed() -> None:
    """Equal seeds give equal faults, at about the requested rate."""
    faults: list[Fault] = [Refuse(503), Drop("stored")]
    one_, other = (Sometimes(faults, share=0.25, seed=7) for _ in range(2))
    drawn = [one_(number) for number in range(400)]
    assert drawn == [other(number) for number in range(400)]
    assert 60 < sum(fault is not None for fault in drawn) < 140
    assert set(drawn) == {None, *faults}
    assert Sometimes(faults, share=0.0, seed=7)(0) is None


def test_a_partial_success_leaves_out_the_last_points(receiver: OtlpReceiver) -> None:
    """The ledger holds what the answer says."""
    receiver.next(PartialSuccess(2, message="quota"))
    reply = send(
        receiver, counter("n", *(number(1, at=at + 1, since=at or 0.5) for at in range(5)))
    )
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 2
    assert reply.partial.error_message == "quota"
    assert receiver.ledger.total("n") == 3
    assert receiver.ledger.refused == {"rejected by the script": 2}


def test_a_backend_refuses_invalid_points_regardless_of_the_script() -> None:
    """A script cannot make an invalid request succeed."""
    with OtlpReceiver("prometheus", clock=lambda: NOW) as receiver:
        for fault in (PartialSuccess(1), Garbage(), Slow(0.0)):
            receiver.next(fault)
            assert send(receiver, one()).status == 500


def test_garbage_is_an_answer_of_200_whose_points_were_stored(receiver: OtlpReceiver) -> None:
    """A client that requires OTLP in the answer would send them again."""
    receiver.next(Garbage())
    reply = send(receiver, one())
    assert reply.status == 200
    with pytest.raises(DecodeError):
        ExportMetricsServiceResponse.FromString(reply.body)
    assert receiver.ledger.total("n") == 1


@pytest.mark.parametrize("code", [307, 308])
def test_a_scripted_redirect_stores_nothing_and_names_another_url(
    receiver: OtlpReceiver, code: int
) -> None:
    """The client has to send its points there."""
    receiver.next(Redirect("http://127.0.0.1:1/v1/metrics", code))  # type: ignore[arg-type]
    reply = send(receiver, one())
    assert reply.status == code
    assert reply.headers["Location"] == "http://127.0.0.1:1/v1/metrics"
    assert receiver.ledger.accepted == 0


LOST = {
    "unread": (Drop("unread"), 0),
    "stored": (Drop("stored"), 1),
    "half-way": (Drop("half-way"), 1),
    "no answer in time": (Slow(30.0), 1),
    "half an answer in time": (Slow(30.0, part="body"), 1),
}


@pytest.mark.parametrize(("fault", "taken"), LOST.values(), ids=LOST)
def test_a_client_without_an_answer_cannot_know_whether_its_points_were_stored(
    receiver: OtlpReceiver, fault: Fault, taken: int
) -> None:
    """All these faults look alike to it; the ledger knows the difference."""
    receiver.next(fault)
    with pytest.raises((OSError, http.client.HTTPException)):
        impatient(receiver)
    assert receiver.ledger.total("n") == taken
    assert receiver.ledger.requests[0].fault == type(fault).__name__
    assert (receiver.ledger.requests[0].status is None) == isinstance(fault, Drop)


def impatient(receiver: OtlpReceiver) -> None:
    """Send one increment and wait a tenth of a second for the whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=0.1)
    headers = {"Content-Type": "application/x-protobuf"}
    try:
        connection.request("POST", "/v1/metrics", request(one()).SerializeToString(), headers)
        connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("part", ["answer", "body"])
def test_a_slow_answer_is_complete_for_a_client_that_waits(
    receiver: OtlpReceiver, part: str
) -> None:
    """Head and body may be delayed, but nothing is rejected."""
    receiver.next(Slow(0.02, part=part))  # type: ignore[arg-type]
    reply = send(receiver, one())
    assert reply.status == 200
    assert reply.partial.rejected_data_points == 0


def test_closing_does_not_wait_for_a_slow_answer() -> None:
    """The connection of the client is closed instead."""
    with OtlpReceiver(clock=lambda: NOW, faults=[Slow(3_600.0)]) as receiver:
        failed: list[BaseException] = []
        thread = threading.Thread(target=caught, args=(failed, lambda: send(receiver, one())))
        thread.start()
        assert receiver.ledger.wait_until(lambda ledger: bool(ledger.requests))
    thread.join(60)
    assert not thread.is_alive()


def caught(failed: list[BaseException], call: Callable[[], Reply]) -> None:
    """Call the function and append the connection error that it raises."""
    try:
        call()
    except (OSError, http.client.HTTPException) as error:
        failed.append(error)


def test_a_receiver_that_is_down_refuses_connections_and_keeps_its_port(
    receiver: OtlpReceiver,
) -> None:
    """Open connections are closed; afterwards its URL and its ledger are the same."""
    url = receiver.url
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    connection.request("GET", "/elsewhere")
    assert connection.getresponse().read() == b""
    for _ in range(3):
        send(receiver, gauge("g", number(1)))
        with receiver.down():
            with pytest.raises(ConnectionRefusedError):
                send(receiver, one())
            with socket.socket() as thief, pytest.raises(OSError, match="in use"):
                thief.bind(("127.0.0.1", receiver.port))
            assert connection.sock.recv(1) == b""
        assert send(receiver, one()).status == 200
    assert receiver.url == url
    assert receiver.ledger.total("n") == 3
    connection.close()


def test_a_receiver_that_a_script_takes_down_fails_until_it_is_switched_on(
    receiver: OtlpReceiver,
) -> None:
    """The request that triggered it is dropped unread."""
    receiver.script([None, Down()])
    assert send(receiver, one()).status == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        send(receiver, one(2))
    receiver.up()
    assert send(receiver, one(3)).status == 200
    assert [request.fault for request in receiver.ledger.requests] == ["", "Down", ""]
    assert receiver.ledger.total("n") == 2


def test_a_receiver_may_be_switched_up_or_down_twice(receiver: OtlpReceiver) -> None:
    """The second call has no effect."""
    port = receiver.port
    receiver.up()
    with receiver.down(), receiver.down():
        pass
    assert send(receiver, one()).status == 200
    receiver.close()
    receiver.close()
    assert receiver.port == port


@pytest.mark.parametrize(
    ("protocol", "fault", "message"),
    [
        ("http", Refuse("UNAVAILABLE"), "HTTP status"),
        ("grpc", Garbage(), "over gRPC"),
        ("grpc", Redirect("http://x"), "over gRPC"),
    ],
    ids=str,
)
def test_a_fault_that_cannot_occur_is_refused_when_it_is_planned(
    protocol: str, fault: Fault, message: str
) -> None:
    """The error is raised before any request, and valid faults can still be planned."""
    receiver = OtlpReceiver(protocol=protocol)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        receiver.script([fault])
    with pytest.raises(ConfigError, match=message):
        receiver.next(fault)
    meant = Refuse(503) if protocol == "http" else Refuse("UNAVAILABLE")
    receiver.next(meant)
    assert receiver._intake._next == [meant]


def test_concurrent_requests_are_all_counted(receiver: OtlpReceiver) -> None:
    """They come from threads of one service and from many services at once."""
    receiver.script(Sometimes([Refuse(503)], share=0.5, seed=1))
    taken: list[int] = []

    def work(worker: int) -> None:
        for at in range(1, 26):
            point = number(at, {"worker": worker}, at=at, since=0)
            reply = post(receiver, request(counter("n", point, temporality=CUMULATIVE)))
            taken.append(reply.status)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.ledger.requests) == 100
    assert receiver.ledger.accepted == taken.count(200)
