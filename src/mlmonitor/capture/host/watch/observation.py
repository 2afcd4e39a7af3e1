"""One prediction made inside a `with` or `async with` block.

Each monitor has a class of its own, whose methods close over the state that its blocks share: a
lookup in the block would cost as much as reading the clock. Errors of this package are counted; an
exception of the block passes through unchanged.
"""

from types import TracebackType
from typing import Any, ClassVar, Self

from mlmonitor.capture.entry import Call, Entry, Shape, name
from mlmonitor.capture.form import PLAIN_TYPES, UNREADABLE_ROW, PayloadForm
from mlmonitor.capture.host.recorder import OpenCall, Recorder, assign_id
from mlmonitor.capture.host.watch.recording import extract_guarded, forget_open_call, record_failure
from mlmonitor.capture.prediction_ids import id_text
from mlmonitor.errors import SchemaError
from mlmonitor.forks import process_mark

_MAPPING = PayloadForm.MAPPING


class Observation(OpenCall):
    """One prediction made inside a `with` or `async with` block.

    Set `value` to the prediction, and `attributions` to each feature's contribution to it, if they
    are known. Read `id` in the block or after it, and pass it to `label` with the actual.
    An exception passes through and is counted. A block that sets no value records a missing
    prediction; one that sets another attribute instead, such as `valeu`, counts an error as well.
    A monitor that is switched off records nothing; `value` and `id` work as usual.
    """

    # `__dict__` is for the attributes that do not exist: setting one must not raise.
    __slots__ = (
        "__dict__",
        "_attributions",
        "_copied",
        "_features",
        "_record",
        "_shape",
        "_token",
        "value",
    )

    _attributions: Any
    _recorder: ClassVar[Recorder]
    _record: Entry | None

    def __init__(self, shape: Shape, features: Any, prediction_id: object) -> None:
        self._shape, self._features = shape, features
        self.value: Any = None
        self._call: Call = []
        if prediction_id is not None:
            with self._recorder.guard:
                own_id = id_text(prediction_id)
                if own_id is not None:
                    name(self._call, own_id)

    @property
    def id(self) -> str:
        """The prediction's id: the caller's, or one that is created at the first read."""
        return self.ensure_id(self._recorder)

    @id.setter  # noqa: A003 - the property above
    def id(self, _own_id: object) -> None:
        """Count an assignment as an error, because the id is set when the block begins."""
        self._recorder.guard.hold(
            SchemaError("observe: `id` is read-only: pass observe(..., prediction_id=...)")
        )

    @property
    def attributions(self) -> Any:
        """The contribution of each feature to the prediction, by name; None until it is set."""
        return getattr(self, "_attributions", None)

    @attributions.setter
    def attributions(self, by_feature: Any) -> None:
        """Record the attributions immediately; an error in them is counted, not raised."""
        self._attributions = by_feature
        recorder = self._recorder
        if recorder.attribute is not None and by_feature is not None:
            with recorder.guard:
                recorder.attribute(by_feature)

    def ensure_id(self, recorder: Recorder) -> str:
        """Return the id; pass it on to the worker if it is first read after the block."""
        is_new = len(self._call) != 1
        prediction_id = assign_id(recorder, self._call)
        del self._call[1:]  # the mark that the worker assigned the id
        # Read after the id is set: an entry appended from now on carries it already.
        record = getattr(self, "_record", None)
        if is_new and record is not None:
            recorder.name_late(record)
        return prediction_id

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


def report_misspelt(block: Observation, recorder: Recorder) -> None:
    """Count it as an error if the block set attributes that do not exist, and no `value`."""
    for attribute in list(vars(block))[:1]:
        from difflib import get_close_matches  # rarely needed, and slow to import

        hint = "; did you mean 'value'?" if get_close_matches(attribute, ["value"]) else ""
        recorder.guard.hold(
            SchemaError(f"observe: expected `value` to be set, got {attribute!r}{hint}")
        )


def make_silent_class(recorder: Recorder) -> type[Observation]:
    """Make the `Observation` class of a monitor that is switched off."""

    class Unrecorded(Observation):
        __slots__ = ()
        _recorder = recorder

    Unrecorded.__qualname__ = Observation.__qualname__
    return Unrecorded


def make_recording_class(recorder: Recorder) -> type[Observation]:  # noqa: C901 - two methods, each in one frame
    """Make the `Observation` class of a monitor; each block leaves a record when it ends."""
    clock, line, entries = recorder.clock, recorder.line, recorder.line.entries
    set_open, reset_open, mark = recorder.open_call.set, recorder.open_call.reset, process_mark
    plain_row, copiers = recorder.plain_row, recorder.copiers
    plain_types, mapping = PLAIN_TYPES, _MAPPING

    class Recorded(Observation):
        __slots__ = ()
        _recorder = recorder

        def __enter__(self) -> Self:
            features = self._features
            try:
                if type(features) is plain_row:  # the usual case
                    self._copied = mapping, 1, features.copy()
                else:
                    self._copied = copiers[type(features)](features)
            except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
                recorder.guard.hold(fault)
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
                forget_open_call(recorder, self)
            shape = self._shape
            if kind is not None:
                record_failure(recorder, shape, (self._call, self._copied), took, kind)
                return
            prediction = self.value
            if prediction is None:
                report_misspelt(self, recorder)
            if type(prediction) not in plain_types:
                prediction = extract_guarded(recorder, shape, prediction)
            form, rows, payload = self._copied
            try:
                entry = (shape, form, rows, payload, prediction, took, None, self._call)
                self._record = entry
                if rows == 1 and mark and len(entries) < line.room:
                    entries.append(entry)
                elif not line.put(entry):
                    self._record = None
            except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
                recorder.guard.hold(fault)

    Recorded.__qualname__ = Observation.__qualname__
    return Recorded
