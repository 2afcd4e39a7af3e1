"""One prediction, watched: the decorator and the context manager, for plain and async code.

The host's thread reads two clocks, copies the features, and hands one tuple over. What goes wrong
in these steps is held back; what the wrapped code raises passes through untouched.
"""

import inspect
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast
from weakref import ref

from mlmonitor.capture.arguments import Take, comes_first, parameters, picker, take_features
from mlmonitor.capture.calls import Call, Shape, name
from mlmonitor.capture.forms import PLAIN_TYPES, UNREADABLE_ROW, Form
from mlmonitor.capture.identity import id_text
from mlmonitor.capture.tap import Suspendable, Tap, identify
from mlmonitor.capture.wrappers import (
    around,
    around_async,
    around_first,
    beginning,
    fail,
    leave,
    taken,
)
from mlmonitor.errors import ConfigError

Source = tuple[Tap, Shape]

_MAPPING = Form.MAPPING

P = ParamSpec("P")
R = TypeVar("R")


class Observation(Suspendable):
    """One prediction made inside a `with` or `async with` block.

    Set `value` to what was predicted; `id` is the handle by which its label can be reported later,
    and may be asked for in the block or after it.
    An exception passes through and is counted. A block that sets no value made a prediction that
    is missing.
    """

    __slots__ = ("__weakref__", "_copied", "_features", "_source", "_token", "value")

    def __init__(self, source: Source, features: Any, prediction_id: object) -> None:
        self._source, self._features = source, features
        self.value: Any = None
        # Whoever holds this may ask for the id when the block has ended.
        self._call: Call = [ref(self)]
        if prediction_id is not None:
            with source[0].guard:
                called = id_text(prediction_id)
                if called is not None:
                    name(self._call, called)

    @property
    def id(self) -> str:
        """The prediction's id: the caller's, or one made at the first look."""
        return identify(self._source[0], self._call)

    def __enter__(self) -> Self:
        tap, features = self._source[0], self._features
        try:
            if type(features) is tap.plain_row:  # as most are
                self._copied = _MAPPING, 1, features.copy()
            else:
                self._copied = tap.copiers[type(features)](features)
        except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
            tap.guard.hold(fault)
            self._copied = UNREADABLE_ROW
        self._token = tap.open_call.set(self)
        self._started = tap.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        tap, shape = self._source
        took = tap.clock() - self._started
        try:
            tap.open_call.reset(self._token)
        except (ValueError, RuntimeError):
            leave(tap, self)
        if kind is not None:
            fail(tap, shape, (self._call, self._copied), took, kind)
            return
        result = self.value
        prediction = result if type(result) in PLAIN_TYPES else taken(tap, shape, result)
        form, rows, payload = self._copied
        try:
            line = tap.line
            entry = (shape, form, rows, payload, prediction, took, None, self._call)
            if rows == 1 and len(line.entries) < line.room:
                line.entries.append(entry)
            else:
                line.put(entry)
        except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
            tap.guard.hold(fault)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


class Unrecorded(Observation):
    """What a monitor that is switched off gives: a value and an id, without a clock or a copy."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        return None


def decorated(
    function: Any, features: str | Sequence[str] | None, *, tap: Tap, shape: Shape
) -> Any:
    """`function`, `staticmethod` or `classmethod`, watched; `features` says where they are.

    Of `shape` the identity may be an argument of the function's: then it is no feature.
    """
    if isinstance(function, staticmethod | classmethod):
        inner = decorated(function.__func__, features, tap=tap, shape=shape)
        return type(function)(inner)
    if not callable(function):
        raise ConfigError(
            "watch: wanted a function, as in @monitor.watch or monitor.watch(predict)"
        )
    by_argument = shape.identity if shape.identity in parameters(function) else None
    take = take_features(function, features, tap.copiers)
    told = shape if by_argument is None else shape._replace(identity=None)
    return watched(function, tap=tap, take=take, shape=told, id_argument=by_argument)


def watched(
    function: Callable[P, R], *, tap: Tap, take: Take, shape: Shape, id_argument: str | None
) -> Callable[P, R]:
    """`function`, each call of which leaves a record; coroutine functions stay coroutine functions.

    Raises:
        ConfigError: `function` is a generator: when its prediction is made, and whether it ever
            ends, is for its consumer to say.
    """
    callee = getattr(function, "__call__", function)  # noqa: B004 - wanted for its kind
    if any(map(inspect.isgeneratorfunction, (function, callee))) or any(
        map(inspect.isasyncgenfunction, (function, callee))
    ):
        raise ConfigError(
            f"{getattr(function, '__qualname__', 'the function')} is a generator: watch the "
            "function that computes one prediction, or use `with monitor.observe(features)`"
        )
    begin = beginning(tap, take, None if id_argument is None else picker(function, id_argument))
    if any(map(inspect.iscoroutinefunction, (function, callee))):
        return cast("Callable[P, R]", around_async(function, tap, shape, begin))
    anyhow = around(function, tap, shape, begin)
    is_first = id_argument is None and comes_first(take)
    return cast(
        "Callable[P, R]", around_first(function, tap, shape, anyhow) if is_first else anyhow
    )
