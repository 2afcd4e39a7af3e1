"""A progress line for long operations: shown only on a terminal, silent in a pipe."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

from mlmonitor.formatting import counted

Item = TypeVar("Item")

QUIET_SECONDS = 1.0
"""The line does not appear for work that ends within this time."""

_PAUSE_SECONDS = 0.1
_BAR = 24


class ProgressLine:
    """Shows how much of `total` is done: appears after a second, and is erased at the end.

    It writes to standard error if that is a terminal, and nothing otherwise: not in a service, a
    notebook, a pipe or a test. It stops if the stream is closed or full, and never raises.
    Price: one clock reading per update.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._total, self._clock = title, total, clock
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = _is_terminal(self._stream)
        self._next = clock() + QUIET_SECONDS
        self._has_written = False

    def update(self, done: int) -> None:
        """Show that `done` of `total` is done, unless the line was written a moment ago."""
        if not self._is_shown or self._clock() < self._next:
            return
        self._next = self._clock() + _PAUSE_SECONDS
        self._write(f"\r\x1b[K{self._describe(done)}")
        self._has_written = True

    def _describe(self, done: int) -> str:
        if not self._total:
            return f"{self._title}: {counted(done)}"
        share = min(done / self._total, 1.0)
        full = round(share * _BAR)
        bar = "#" * full + "." * (_BAR - full)
        return f"{self._title} [{bar}] {share:.0%} of {counted(self._total)}"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # closed, full, or of another encoding
            self._is_shown = False

    def clear(self) -> None:
        """Erase the line, if anything was shown."""
        if self._has_written and self._is_shown:
            self._write("\r\x1b[K")
            self._has_written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.clear()


def track(
    items: Iterable[Item],
    title: str,
    total: int | None = None,
    *,
    count: Callable[[Item], int] = lambda _item: 1,
) -> Iterator[Item]:
    """Yield items, and show how many are done. count: returns how much an item adds.

    The progress line is created after the first item, so that a single item costs nothing extra.
    """
    line: ProgressLine | None = None
    done = 0
    try:
        for item in items:
            yield item
            done += count(item)
            if line is None:
                line = ProgressLine(title, total)
            else:
                line.update(done)
    finally:
        if line is not None:
            line.clear()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
