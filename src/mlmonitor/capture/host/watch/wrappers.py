"""Wrap functions so that each call leaves a record, at the lowest price Python allows.

Every step of a plain call is inlined in the wrapper, because one more Python call costs as much as
copying a row. Errors of this package are counted; an exception of the wrapped function passes
through unchanged.
"""

from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any

import numpy as np

from mlmonitor.capture.entry import Call, Shape, name
from mlmonitor.capture.form import PLAIN_TYPES, UNREADABLE_ROW, Copied, PayloadForm
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.host.recorder import PLAIN_CALLS, OpenCall, Recorder
from mlmonitor.capture.host.watch.arguments import ArgumentReader, FeatureCopier
from mlmonitor.capture.host.watch.deferred import DEFERRALS
from mlmonitor.capture.host.watch.recording import (
    close_call,
    extract_guarded,
    record_deferred,
    record_failure,
    record_success,
)
from mlmonitor.capture.prediction_ids import id_or_none, id_text
from mlmonitor.forks import process_mark

Opener = Callable[[Any, Any], tuple[Call, Copied]]
Chooser = Callable[[Any, Any, Any], Any]
"""Returns the prediction, given the positional and keyword arguments of a call and its result."""

_NOTHING = object()
_MAPPING, _FLOATS = PayloadForm.MAPPING, PayloadForm.FLOATS
_FLOAT64, _ndarray = np.dtype(np.float64), np.ndarray


def build_opener(
    recorder: Recorder, copy_features: FeatureCopier, read_id: ArgumentReader | None
) -> Opener:
    """Build the function that copies the features and reads the id before each call."""
    guard = recorder.guard

    def begin(args: Any, kwargs: Any) -> tuple[Call, Copied]:
        opened: Call = []
        copied = UNREADABLE_ROW
        with guard:
            copied = copy_features(args, kwargs)
        if read_id is not None:
            with guard:
                own_id = parse_ids(read_id(args, kwargs))
                if own_id is not None:  # storing None would keep an id from being created
                    name(opened, own_id)
        return opened, copied

    return begin


def wrap_sync(
    function: Any,
    recorder: Recorder,
    shape: Shape,
    begin: Opener,
    choose: Chooser | None = None,
) -> Any:
    """Wrap a plain function whose arguments may be passed in any way.

    choose: returns the part of a result that holds the prediction, if it depends on the arguments.
    """
    clock, guard = recorder.clock, recorder.guard

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        opened, copied = begin(args, kwargs)
        started = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            record_failure(recorder, shape, (opened, copied), clock() - started, type(error))
            raise
        if DEFERRALS[type(result)] is not None:
            return record_deferred(recorder, shape, (opened, copied), started, result)
        took, chosen = clock() - started, result
        if choose is not None:
            chosen = None
            with guard:
                chosen = choose(args, kwargs, result)
        record_success(recorder, shape, (opened, copied), took, chosen)
        return result

    PLAIN_CALLS.add(_get_code(call))
    return call


def wrap_single_argument(
    function: Any, recorder: Recorder, shape: Shape, otherwise: Any, *, only: str | None = None
) -> Any:
    """Wrap a plain function whose first argument, usually its only one, holds the features.

    otherwise: the wrapper to call if there are more arguments, or if features are passed by name.
    only: the name of the function's only parameter, if it has just one. Python itself then checks
        that a call passes it, by position or by name, which makes a call an eighth cheaper.
    """
    one = _wrap_features_only(function, recorder, shape)
    is_only = only is not None and rename_parameter(one, only)
    PLAIN_CALLS.add(_get_code(one))
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
    """Rename the wrapper's parameter so that callers can pass it by name; False if it is taken."""
    code = _get_code(function)
    others = {*code.co_varnames[1:], *code.co_freevars, *code.co_cellvars}
    if parameter in others:
        return False
    function.__code__ = code.replace(co_varnames=(parameter, *code.co_varnames[1:]))
    return True


def _wrap_features_only(  # noqa: C901, PLR0915 - all in one frame, see above
    function: Any, recorder: Recorder, shape: Shape
) -> Any:
    """Wrap a plain function that is passed only the features.

    Almost every call runs through this wrapper, so it has no avoidable step.
    """
    clock, copiers = recorder.clock, recorder.copiers
    line, entries = recorder.line, recorder.line.entries
    plain = PLAIN_TYPES if shape.outputs.select is None else frozenset[type]()
    floats, ndarray, mark = _FLOAT64, _ndarray, process_mark

    def call(features: Any) -> Any:  # noqa: C901, PLR0915 - as above
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
        except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
            recorder.guard.hold(fault)
            form, rows, payload = UNREADABLE_ROW
        started = clock()
        try:
            result = function(features)
        except BaseException as error:
            record_failure(
                recorder, shape, (opened, (form, rows, payload)), clock() - started, type(error)
            )
            raise
        took = clock() - started
        if type(result) in plain:
            prediction = result
        elif DEFERRALS[type(result)] is None:
            prediction = extract_guarded(recorder, shape, result)
        else:
            return record_deferred(
                recorder, shape, (opened, (form, rows, payload)), started, result
            )
        try:
            entry = (shape, form, rows, payload, prediction, took, None, opened)
            if rows == 1 and mark and len(entries) < line.room:
                entries.append(entry)
            else:
                line.put(entry)
        except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
            recorder.guard.hold(fault)
        return result

    return call


def _get_code(function: Any) -> CodeType:
    code: CodeType = function.__code__
    return code


def wrap_coroutine(function: Any, recorder: Recorder, shape: Shape, begin: Opener) -> Any:
    """Wrap a coroutine function; its calls may be suspended, so a context variable stores them."""
    clock = recorder.clock

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        opened, copied = begin(args, kwargs)
        started = clock()
        suspended = OpenCall(opened, started)
        token = recorder.open_call.set(suspended)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            took = clock() - started
            close_call(recorder, suspended, token)
            record_failure(recorder, shape, (opened, copied), took, type(error))
            raise
        took = clock() - started
        close_call(recorder, suspended, token)
        record_success(recorder, shape, (opened, copied), took, result)
        return result

    return call


def parse_ids(identity: Any) -> str | list[str | None] | None:
    """Return an id as text, or a list with one per row; None if none was given."""
    is_one = is_value(type(identity)) or getattr(identity, "ndim", 1) == 0
    is_many = isinstance(identity, list | tuple) or hasattr(identity, "__array__")
    return id_text(identity) if is_one or not is_many else [id_or_none(value) for value in identity]
