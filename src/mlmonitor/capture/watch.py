"""One prediction, watched: the decorator and the context manager, for plain and async code.

The host's thread reads two clocks, copies the features, and hands one tuple over. What goes wrong
in these steps is held back; what the wrapped code raises passes through untouched.
"""

import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast
from weakref import ref

from mlmonitor.capture.arguments import Pick, Take, picker
from mlmonitor.capture.calls import Call, Entry, Shape
from mlmonitor.capture.columns import is_missing
from mlmonitor.capture.forms import Copied, Copiers, copy_unreadable
from mlmonitor.capture.guard import Guard
from mlmonitor.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Tap:
    """Where records leave the host: what every watched call of one monitor shares.

    put: takes one entry; must neither wait nor raise.
    clock: monotonic, in nanoseconds.
    new_id: makes a prediction's id.
    open_call: the call that is open in the current context.
    """

    put: Callable[[Entry], None]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    open_call: ContextVar[Call | None]
    guard: Guard
    copiers: Copiers


def identify(tap: Tap, call: Call) -> str | Sequence[str | None]:
    """The id of `call`, made now if nobody has asked before."""
    if call.id is None:
        # atomic: the worker may read the call while the host first asks for its id
        vars(call).setdefault("id", tap.new_id())
    return call.id or ""


class Observation:
    """One prediction made inside a `with` or `async with` block.

    Set `value` to what was predicted; `id` is the handle by which its label can be reported later,
    and may be asked for in the block or after it.
    An exception passes through and is counted. A block that sets no value made a prediction that
    is missing.
    """

    __slots__ = (
        "__weakref__",
        "_call",
        "_features",
        "_opened",
        "_shape",
        "_started",
        "_tap",
        "value",
    )

    def __init__(self, tap: Tap, shape: Shape, features: Any, prediction_id: str | None) -> None:
        self._tap, self._shape, self._features = tap, shape, features
        self._call = Call()
        if prediction_id is not None:
            with tap.guard:
                self._call.id = str(prediction_id)
        if self._call.id is None:
            self._call.asker = ref(self)
        self.value: Any = None

    @property
    def id(self) -> str:
        """The prediction's id: the caller's, or one made at the first look."""
        return str(identify(self._tap, self._call))

    def __enter__(self) -> Self:
        copied = _copied(self._tap, self._features)
        self._opened = (self._call, copied, self._tap.open_call.set(self._call))
        self._started = self._tap.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        took = self._tap.clock() - self._started
        close(self._tap, self._shape, self._opened, took, self.value, kind)

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

    def __init__(self, tap: Tap, prediction_id: str | None) -> None:
        self._tap, self._call, self.value = tap, Call(), None
        if prediction_id is not None:
            with tap.guard:
                self._call.id = str(prediction_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        return None


Opened = tuple[Call, Copied, Token[Call | None]]


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
    begin = _beginning(tap, take, None if id_argument is None else picker(function, id_argument))
    if any(map(inspect.iscoroutinefunction, (function, callee))):
        return cast("Callable[P, R]", _around_async(function, tap, shape, begin))
    return _around(function, tap, shape, begin)


Begin = Callable[[Any, Any], Opened]


def _beginning(tap: Tap, take: Take, pick_id: Pick | None) -> Begin:
    """What a watched call does before it runs."""
    open_call, guard = tap.open_call, tap.guard

    def begin(args: Any, kwargs: Any) -> Opened:
        call = Call()
        try:
            copied = take(args, kwargs)
        except Exception as error:  # noqa: BLE001 - ours, whatever it is: the host goes on
            guard.hold(error)
            copied = copy_unreadable(None)
        if pick_id is not None:
            with guard:
                told = _identities(pick_id(args, kwargs))
                if told is not None:  # an id of None would keep one from being made
                    call.id = told
        return call, copied, open_call.set(call)

    return begin


def _around(function: Callable[P, R], tap: Tap, shape: Shape, begin: Begin) -> Callable[P, R]:
    clock = tap.clock

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        opened = begin(args, kwargs)
        started = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            close(tap, shape, opened, clock() - started, None, type(error))
            raise
        close(tap, shape, opened, clock() - started, result, None)
        return result

    return call


def _around_async(function: Any, tap: Tap, shape: Shape, begin: Begin) -> Any:
    clock = tap.clock

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        opened = begin(args, kwargs)
        started = clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            close(tap, shape, opened, clock() - started, None, type(error))
            raise
        close(tap, shape, opened, clock() - started, result, None)
        return result

    return call


def close(
    tap: Tap,
    shape: Shape,
    opened: Opened,
    duration_ns: int,
    result: Any,
    error: type[BaseException] | None,
) -> None:
    """Hand over the record of a call that has ended; nothing of ours is raised here."""
    call, (form, rows, payload), token = opened
    try:
        tap.open_call.reset(token)
    except (ValueError, RuntimeError):  # ended in another context than it began in, or twice
        if tap.open_call.get() is call:
            tap.open_call.set(None)
    prediction, failure = None, None
    try:
        if error is None:
            prediction = shape.outputs.taken(result)
        else:
            failure = error.__name__
    except Exception as fault:  # noqa: BLE001 - ours: the row stays, its prediction is missing
        tap.guard.hold(fault)
    try:
        tap.put((shape, form, rows, payload, prediction, duration_ns, failure, call))
    except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
        tap.guard.hold(fault)


def _copied(tap: Tap, features: Any) -> Copied:
    try:
        return tap.copiers[type(features)](features)
    except Exception as error:  # noqa: BLE001 - ours, whatever it is: the host goes on
        tap.guard.hold(error)
        return copy_unreadable(features)


def _identities(identity: Any) -> str | list[str | None] | None:
    if is_missing(identity):
        return None
    is_many = isinstance(identity, list | tuple) or hasattr(identity, "__array__")
    if not is_many:
        return str(identity)
    return [None if is_missing(each) else str(each) for each in identity]
