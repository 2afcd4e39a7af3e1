"""Functions of every kind, watched: what is around a call is in `wrappers`."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.host.arguments import (
    Take,
    comes_first,
    only_parameter,
    parameters,
    picker,
    take_features,
)
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.wrappers import (
    beginning,
    wrap_coroutine,
    wrap_single_argument,
    wrap_sync,
)
from mlmonitor.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")


def decorate(
    function: Any, features: str | Sequence[str] | None, *, tap: Recorder, shape: Shape
) -> Any:
    """`function`, `staticmethod` or `classmethod`, watched; `features` says where they are.

    Of `shape` the identity may be an argument of the function's: then it is no feature.
    """
    if isinstance(function, staticmethod | classmethod):
        inner = decorate(function.__func__, features, tap=tap, shape=shape)
        return type(function)(inner)
    if not callable(function):
        raise ConfigError(
            "watch: expected a function, as in @monitor.watch or monitor.watch(predict)"
        )
    by_argument = shape.identity if shape.identity in parameters(function) else None
    take = take_features(function, features, tap.copiers)
    told = shape if by_argument is None else shape._replace(identity=None)
    return watched(function, tap=tap, take=take, shape=told, id_argument=by_argument)


def watched(
    function: Callable[P, R], *, tap: Recorder, take: Take, shape: Shape, id_argument: str | None
) -> Callable[P, R]:
    """`function`, each call of which leaves a record; coroutine functions stay coroutine functions.

    Raises:
        ConfigError: `function` is a generator: when its prediction is made, and whether it ever
            ends, is for its consumer to say.
    """
    callee = getattr(function, "__call__", function)  # noqa: B004 - expected for its kind
    if any(map(inspect.isgeneratorfunction, (function, callee))) or any(
        map(inspect.isasyncgenfunction, (function, callee))
    ):
        raise ConfigError(
            f"{getattr(function, '__qualname__', 'the function')} is a generator: watch the "
            "function that computes one prediction, or use `with monitor.observe(features)`"
        )
    begin = beginning(tap, take, None if id_argument is None else picker(function, id_argument))
    if any(map(inspect.iscoroutinefunction, (function, callee))):
        return cast("Callable[P, R]", wrap_coroutine(function, tap, shape, begin))
    anyhow = wrap_sync(function, tap, shape, begin)
    if id_argument is not None or not comes_first(take):
        return cast("Callable[P, R]", anyhow)
    only = only_parameter(function)
    return cast("Callable[P, R]", wrap_single_argument(function, tap, shape, anyhow, only=only))
