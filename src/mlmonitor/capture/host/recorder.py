"""State that all watched calls of a monitor share, and the search for the open call."""

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
from mlmonitor.forks import PerProcess


class Line(Protocol):
    """The destination of records: call `put`, or append a row while `len(entries) < room`."""

    entries: deque[Entry]
    room: int

    def put(self, entry: Entry, /) -> bool:
        """Add one entry or drop it; return whether it was added. Must neither wait nor raise."""


class OpenCall:
    """A call stored in a context variable, because other code may run before it ends."""

    __slots__ = ("_call", "_started")

    def __init__(self, call: Call, started: int) -> None:
        self._call, self._started = call, started

    @property
    def started(self) -> int:
        """When the call began, in nanoseconds of the monotonic clock."""
        return self._started

    @property
    def is_forgotten(self) -> bool:
        """Whether the call has ended in another context and is still stored in this one."""
        return self._started < 0

    def forget(self) -> None:
        """Mark the call as ended, for a context in which it is still stored."""
        self._started = -1

    def ensure_id(self, recorder: "Recorder") -> str:
        """Return the id of the call; create it at the first read."""
        return assign_id(recorder, self._call)


@dataclass(frozen=True, slots=True)
class Recorder(PerProcess):
    """State that all watched calls of one monitor share.

    clock: monotonic, in nanoseconds.
    new_id: makes a prediction's id.
    name_late: receives an entry whose id was first read after it had been appended.
    attribute: receives the attributions of one prediction.
    plain_row: the type of rows for which a shallow copy is enough, if there is one.
    unobservable: types of results already reported as impossible to observe.
    open_call: the coroutine call or block that is open in the current context. A plain call is
        found on the stack instead, see `find_open_id`.
    """

    line: Line
    clock: Callable[[], int]
    new_id: Callable[[], str]
    name_late: Callable[[Entry], object]
    guard: Guard
    copiers: Copiers = field(default_factory=Copiers)
    attribute: Callable[[Any], object] | None = None
    plain_row: Any = dict
    unobservable: set[type] = field(default_factory=set)
    open_call: ContextVar[OpenCall | None] = field(
        default_factory=lambda: ContextVar("open_call", default=None)
    )


PLAIN_CALLS: set[CodeType] = set()
"""Code of the wrappers of plain functions; its locals include `recorder`, `opened`, `started`."""


def assign_id(recorder: Recorder, call: Call) -> str:
    """Return the id of `call`; create it at the first read."""
    if not call:
        name(call, recorder.new_id())
    return str(call[0])


def find_open_id(recorder: Recorder) -> str | None:
    """Return the id of the innermost open call of this monitor, or None if none is open here.

    Storing a plain call in the context variable would add a third to its price. It is found on the
    stack instead, at 0.1 us a frame. If calls are open in both places, the inner one is the one
    that began later.
    """
    suspended = recorder.open_call.get()
    if suspended is not None and suspended.is_forgotten:
        suspended = None
    began = 0 if suspended is None else suspended.started
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - CPython's and PyPy's
    while frame is not None:
        if frame.f_code in PLAIN_CALLS:
            variables = frame.f_locals
            if variables["recorder"] is recorder and "started" in variables:
                if variables["started"] >= began:
                    return assign_id(recorder, variables["opened"])
                break
        frame = frame.f_back
    return None if suspended is None else suspended.ensure_id(recorder)
