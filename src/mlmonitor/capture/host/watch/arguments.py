"""Find, once at decoration, which argument of a watched function holds the features."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.capture.host.watch.default_features import (
    LAST_ARGUMENT,
    choose_features,
    describe_function,
)
from mlmonitor.errors import ConfigError

Arguments = tuple[Any, ...]
ArgumentReader = Callable[[Arguments, Mapping[str, Any]], Any]
FeatureCopier = Callable[[Arguments, Mapping[str, Any]], Copied]

_BOUND = ("self", "cls")
_INSTANCES = ("this", "me", "klass", "_self", "_cls", "instance")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NO_VALUES: Mapping[str, Any] = MappingProxyType({})  # one row without values; () is not a row


def list_parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the unbound parameters by name; empty if there is no signature."""
    try:
        by_name = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return {}
    bound = {*_BOUND, *getattr(function, "keywords", {})} | _find_instance(function, by_name)
    return {name: parameter for name, parameter in by_name.items() if name not in bound}


def _find_instance(function: Callable[..., Any], by_name: Mapping[str, object]) -> set[str]:
    """Return the first parameter of a method if it is a common alternative name for `self`."""
    owner, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    first = next(iter(by_name), "")
    is_method = bool(owner) and not owner.endswith("<locals>")
    return {first} if is_method and first in _INSTANCES and len(by_name) > 1 else set()


def find_features(
    function: Callable[..., Any], identity: str | None, names: Collection[str] = ()
) -> str | Sequence[str]:
    """Find the argument that holds the features, or all arguments if each is a feature.

    identity: an argument that holds the prediction's id and is not a feature.
    names: the model's features, if known.

    Raises:
        ConfigError: the function has no argument, or it is unclear whether the first one holds the
            features or each is one.
    """
    by_name = list_parameters(function)
    others = {name: by_name[name] for name in by_name if name != identity}
    return choose_features(function, others, names)


def build_feature_copier(
    function: Callable[..., Any],
    features: str | Sequence[str] | None,
    copiers: Copiers,
    identity: str | None = None,
) -> FeatureCopier:
    """Build a function that copies the features out of a call's arguments.

    features: the argument that holds the features, or the arguments that are one feature each. None
        means the first argument, or all keyword arguments if the function takes only `**features`.
        If the first is annotated as a number or text, each argument is a feature.
    identity: an argument that holds the prediction's id and is not a feature.

    Raises:
        ConfigError: the function has no such argument or none at all, or it is unclear whether the
            first argument holds the features or each argument is one.
    """
    if features is None:
        features = find_features(function, identity)
    if isinstance(features, str):
        return _copy_from_argument(function, features, copiers)
    readers = {name: build_argument_reader(function, name) for name in features}

    def copy_fields(args: Arguments, kwargs: Mapping[str, Any]) -> Copied:
        return PayloadForm.MAPPING, 1, {name: read(args, kwargs) for name, read in readers.items()}

    if isinstance(copiers, VectorCopiers):
        return lambda args, kwargs: copiers.copy_vectors(copy_fields(args, kwargs))
    return copy_fields


class PositionalFeatures:
    """Copies the features from one position, or by name if the call passed them by name."""

    __slots__ = ("_copiers", "_read", "position")

    def __init__(self, position: int, read: ArgumentReader, copiers: Copiers) -> None:
        self.position: int = position
        self._read, self._copiers = read, copiers

    def __call__(self, args: Arguments, kwargs: Mapping[str, Any]) -> Copied:
        """Copy the features of one call."""
        has_position = len(args) > self.position
        features = args[self.position] if has_position else self._read(args, kwargs)
        return self._copiers[type(features)](features)


def is_first_argument(copy_features: FeatureCopier) -> bool:
    """Whether the features are the first positional argument."""
    return isinstance(copy_features, PositionalFeatures) and copy_features.position == 0


def find_only_parameter(function: Callable[..., Any]) -> str | None:
    """Return the name of the function's only parameter if it is required; otherwise None.

    The name is read from the code object, because a decorator may copy the signature of another
    function.
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


def _copy_from_argument(function: Callable[..., Any], name: str, copiers: Copiers) -> FeatureCopier:
    read = build_argument_reader(function, name)
    names = list(inspect.signature(function).parameters) if name else []
    is_anywhere = not names or list_parameters(function)[name].kind not in _BY_POSITION
    if is_anywhere or isinstance(copiers, VectorCopiers):  # vectors are copied as well
        return lambda args, kwargs: copiers[type(features := read(args, kwargs))](features)
    return PositionalFeatures(names.index(name), read, copiers)


def build_argument_reader(function: Callable[..., Any], name: str) -> ArgumentReader:
    """Build a function that reads the argument `name` from a call's arguments.

    Raises:
        ConfigError: the function has no parameter of that name.
    """
    by_name = list_parameters(function)
    if not by_name and name == LAST_ARGUMENT:
        return lambda args, _kwargs: args[-1] if args else None
    if name not in by_name:
        raise ConfigError(
            f"{describe_function(function)} has no argument {name!r}; "
            f"it has: {', '.join(by_name) or 'none'}"
        )
    parameter = by_name[name]
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    position = list(inspect.signature(function).parameters).index(name)
    match parameter.kind:
        case inspect.Parameter.VAR_KEYWORD:
            named = {key for key, other in by_name.items() if other.kind in _BY_NAME}
            return lambda _args, kwargs: {key: kwargs[key] for key in kwargs if key not in named}
        case inspect.Parameter.VAR_POSITIONAL:
            return lambda args, _kwargs: args[position:] or _NO_VALUES
        case inspect.Parameter.KEYWORD_ONLY:
            return lambda _args, kwargs: kwargs.get(name, default)
        case _:
            return lambda args, kwargs: (
                args[position] if len(args) > position else kwargs.get(name, default)
            )
