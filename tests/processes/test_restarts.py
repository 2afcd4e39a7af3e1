"""Counts stay exact while workers restart under load; a killed one loses its last interval."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlmonitor.testing import OtlpReceiver
from mlmonitor.testing.receiver.ledger import TWO_WRITERS
from support.collector_sink import Received, Sink
from support.requests_to import Answers, ask_many
from support.served import Service, Starter

REQUESTS, RATE, SECONDS = 50_000, 1_600.0, 36.0
EXPORT_SECONDS = 0.5
TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of a test's own server

GUNICORN = ("gunicorn", "-b", "127.0.0.1:{port}", "--no-control-socket")
UP_TO_2000 = ("--max-requests", "1500", "--max-requests-jitter", "500")
EIGHT = (*GUNICORN, "-w", "8", "--preload", *UP_TO_2000, "wsgi")  # so that they are up at once


@pytest.fixture
def dynatrace() -> Iterator[OtlpReceiver]:
    """A receiver that refuses whatever Dynatrace's documentation says it refuses."""
    with OtlpReceiver("dynatrace", token=TOKEN) as receiver:
        yield receiver


def workers(service: Service) -> list[int]:
    """Return the live worker processes of the master."""
    path = f"/proc/{service.process.pid}/task/{service.process.pid}/children"
    with open(path, encoding="ascii") as children:  # noqa: PTH123 - not a file of anyone's
        return [int(child) for child in children.read().split()]


@contextmanager
def restarts(service: Service) -> Iterator[list[int]]:
    """Every two seconds send SIGTERM to the oldest worker, or SIGHUP to the master."""
    over, sent = threading.Event(), []

    def restart() -> None:
        while not over.wait(2):
            if len(sent) % 5 == 4:
                sent.append(signal.SIGHUP)
                service.process.send_signal(signal.SIGHUP)
            else:
                sent.append(signal.SIGTERM)
                os.kill(min(workers(service)), signal.SIGTERM)

    thread = threading.Thread(target=restart, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
def test_fifty_thousand_requests_are_counted_while_eight_processes_start_and_exit(
    serve: Starter, sink: Sink, dynatrace: OtlpReceiver
) -> None:
    """Workers end by SIGTERM, SIGHUP and `max_requests`, and every answered request is counted.

    Cumulative and delta destinations run side by side: the one keeps the last total of an ended
    process, the other the sum of its deltas.
    """
    variables = {"SERVICE_DYNATRACE": dynatrace.url, "DYNATRACE_API_TOKEN": TOKEN}
    service = serve(*EIGHT, SERVICE_EXPORT_SECONDS=str(EXPORT_SECONDS), **variables)
    with restarts(service) as sent:
        answers = ask_many(service.port, REQUESTS, rate=RATE, seconds=SECONDS)
    assert service.stop() == 0, service.said()
    assert answers.unanswered == 0
    assert 1_000 < answers.total <= REQUESTS  # all of them where two cores are free
    assert {signal.SIGTERM, signal.SIGHUP} <= set(sent)
    assert len(answers.processes) > 20
    check_totals(sink, answers)
    check_deltas(dynatrace, answers)


def check_totals(sink: Sink, answers: Answers) -> None:
    """Assert that the newest totals of all processes add up to the answers."""
    assert sink.total("mlmonitor.predictions", status="ok") == answers.total
    assert sink.total("mlmonitor.field.values", field="amount", role="feature") == answers.total
    assert sink.total("mlmonitor.field.bin", field="line", role="feature") == answers.total
    assert sink.total("mlmonitor.rows.dropped") == sink.total("mlmonitor.faults") == 0


def check_deltas(dynatrace: OtlpReceiver, answers: Answers) -> None:
    """Assert that the deltas of all processes add up, and that none was refused or overlaps.

    Dynatrace gets no dimension for the process: two may write one series in one millisecond.
    """
    ledger = dynatrace.ledger
    assert ledger.total("mlmonitor.predictions", status="ok") == answers.total, ledger
    of_line = {"field": "line", "role": "feature"}
    of_amount = {"field": "amount", "role": "feature"}
    assert ledger.total("mlmonitor.field.bin", of_line) == answers.total
    assert ledger.total("mlmonitor.field.bin", of_amount) == answers.total
    assert ledger.histogram("mlmonitor.prediction.duration").count == answers.total
    assert ledger.total("mlmonitor.rows.dropped") == ledger.total("mlmonitor.faults") == 0
    assert not ledger.refused
    assert set(ledger.warnings) <= {TWO_WRITERS}


def reported(sink: Sink, process: int) -> tuple[int, float]:
    """Return how many predictions a process reported, and the time of its last export."""
    newest = exports(sink, process)[-1].point
    return newest.as_int, newest.time_unix_nano / 1e9


def exports(sink: Sink, process: int) -> list[Received]:
    """Return all prediction counts that a process exported, oldest first."""
    points = sink.named("mlmonitor.predictions", status="ok")
    return [received for received in points if received.resource["process.pid"] == str(process)]


@pytest.mark.slow
def test_a_killed_worker_loses_only_rows_since_its_last_export(serve: Starter, sink: Sink) -> None:
    """No other process loses anything."""
    variables = {"SERVICE_EXPORT_SECONDS": str(EXPORT_SECONDS), "SERVICE_TELLS_PROCESS": "1"}
    service = serve(*GUNICORN, "-w", "3", "wsgi", **variables)
    answers_by_run: list[Answers] = []
    client = threading.Thread(
        target=lambda: answers_by_run.append(ask_many(service.port, 3_000, rate=250.0))
    )
    client.start()
    while len(workers(service)) < 3 and client.is_alive():
        time.sleep(0.05)
    victim = min(workers(service))
    while len(exports(sink, victim)) < 4 and client.is_alive():
        time.sleep(0.05)
    os.kill(victim, signal.SIGKILL)
    client.join()
    assert service.stop() == 0, service.said()
    (answers,) = answers_by_run
    for process in answers.processes - {victim}:
        given = sum(answer.process == process for answer in answers.given)
        assert reported(sink, process)[0] == given
    exported, at = reported(sink, victim)
    times = [answer.time for answer in answers.given if answer.process == victim]
    # What was answered while that export was being made may be in it or not.
    at_risk = sum(time > at - 1 for time in times)
    assert len(times) - at_risk <= exported <= len(times) + answers.unanswered
    assert max(times) - at < EXPORT_SECONDS + 60
