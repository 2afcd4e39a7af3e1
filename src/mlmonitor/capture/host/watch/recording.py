"""Hand over the record of a call, when it has returned or when its deferred result is ready."""

from collections.abc import Callable
from contextvars import Token
from typing import Any

from mlmonitor.capture.entry import Call, Shape
from mlmonitor.capture.form import PLAIN_TYPES, Copied
from mlmonitor.capture.host.recorder import OpenCall, Recorder
from mlmonitor.capture.host.results import extract_prediction
from mlmonitor.capture.host.watch.deferred import DEFERRALS, describe_unobservable, read_error
from mlmonitor.forks import process_mark

Opened = tuple[Call, Copied]


def close_call(recorder: Recorder, call: OpenCall, token: Token[OpenCall | None]) -> None:
    """Restore the context as it was before the call."""
    try:
        recorder.open_call.reset(token)
    except (ValueError, RuntimeError):
        forget_open_call(recorder, call)


def forget_open_call(recorder: Recorder, call: OpenCall) -> None:
    """Close a call that ends twice, or in a context other than the one in which it began."""
    call.forget()
    if recorder.open_call.get() is call:
        recorder.open_call.set(None)


def record_success(
    recorder: Recorder, shape: Shape, opened_call: Opened, took: int, result: Any
) -> None:
    """Append the record of a call that has returned; never raises."""
    opened, (form, rows, payload) = opened_call
    is_plain = type(result) in PLAIN_TYPES and shape.outputs.select is None
    prediction = result if is_plain else extract_guarded(recorder, shape, result)
    try:
        line, entry = recorder.line, (shape, form, rows, payload, prediction, took, None, opened)
        if rows == 1 and process_mark and len(line.entries) < line.room:
            line.entries.append(entry)
        else:
            line.put(entry)
    except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
        recorder.guard.hold(fault)


def record_deferred(
    recorder: Recorder, shape: Shape, opened_call: Opened, started: int, result: Any
) -> Any:
    """Record a result when it is ready; return the object that the host receives in its place."""
    kind = type(result)
    deferral = DEFERRALS[kind]
    if deferral == "coroutine":
        return _await_recorded(recorder, shape, opened_call, started, result)
    if deferral == "future":
        with recorder.guard:
            result.add_done_callback(_build_callback(recorder, shape, opened_call, started))
        return result
    if kind not in recorder.unobservable:
        recorder.unobservable.add(kind)
        recorder.guard.hold(describe_unobservable(kind))
    record_success(recorder, shape, opened_call, recorder.clock() - started, None)
    return result


async def _await_recorded(
    recorder: Recorder, shape: Shape, opened_call: Opened, started: int, coroutine: Any
) -> Any:
    suspended = OpenCall(opened_call[0], started)
    token = recorder.open_call.set(suspended)
    try:
        result = await coroutine
    except BaseException as error:
        close_call(recorder, suspended, token)
        record_failure(recorder, shape, opened_call, recorder.clock() - started, type(error))
        raise
    close_call(recorder, suspended, token)
    record_success(recorder, shape, opened_call, recorder.clock() - started, result)
    return result


def _build_callback(
    recorder: Recorder, shape: Shape, opened_call: Opened, started: int
) -> Callable[[Any], None]:
    def record(future: Any) -> None:
        took = recorder.clock() - started
        with recorder.guard:
            error = read_error(future)
            if error is None:
                record_success(recorder, shape, opened_call, took, future.result())
            else:
                record_failure(recorder, shape, opened_call, took, error)

    return record


def record_failure(
    recorder: Recorder, shape: Shape, opened_call: Opened, took: int, error: type[BaseException]
) -> None:
    """Append the record of a call that has raised; never raises."""
    opened, (form, rows, payload) = opened_call
    try:
        recorder.line.put((shape, form, rows, payload, None, took, error.__name__, opened))
    except Exception as fault:  # noqa: BLE001 - an error of ours never reaches the host
        recorder.guard.hold(fault)


def extract_guarded(recorder: Recorder, shape: Shape, result: Any) -> Any:
    """Copy the prediction inside `result`; if that fails, count the error and return None."""
    try:
        return extract_prediction(shape.outputs, result)
    except Exception as fault:  # noqa: BLE001 - the row is kept, its prediction is missing
        recorder.guard.hold(fault)
        return None
