"""Watch functions of every kind; the code around each call is in `wrappers`."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from inspect import isclass
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, ParamSpec, TypeVar, cast

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.watch.arguments import (
    FeatureCopier,
    build_argument_reader,
    build_feature_copier,
    find_features,
    find_only_parameter,
    is_first_argument,
    list_parameters,
)
from mlmonitor.capture.host.watch.models import (
    is_model,
    is_session,
    wrap_estimator,
    wrap_session,
)
from mlmonitor.capture.host.watch.proxies import WatchedCallable, WatchedModel
from mlmonitor.capture.host.watch.watch_options import (
    check_id_argument,
    check_returned_type,
)
from mlmonitor.capture.host.watch.wrappers import (
    build_opener,
    wrap_coroutine,
    wrap_single_argument,
    wrap_sync,
)
from mlmonitor.errors import ConfigError

FUNCTION_TYPES = (FunctionType, MethodType, BuiltinFunctionType)

P = ParamSpec("P")
R = TypeVar("R")


def decorate(
    function: Any, features: str | Sequence[str] | None, *, recorder: Recorder, shape: Shape
) -> Any:
    """Wrap a function, method or model; `features` names the arguments to copy.

    If the identity of `shape` is an argument of the function, ids are read from that argument and
    not from a feature.

    Raises:
        ConfigError: the target cannot be watched, or the options do not fit it.
    """
    if isinstance(function, staticmethod | classmethod):
        inner = decorate(function.__func__, features, recorder=recorder, shape=shape)
        return type(function)(inner)
    if is_model(function):
        return WatchedModel(
            function, partial(_wrap_methods, features=features, recorder=recorder, shape=shape)
        )
    if isclass(function):
        raise ConfigError(
            f"watch: expected a function, got the class {function.__qualname__}: watch its method "
            "that predicts, or an instance"
        )
    if not callable(function):
        raise ConfigError(
            "watch: expected a function, as in @monitor.watch or monitor.watch(predict)"
        )
    parameters = list(list_parameters(function))
    by_argument = shape.identity if shape.identity in parameters else None
    if features is None:
        features = find_features(function, by_argument, shape.names)
    copy_features = build_feature_copier(function, features, recorder.copiers, by_argument)
    check_id_argument(function, parameters, features, shape.identity)
    check_returned_type(function, shape.outputs)
    call_shape = shape if by_argument is None else shape._replace(identity=None)
    wrapper = wrap_function(
        function,
        recorder=recorder,
        copy_features=copy_features,
        shape=call_shape,
        id_argument=by_argument,
    )
    evaluate_signature(wrapper, function)
    if isinstance(function, FUNCTION_TYPES) or inspect.iscoroutinefunction(wrapper):
        return wrapper
    return WatchedCallable(function, lambda _wrapped: {"__call__": wrapper})


def _wrap_methods(
    model: Any, *, features: str | Sequence[str] | None, recorder: Recorder, shape: Shape
) -> dict[str, Any]:
    if is_session(model):
        return wrap_session(model, features, recorder=recorder, shape=shape)

    def wrap(method: Any, of_method: Shape) -> Any:
        return decorate(method, features, recorder=recorder, shape=of_method)

    return wrap_estimator(model, shape, wrap)


def evaluate_signature(wrapper: Any, function: Callable[..., Any]) -> None:
    """Evaluate text annotations in the function's own module; FastAPI below 0.124 would not.

    `from __future__ import annotations` turns annotations into texts, which old versions of FastAPI
    evaluate in the wrapper's module. If any of them cannot be evaluated here, all stay texts.
    """
    annotations = getattr(function, "__annotations__", {})
    if any(isinstance(annotation, str) for annotation in annotations.values()):
        with suppress(Exception):
            wrapper.__signature__ = inspect.signature(function, eval_str=True)


def wrap_function(
    function: Callable[P, R],
    *,
    recorder: Recorder,
    copy_features: FeatureCopier,
    shape: Shape,
    id_argument: str | None,
) -> Callable[P, R]:
    """Wrap a function or a coroutine function so that each call leaves a record.

    Raises:
        ConfigError: `function` is a generator, whose consumer decides when it predicts and whether
            it ends.
    """
    callee = getattr(function, "__call__", function)  # noqa: B004 - a bound method says which kind of function it is
    if any(map(inspect.isgeneratorfunction, (function, callee))) or any(
        map(inspect.isasyncgenfunction, (function, callee))
    ):
        raise ConfigError(
            f"{getattr(function, '__qualname__', 'the function')} is a generator: watch the "
            "function that computes one prediction, or use `with monitor.observe(features)`"
        )
    begin = build_opener(
        recorder,
        copy_features,
        None if id_argument is None else build_argument_reader(function, id_argument),
    )
    if any(map(inspect.iscoroutinefunction, (function, callee))):
        return cast("Callable[P, R]", wrap_coroutine(function, recorder, shape, begin))
    general = wrap_sync(function, recorder, shape, begin)
    if id_argument is not None or not is_first_argument(copy_features):
        return cast("Callable[P, R]", general)
    only = find_only_parameter(function)
    return cast(
        "Callable[P, R]", wrap_single_argument(function, recorder, shape, general, only=only)
    )
