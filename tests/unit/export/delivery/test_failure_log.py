"""Failures are logged ever more rarely, and never in a loop."""

import logging
from collections.abc import Iterator

import pytest

from mlmonitor.export.delivery.failure_log import FailureLog

LOG = logging.getLogger("mlmonitor")


def test_each_reason_is_logged_the_first_second_fourth_and_eighth_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Reasons are counted separately, and counting restarts after a success."""
    failures = FailureLog("c")
    for _ in range(9):
        failures.report("down", points=5, outcome="failed")
        failures.report("full", points=1, outcome="rejected")
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "export to c, failure 1 of this kind: 5 points failed: down"
    assert (
        sum("down" in message for message in messages)
        == sum("full" in message for message in messages)
        == 4
    )
    failures.reset()
    failures.report("down", points=5, outcome="failed")
    assert caplog.records[-1].getMessage().startswith("export to c, failure 1 of this kind:")


def test_ever_changing_reasons_do_not_fill_the_memory() -> None:
    """A server may put a number into its answer, which gives a new reason each time."""
    failures = FailureLog("c")
    for at in range(1_000):
        failures.report(str(at), points=1, outcome="failed")
    assert len(failures._times) <= 64


@pytest.fixture
def echo() -> Iterator[list[str]]:
    """A log handler that sends lines, fails for the same reason, and logs that."""
    messages: list[str] = []
    other = FailureLog("host's own")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            other.report(f"{len(messages)} lines could not be sent", points=1, outcome="failed")

    handler = Handler()
    LOG.addHandler(handler)
    yield messages
    LOG.removeHandler(handler)


def test_a_failing_log_handler_causes_no_loop(echo: list[str]) -> None:
    """What is logged while a line is being logged is dropped."""
    failures = FailureLog("c")
    failures.report("down", points=5, outcome="failed")
    failures.report("full", points=5, outcome="failed")
    assert len(echo) == 2
