"""Functions around functions: each call leaves a record, and costs as little as Python allows.

Every step of a plain call stands in the wrapper itself, because a Python call costs as much as
copying a row does. What goes wrong in these steps is held back; what the wrapped function raises
passes through untouched.
"""

from collections.abc import Callable
from contextvars import Token
from functools import wraps
from types import CodeType
from typing import Any

import numpy as np

from mlmonitor.capture.entry import Call, Shape, name
from mlmonitor.capture.form import PLAIN_TYPES, UNREADABLE_ROW, Copied, PayloadForm
from mlmonitor.capture.host.arguments import Pick, Take
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.host.recorder import PLAIN_CALLS, OpenCall, Recorder
from mlmonitor.capture.host.results import extract_prediction
from mlmonitor.capture.prediction_ids import id_or_none, id_text

Begin = Callable[[Any, Any], tuple[Call, Copied]]
Begun = tuple[Call, Copied]

_NOTHING = object()
_MAPPING, _FLOATS = PayloadForm.MAPPING, PayloadForm.FLOATS
_FLOAT64, _ndarray = np.dtype(np.float64), np.ndarray


def beginning(tap: Recorder, take: Take, pick_id: Pick | None) -> Begin:
    """What has to be done before a call whose arguments may come in any way."""
    guard = tap.guard

    def begin(args: Any, kwargs: Any) -> tuple[Call, Copied]:
        opened: Call = []
        copied = UNREADABLE_ROW
        with guard:
            copied = take(args, kwargs)
        if pick_id is not None:
            with guard:
                told = identities(pick_id(args, kwargs))
                if told is not None:  # an id of None would keep one from being made
                    name(opened, told)
        return opened, copied

    return begin


def wrap_sync(function: Any, tap: Recorder, shape: Shape, begin: Begin) -> Any:
    """Around a plain function whose arguments may come in any way."""
    clock = tap.clock

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        opened, copied = begin(args, kwargs)
        started = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail(tap, shape, (opened, copied), clock() - started, type(error))
            raise
        succeed(tap, shape, (opened, copied), clock() - started, result)
        return result

    PLAIN_CALLS.add(_code(call))
    return call


def wrap_single_argument(
    function: Any, tap: Recorder, shape: Shape, otherwise: Any, *, only: str | None = None
) -> Any:
    """Around a plain function whose first argument is the features, and mostly the only one.

    `otherwise` is called where there is more than that argument, or where it comes by name. only:
    the name of its parameter, if there is just one: then Python itself sees to it that a call has
    it, by place or by name, which is an eighth of the price.
    """
    one = _around_one(function, tap, shape)
    is_only = only is not None and rename_parameter(one, only)
    PLAIN_CALLS.add(_code(one))
    if is_only:
        return wraps(function)(one)
    nothing = _NOTHING

    @wraps(function)
    def call(features: Any = nothing, /, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or features is nothing:
            given = () if features is nothing else (features,)
            return otherwise(*given, *args, **kwargs)
        return one(features)

    return call


def rename_parameter(function: Any, parameter: str) -> bool:
    """Call the one parameter of a function of ours as that of the host's, for who passes it so."""
    code = _code(function)
    others = {*code.co_varnames[1:], *code.co_freevars, *code.co_cellvars}
    if parameter in others:
        return False
    function.__code__ = code.replace(co_varnames=(parameter, *code.co_varnames[1:]))
    return True


def _around_one(  # noqa: PLR0915 - all in one frame, see above
    function: Any, tap: Recorder, shape: Shape
) -> Any:
    """Around a plain function that is given the features alone.

    Almost every call comes here: no step that can be saved.
    """
    clock, copiers = tap.clock, tap.copiers
    line, entries = tap.line, tap.line.entries
    plain = PLAIN_TYPES if shape.outputs.select is None else frozenset[type]()
    floats, ndarray = _FLOAT64, _ndarray

    def call(features: Any) -> Any:  # noqa: PLR0915 - as above
        opened: Call = []
        try:
            kind = type(features)
            if kind is dict:
                form, rows, payload = _MAPPING, 1, features.copy()
            elif (
                kind is ndarray
                and features.dtype is floats
                and features.ndim == 1
                and (payload := features.tobytes())
            ):
                form, rows = _FLOATS, 1
            else:
                form, rows, payload = copiers[kind](features)
        except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
            tap.guard.hold(fault)
            form, rows, payload = UNREADABLE_ROW
        started = clock()
        try:
            result = function(features)
        except BaseException as error:
            fail(tap, shape, (opened, (form, rows, payload)), clock() - started, type(error))
            raise
        took = clock() - started
        prediction = result if type(result) in plain else taken(tap, shape, result)
        try:
            entry = (shape, form, rows, payload, prediction, took, None, opened)
            if rows == 1 and len(entries) < line.room:
                entries.append(entry)
            else:
                line.put(entry)
        except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
            tap.guard.hold(fault)
        return result

    return call


def _code(function: Any) -> CodeType:
    code: CodeType = function.__code__
    return code


def wrap_coroutine(function: Any, tap: Recorder, shape: Shape, begin: Begin) -> Any:
    """Around a coroutine function: its calls may be suspended, so the context knows them."""
    clock = tap.clock

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        opened, copied = begin(args, kwargs)
        started = clock()
        held = OpenCall(opened, started)
        token = tap.open_call.set(held)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            took = clock() - started
            close(tap, held, token)
            fail(tap, shape, (opened, copied), took, type(error))
            raise
        took = clock() - started
        close(tap, held, token)
        succeed(tap, shape, (opened, copied), took, result)
        return result

    return call


def close(tap: Recorder, held: OpenCall, token: Token[OpenCall | None]) -> None:
    """Close a call in its context."""
    try:
        tap.open_call.reset(token)
    except (ValueError, RuntimeError):
        leave(tap, held)


def leave(tap: Recorder, held: OpenCall) -> None:
    """Close a call that ends in another context than it began in, or twice."""
    if tap.open_call.get() is held:
        tap.open_call.set(None)


def succeed(tap: Recorder, shape: Shape, begun: Begun, took: int, result: Any) -> None:
    """Hand over the record of a call that has returned; nothing of ours is raised here."""
    opened, (form, rows, payload) = begun
    is_plain = type(result) in PLAIN_TYPES and shape.outputs.select is None
    prediction = result if is_plain else taken(tap, shape, result)
    try:
        line, entry = tap.line, (shape, form, rows, payload, prediction, took, None, opened)
        if rows == 1 and len(line.entries) < line.room:
            line.entries.append(entry)
        else:
            line.put(entry)
    except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
        tap.guard.hold(fault)


def fail(tap: Recorder, shape: Shape, begun: Begun, took: int, error: type[BaseException]) -> None:
    """Hand over the record of a call that has raised; nothing of ours is raised here."""
    opened, (form, rows, payload) = begun
    try:
        tap.line.put((shape, form, rows, payload, None, took, error.__name__, opened))
    except Exception as fault:  # noqa: BLE001 - ours, whatever it is: the host goes on
        tap.guard.hold(fault)


def taken(tap: Recorder, shape: Shape, result: Any) -> Any:
    """The prediction inside `result`, copied; where that fails the row stays, without one."""
    try:
        return extract_prediction(shape.outputs, result)
    except Exception as fault:  # noqa: BLE001 - ours: the row stays, its prediction is missing
        tap.guard.hold(fault)
        return None


def identities(identity: Any) -> str | list[str | None] | None:
    """An id as text, or an id for each of several rows; None where none was told."""
    is_one = is_value(type(identity)) or getattr(identity, "ndim", 1) == 0
    is_many = isinstance(identity, list | tuple) or hasattr(identity, "__array__")
    return id_text(identity) if is_one or not is_many else [id_or_none(each) for each in identity]
