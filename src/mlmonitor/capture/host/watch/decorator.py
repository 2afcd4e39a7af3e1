"""Watch functions of every kind; what happens around a call is in `wrappers`."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.watch.arguments import (
    FeatureCopier,
    build_argument_reader,
    build_feature_copier,
    find_only_parameter,
    is_first_argument,
    list_parameters,
)
from mlmonitor.capture.host.watch.wrappers import (
    build_opener,
    wrap_coroutine,
    wrap_single_argument,
    wrap_sync,
)
from mlmonitor.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")


def decorate(
    function: Any, features: str | Sequence[str] | None, *, recorder: Recorder, shape: Shape
) -> Any:
    """Wrap a function, `staticmethod` or `classmethod`; `features` names the arguments with them.

    If the identity of `shape` is an argument of the function, it is not looked for among features.
    """
    if isinstance(function, staticmethod | classmethod):
        inner = decorate(function.__func__, features, recorder=recorder, shape=shape)
        return type(function)(inner)
    if not callable(function):
        raise ConfigError(
            "watch: expected a function, as in @monitor.watch or monitor.watch(predict)"
        )
    by_argument = shape.identity if shape.identity in list_parameters(function) else None
    copy_features = build_feature_copier(function, features, recorder.copiers, by_argument)
    call_shape = shape if by_argument is None else shape._replace(identity=None)
    return wrap_function(
        function,
        recorder=recorder,
        copy_features=copy_features,
        shape=call_shape,
        id_argument=by_argument,
    )


def wrap_function(
    function: Callable[P, R],
    *,
    recorder: Recorder,
    copy_features: FeatureCopier,
    shape: Shape,
    id_argument: str | None,
) -> Callable[P, R]:
    """Wrap `function` so that each call leaves a record; coroutine functions stay as they are.

    Raises:
        ConfigError: `function` is a generator. Its consumer decides when its prediction is made
            and whether it ever ends.
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
