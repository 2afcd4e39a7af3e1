"""Which argument of a watched function holds the features, found once, at decoration."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.errors import ConfigError

Arguments = tuple[Any, ...]
Pick = Callable[[Arguments, Mapping[str, Any]], Any]
Take = Callable[[Arguments, Mapping[str, Any]], Copied]

_BOUND = ("self", "cls")
_LAST = ""  # the last positional argument
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NO_VALUES: Mapping[str, Any] = MappingProxyType({})  # one row without values, where () is no row


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The function's parameters without the bound one; empty where Python cannot tell."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return {}
    return {name: parameter for name, parameter in found.items() if name not in _BOUND}


def take_features(
    function: Callable[..., Any], features: str | Sequence[str] | None, copiers: Copiers
) -> Take:
    """A function that copies the features out of a call's arguments.

    features: the argument that holds them; or several arguments that are a field each; or None:
        the first argument, or all keyword arguments where the function takes `**features` alone.

    Raises:
        ConfigError: the function has no such argument, or none at all.
    """
    if features is None:
        features = _default(function, parameters(function))
    if isinstance(features, str):
        return _take_one(function, features, copiers)
    picks = {name: picker(function, name) for name in features}

    def take(args: Arguments, kwargs: Mapping[str, Any]) -> Copied:
        return PayloadForm.MAPPING, 1, {name: pick(args, kwargs) for name, pick in picks.items()}

    if isinstance(copiers, VectorCopiers):
        return lambda args, kwargs: copiers.owned(take(args, kwargs))
    return take


class TakeAt:
    """Takes the features from one position; where they came by name, they are looked for."""

    __slots__ = ("_copiers", "_pick", "at")

    def __init__(self, at: int, pick: Pick, copiers: Copiers) -> None:
        self.at: int = at
        self._pick, self._copiers = pick, copiers

    def __call__(self, args: Arguments, kwargs: Mapping[str, Any]) -> Copied:
        """The features of one call, copied."""
        features = args[self.at] if len(args) > self.at else self._pick(args, kwargs)
        return self._copiers[type(features)](features)


def comes_first(take: Take) -> bool:
    """Whether the features are the first positional argument."""
    return isinstance(take, TakeAt) and take.at == 0


def only_parameter(function: Callable[..., Any]) -> str | None:
    """The name of the function's one parameter, which every call has to pass, by place or by name.

    Asked of its code, not of its signature: that of a decorated function is another's.
    """
    bound = int(isinstance(function, MethodType))
    plain = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(plain, FunctionType):
        return None
    code = plain.__code__
    has_more = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    is_one = code.co_argcount == bound + 1 and not code.co_kwonlyargcount and not has_more
    if not is_one or code.co_posonlyargcount or plain.__defaults__:
        return None
    return code.co_varnames[bound]


def _take_one(function: Callable[..., Any], name: str, copiers: Copiers) -> Take:
    pick = picker(function, name)
    names = list(inspect.signature(function).parameters) if name else []
    is_anywhere = not names or parameters(function)[name].kind not in _BY_POSITION
    if is_anywhere or isinstance(copiers, VectorCopiers):  # whose rows are more than copied
        return lambda args, kwargs: copiers[type(features := pick(args, kwargs))](features)
    return TakeAt(names.index(name), pick, copiers)


def picker(function: Callable[..., Any], name: str) -> Pick:
    """A function that finds the argument `name` among a call's arguments.

    Raises:
        ConfigError: the function has no parameter of that name.
    """
    known = parameters(function)
    if not known and name == _LAST:
        return lambda args, _kwargs: args[-1] if args else None
    if name not in known:
        raise ConfigError(
            f"{_called(function)} has no argument {name!r}; it has: {', '.join(known) or 'none'}"
        )
    parameter = known[name]
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    at = list(inspect.signature(function).parameters).index(name)
    match parameter.kind:
        case inspect.Parameter.VAR_KEYWORD:
            named = {key for key, other in known.items() if other.kind in _BY_NAME}
            return lambda _args, kwargs: {key: kwargs[key] for key in kwargs if key not in named}
        case inspect.Parameter.VAR_POSITIONAL:
            return lambda args, _kwargs: args[at:] or _NO_VALUES
        case inspect.Parameter.KEYWORD_ONLY:
            return lambda _args, kwargs: kwargs.get(name, default)
        case _:
            return lambda args, kwargs: args[at] if len(args) > at else kwargs.get(name, default)


def _default(function: Callable[..., Any], known: Mapping[str, inspect.Parameter]) -> str:
    if not known:
        try:
            inspect.signature(function)
        except (TypeError, ValueError):
            return _LAST  # all that can be said of such a builtin
        raise ConfigError(
            f"{_called(function)} takes no argument that could hold features: "
            "use `with monitor.observe(features)` inside it"
        )
    return next(iter(known))


def _called(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__
