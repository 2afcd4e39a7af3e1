"""One prediction made inside a `with` or `async with` block.

A class for each monitor, whose methods know what all its blocks share: looking that up in the block
would cost as much as the clock does. What goes wrong in these steps is held back; what the block
raises passes through untouched.
"""

from types import TracebackType
from typing import Any, ClassVar, Self

from mlmonitor.capture.entry import Call, Entry, Shape, name
from mlmonitor.capture.form import PLAIN_TYPES, UNREADABLE_ROW, PayloadForm
from mlmonitor.capture.host.recorder import OpenCall, Recorder, identify
from mlmonitor.capture.host.wrappers import fail, leave, taken
from mlmonitor.capture.prediction_ids import id_text

_MAPPING = PayloadForm.MAPPING


class Observation(OpenCall):
    """One prediction made inside a `with` or `async with` block.

    Set `value` to what was predicted; `id` is the handle by which its label can be reported later,
    and may be asked for in the block or after it.
    An exception passes through and is counted. A block that sets no value made a prediction that
    is missing. Where the monitor is switched off there are a value and an id, and nothing is
    recorded.
    """

    __slots__ = ("_copied", "_features", "_record", "_shape", "_token", "value")

    _tap: ClassVar[Recorder]
    _record: Entry | None

    def __init__(self, shape: Shape, features: Any, prediction_id: object) -> None:
        self._shape, self._features = shape, features
        self.value: Any = None
        self._call: Call = []
        if prediction_id is not None:
            with self._tap.guard:
                called = id_text(prediction_id)
                if called is not None:
                    name(self._call, called)

    @property
    def id(self) -> str:
        """The prediction's id: the caller's, or one made at the first look."""
        return self.identified(self._tap)

    def identified(self, tap: Recorder) -> str:
        """The same; whoever asks first when the block has ended has it told to the worker."""
        is_new = not self._call
        called = identify(tap, self._call)
        # Looked up after it has a name: what is handed over from now on is read with it.
        record = getattr(self, "_record", None)
        if is_new and record is not None:
            tap.name_late(record)
        return called

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        return None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


def unrecorded(tap: Recorder) -> type[Observation]:
    """The blocks of a monitor that is switched off."""

    class Unrecorded(Observation):
        __slots__ = ()
        _tap = tap

    Unrecorded.__qualname__ = Observation.__qualname__
    return Unrecorded


def recorded(tap: Recorder) -> type[Observation]:  # noqa: C901 - two methods, each in one frame
    """The blocks of a monitor: each leaves a record when it ends."""
    clock, line, entries = tap.clock, tap.line, tap.line.entries
    set_open, reset_open = tap.open_call.set, tap.open_call.reset
    plain_row, copiers, plain_types, mapping = tap.plain_row, tap.copiers, PLAIN_TYPES, _MAPPING

    class Recorded(Observation):
        __slots__ = ()
        _tap = tap

        def __enter__(self) -> Self:
            features = self._features
            try:
                if type(features) is plain_row:  # as most are
                    self._copied = mapping, 1, features.copy()
                else:
                    self._copied = copiers[type(features)](features)
            except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
                tap.guard.hold(fault)
                self._copied = UNREADABLE_ROW
            self._token = set_open(self)
            self._started = clock()
            return self

        def __exit__(
            self,
            kind: type[BaseException] | None,
            _error: BaseException | None,
            _trace: TracebackType | None,
            /,
        ) -> None:
            took = clock() - self._started
            try:
                reset_open(self._token)
            except (ValueError, RuntimeError):
                leave(tap, self)
            shape = self._shape
            if kind is not None:
                fail(tap, shape, (self._call, self._copied), took, kind)
                return
            result = self.value
            prediction = result if type(result) in plain_types else taken(tap, shape, result)
            form, rows, payload = self._copied
            try:
                entry = (shape, form, rows, payload, prediction, took, None, self._call)
                self._record = entry
                if rows == 1 and len(entries) < line.room:
                    entries.append(entry)
                elif not line.put(entry):
                    self._record = None
            except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
                tap.guard.hold(fault)

    Recorded.__qualname__ = Observation.__qualname__
    return Recorded
