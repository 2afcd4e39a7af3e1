"""Internal errors are held, counted exactly, and logged rarely and without values."""

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from mlmonitor.capture.guard import Guard
from mlmonitor.capture.read.numbers import plain_floats
from mlmonitor.errors import ConfigError, MonitorError, import_extra

SECRET = "jane.doe@example.org"  # noqa: S105 - a value that must not be told


def test_an_internal_error_is_counted_and_not_raised() -> None:
    """An exception under the guard is not raised."""
    guard = Guard()
    for _ in range(3):
        with guard:
            raise ValueError(SECRET)
    assert guard.internal_errors == 3


def test_a_block_without_an_exception_counts_no_internal_error() -> None:
    """It leaves no trace."""
    guard = Guard()
    with guard:
        pass
    assert guard.internal_errors == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_meant_for_the_host_propagate(kind: type[BaseException]) -> None:
    """They are interrupts and exits."""
    guard = Guard()
    with pytest.raises(kind), guard:
        raise kind
    assert guard.internal_errors == 0


def test_the_number_of_log_lines_grows_with_the_logarithm_of_the_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 1,000 errors ten are logged: the 1st, 2nd, 4th, ... 512th."""
    guard = Guard()
    with caplog.at_level(logging.WARNING, logger="mlmonitor"):
        for _ in range(1_000):
            guard.hold(ValueError())
    logged = [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
    assert logged == [1 << power for power in range(10)]


def test_the_log_names_the_line_of_an_error_but_not_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message may quote a value."""
    guard = Guard()
    with guard:
        raise LookupError(SECRET)
    assert "LookupError" in caplog.text
    assert f"{__file__}:" in caplog.text
    assert SECRET not in caplog.text


def test_an_exception_of_a_log_handler_is_suppressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers of the host may raise as well."""

    def broken(*_args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(logging.getLogger("mlmonitor"), "warning", broken)
    guard = Guard()
    guard.hold(ValueError())
    assert guard.internal_errors == 1


def test_internal_errors_of_many_threads_are_all_counted() -> None:
    """Eight threads with 5,000 errors each make 40,000."""
    guard = Guard()

    def fail() -> None:
        for _ in range(5_000):
            guard.hold(ValueError())

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guard.internal_errors == 40_000


def test_a_cleared_guard_counts_from_zero() -> None:
    """A forked child does not inherit its parent's errors."""
    guard = Guard()
    guard.hold(ValueError())
    guard.clear()
    assert guard.internal_errors == 0


def test_errors_of_this_package_are_logged_with_their_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They contain no values, and say what to do."""
    guard = Guard()
    with guard:
        import_extra("no_such_module", extra="frames")
    assert "pip install 'mlmonitor-sdk[frames]'" in caplog.text
    assert guard.last is not None
    assert guard.last.startswith("MissingExtra: no_such_module is not installed")


def test_an_error_inside_a_library_is_logged_at_our_line_that_called_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The library's own lines are not mentioned."""

    class Hostile:
        def __iter__(self) -> Iterator[object]:
            raise ValueError(SECRET)

    guard = Guard()
    with guard:
        plain_floats(cast("Sequence[object]", Hostile()))
    assert "numbers.py:" in caplog.text
    assert __file__ not in caplog.text
    assert SECRET not in caplog.text


def test_the_last_error_is_kept_without_the_message_of_a_foreign_exception() -> None:
    """A later error replaces it, even if that one is not logged."""
    guard = Guard()
    assert guard.last is None
    for error in (ConfigError("say more"), ValueError(SECRET), LookupError(SECRET)):
        guard.hold(error)
    assert guard.last == "LookupError"
    guard.hold(ConfigError("say more"))
    assert guard.last == "ConfigError: say more"
    guard.clear()
    assert guard.last is None


def test_a_message_that_cannot_be_printed_is_left_out() -> None:
    """The error is still counted by its type."""

    class Untold(MonitorError):
        def __str__(self) -> str:
            raise RuntimeError

    guard = Guard()
    guard.hold(Untold())
    assert (guard.internal_errors, guard.last) == (1, "Untold")
