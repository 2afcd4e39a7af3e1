"""Progress of long work is shown on a terminal and nowhere else."""

import io

import pytest

from mlmonitor.display.progress import QUIET_SECONDS, ProgressLine, track
from mlmonitor.testing import ManualClock


class Terminal(io.StringIO):
    """A stream that reports to be a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


class BrokenTerminal(Terminal):
    """A terminal whose reader is gone; counts the attempts to write to it."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def write(self, _text: str, /) -> int:
        """Raise as a closed pipe does."""
        self.attempts += 1
        raise BrokenPipeError


def test_long_work_shows_its_progress_and_clears_the_line() -> None:
    """Nothing is shown at first, and the line is erased at the end."""
    stream, clock = Terminal(), ManualClock(0.0)
    with ProgressLine("fitting", 200, stream=stream, clock=clock) as progress:
        progress.update(10)
        assert stream.getvalue() == ""
        clock.advance(QUIET_SECONDS)
        progress.update(50)
    assert stream.getvalue() == "\r\x1b[Kfitting [######..................] 25% of 200\r\x1b[K"


def test_short_work_shows_no_progress() -> None:
    """It does not even erase a line."""
    stream, clock = Terminal(), ManualClock(0.0)
    with ProgressLine("fitting", 200, stream=stream, clock=clock) as progress:
        for done in range(200):
            progress.update(done)
    assert stream.getvalue() == ""


def test_progress_is_not_written_to_a_pipe() -> None:
    """Work of any length stays silent."""
    stream, clock = io.StringIO(), ManualClock(0.0)
    with ProgressLine("loading", stream=stream, clock=clock) as progress:
        clock.advance(3_600)
        progress.update(5)
    assert stream.getvalue() == ""


def test_progress_is_written_at_most_ten_times_a_second() -> None:
    """Updates may be more frequent."""
    stream, clock = Terminal(), ManualClock(0.0)
    with ProgressLine("loading", stream=stream, clock=clock) as progress:
        clock.advance(QUIET_SECONDS)
        for done in range(1_000):
            clock.advance(0.001)
            progress.update(done)
    assert 9 <= stream.getvalue().count("loading: ") <= 11


def test_a_closed_terminal_does_not_stop_the_work() -> None:
    """After the first failure nothing more is written."""
    broken, closed = BrokenTerminal(), Terminal()
    closed.close()
    updated = []
    for stream in (broken, closed):
        clock = ManualClock(0.0)
        with ProgressLine("fitting", 2, stream=stream, clock=clock) as progress:
            clock.advance(QUIET_SECONDS)
            progress.update(1)
            clock.advance(1)
            progress.update(2)
            updated.append(stream)
    assert updated == [broken, closed]
    assert broken.attempts == 1


def test_progress_beyond_the_planned_number_shows_100_percent() -> None:
    """A file may grow while it is read."""
    stream, clock = Terminal(), ManualClock(0.0)
    progress = ProgressLine("reading", 10, stream=stream, clock=clock)
    clock.advance(QUIET_SECONDS)
    progress.update(12)
    assert "100% of 10" in stream.getvalue()


def test_tracked_items_pass_unchanged_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts by its size, and the line is erased even if reading stops early."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("mlmonitor.display.progress.QUIET_SECONDS", -1.0)
    parts = track(iter([[1], [2, 3], [4, 5, 6]]), "reading", 6, count=len)
    assert [next(parts), next(parts)] == [[1], [2, 3]]
    assert list(parts) == [[4, 5, 6]]
    assert "reading [############............] 50% of 6" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_work_of_one_item_creates_no_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of `record` with a single slice checks neither stream nor clock."""
    monkeypatch.setattr("mlmonitor.display.progress.ProgressLine", pytest.fail)
    assert list(track([], "recording")) == []
    monkeypatch.setattr("mlmonitor.display.progress.ProgressLine", ProgressLine)
    assert list(track(["one"], "recording")) == ["one"]
