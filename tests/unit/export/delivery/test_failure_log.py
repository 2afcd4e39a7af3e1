"""FailureLog are told at a falling rate, and never start a conversation with themselves."""

import logging
from collections.abc import Iterator

import pytest

from mlmonitor.export.delivery.failure_log import FailureLog

LOG = logging.getLogger("mlmonitor")


def test_each_reason_is_logged_the_first_second_fourth_eighth_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One reason does not hide another, and all is told anew once it has been well."""
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


def test_reasons_that_change_all_the_time_take_no_memory() -> None:
    """A server that puts a number into its answer gives a new reason each time."""
    failures = FailureLog("c")
    for at in range(1_000):
        failures.report(str(at), points=1, outcome="failed")
    assert len(failures._times) <= 64


@pytest.fixture
def echo() -> Iterator[list[str]]:
    """A host's handler that sends what is logged, fails for the same reason, and says so."""
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


def test_a_log_handler_that_fails_too_causes_no_loop(echo: list[str]) -> None:
    """What is logged while a line of ours is being logged is dropped: there is no loop."""
    failures = FailureLog("c")
    failures.report("down", points=5, outcome="failed")
    failures.report("full", points=5, outcome="failed")
    assert len(echo) == 2
