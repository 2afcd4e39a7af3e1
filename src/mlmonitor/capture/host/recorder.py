"""Where records leave the host, and the call that is open there."""

import sys
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Protocol

from mlmonitor.capture.entry import Call, Entry, name
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.copiers import Copiers


class Line(Protocol):
    """What takes the records over: `put`, or for a single row, while there is room, `entries`."""

    entries: deque[Entry]
    room: int

    def put(self, entry: Entry, /) -> bool:
        """Take one entry, or drop it; whether it was taken. It must neither wait nor raise."""


class OpenCall:
    """A call that the context knows, because other code may run while it is open."""

    __slots__ = ("_call", "_started")

    def __init__(self, call: Call, started: int) -> None:
        self._call, self._started = call, started

    @property
    def started(self) -> int:
        """When it began."""
        return self._started

    def identified(self, tap: "Recorder") -> str:
        """Its id, made now if nobody has asked before."""
        return identify(tap, self._call)


@dataclass(frozen=True, slots=True)
class Recorder:
    """What every watched call of one monitor shares.

    clock: monotonic, in nanoseconds.
    new_id: makes a prediction's id.
    name_late: told of an entry whose id was asked for when it had been handed over already.
    plain_row: the type of rows for which a copy of their own is enough, if there is one.
    open_call: the call that is open in the current context, of those that may be suspended:
        coroutines and blocks. A plain call is found on the stack, see `open_call`.
    """

    line: Line
    clock: Callable[[], int]
    new_id: Callable[[], str]
    name_late: Callable[[Entry], object]
    guard: Guard
    copiers: Copiers = field(default_factory=Copiers)
    plain_row: Any = dict
    open_call: ContextVar[OpenCall | None] = field(
        default_factory=lambda: ContextVar("open_call", default=None)
    )


PLAIN_CALLS: set[CodeType] = set()
"""The code of the wrappers of plain functions; a frame of it has `tap`, `opened` and `started`."""


def identify(tap: Recorder, call: Call) -> str:
    """The id of `call`, made now if nobody has asked before."""
    if not call:
        name(call, tap.new_id())
    return str(call[0])


def open_id(tap: Recorder) -> str | None:
    """The id of the innermost call of this monitor that is open here; None where there is none.

    A plain call leaves no trace in the context, for that would cost every call a third of its
    price: whoever asks looks for it on the stack, and pays 0.1 us a frame. Of a plain call and of
    one in the context, the one that began later is the inner one.
    """
    held = tap.open_call.get()
    began = 0 if held is None else held.started
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - CPython's and PyPy's
    while frame is not None:
        if frame.f_code in PLAIN_CALLS:
            found = frame.f_locals
            if found["tap"] is tap and "started" in found:
                if found["started"] >= began:
                    return identify(tap, found["opened"])
                break
        frame = frame.f_back
    return None if held is None else held.identified(tap)
