"""Choose the arguments that are features if the user does not name them."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mlmonitor.errors import ConfigError

LAST_ARGUMENT = ""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_SCALARS = frozenset(
    {"int", "float", "str", "bool", "bytes", "date", "time", "datetime", "timedelta", "Decimal"}
    | {"Fraction", "UUID", "number", "integer", "floating", "Timestamp", "Timedelta"}
    | {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)}
)
_AROUND_SCALARS = frozenset(
    {"None", "NoneType", "Optional", "Union", "class", "np", "numpy", "pd", "pandas"}
    | {"typing", "decimal", "fractions", "uuid", "dt", "bool_", "str_"}
)


def choose_features(
    function: Callable[..., Any],
    by_name: Mapping[str, inspect.Parameter],
    names: Collection[str] = (),
) -> str | Sequence[str]:
    """Choose the argument that holds the features, or all arguments if each is a feature.

    names: the model's features. If the first argument has one of these names, other arguments with
        such names may be features too, even those with a default.

    Raises:
        ConfigError: there is no argument, or it is unclear whether the first one holds the features
            or each is one.
    """
    if not by_name:
        try:
            inspect.signature(function)
        except (TypeError, ValueError):
            return LAST_ARGUMENT  # a builtin without a signature: assume its last argument
        raise ConfigError(
            f"{describe_function(function)} takes no argument that could hold features: "
            "use `with monitor.observe(features)` inside it"
        )
    first, *others = by_name.values()
    if first.kind in _VARIADIC:
        return first.name
    if is_scalar(first.annotation):
        return [
            parameter.name
            for parameter in by_name.values()
            if parameter.kind not in _VARIADIC and _may_be_scalar(parameter.annotation)
        ]
    optional = names if first.name in names else ()
    several = [first.name, *(p.name for p in others if _is_required(p) or p.name in optional)]
    if len(several) > 1 and first.annotation is inspect.Parameter.empty:
        raise ConfigError(
            f"{describe_function(function)} takes {', '.join(several)}: say which hold features, "
            f"watch(features={first.name!r}) if the first is a row or a batch, or "
            f"watch(features={several!r}) if each is a feature"
        )
    return first.name


def describe_function(function: Callable[..., Any]) -> str:
    """Return the name of a function for messages."""
    return getattr(function, "__qualname__", None) or type(function).__name__


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in _VARIADIC and parameter.default is inspect.Parameter.empty


def _may_be_scalar(annotation: Any) -> bool:
    return annotation is inspect.Parameter.empty or is_scalar(annotation)


def is_scalar(annotation: Any) -> bool:
    """Whether an annotation, possibly given as text, denotes a single number, text or time."""
    if annotation is inspect.Parameter.empty:
        return False
    text = annotation if isinstance(annotation, str) else str(annotation)
    text = re.sub(r"^(typing\.)?Annotated\[(.*?),.*\]$", r"\2", text)
    if re.match(r"(typing\.)?Literal\[", text):
        return True
    words = set(re.findall(r"\w+", text))
    return bool(words & _SCALARS) and words <= _SCALARS | _AROUND_SCALARS
