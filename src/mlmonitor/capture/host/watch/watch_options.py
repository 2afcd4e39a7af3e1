"""Check the options of `watch` at decoration, against the signature of the watched function."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from mlmonitor.capture.host.watch.default_features import describe_function, is_scalar
from mlmonitor.capture.outputs import Outputs
from mlmonitor.errors import ConfigError

_SIMILARITY = 0.85  # above that of `request` and `request_id`, which may both exist


def check_options(features: object, outputs: Outputs, id_from: object) -> None:
    """Check the types of the options.

    Raises:
        ConfigError: an option has the wrong type.
    """
    if id_from is not None and not isinstance(id_from, str):
        raise ConfigError(
            f"id_from: expected the name of an argument or of a feature, got {_name_type(id_from)}"
        )
    is_names = isinstance(features, Sequence) and all(isinstance(name, str) for name in features)
    if features is not None and not (is_names and features):
        raise ConfigError(
            "features: expected the name of an argument, or a list of such names, "
            f"got {_describe(features)}"
        )
    select = outputs.select
    if select is not None and not (isinstance(select, str | int) or callable(select)):
        raise ConfigError(
            "prediction: expected a key or attribute, an index, or a function of the result, "
            f"got {_name_type(select)}"
        )


def check_id_argument(
    function: Callable[..., Any],
    parameters: Sequence[str],
    features: str | Sequence[str],
    identity: str | None,
) -> None:
    """Check that the id can be found: in an argument, or in the row that an argument holds.

    Raises:
        ConfigError: each argument is a feature and none has the id's name, or the id's name looks
            like a misspelt argument.
    """
    if identity is None or identity in parameters:
        return
    from difflib import get_close_matches  # rarely needed, and slow to import

    others = [name for name in parameters if name != features]
    similar = get_close_matches(identity, others, n=1, cutoff=_SIMILARITY)
    if isinstance(features, str) and not similar:
        return
    raise ConfigError(
        f"id_from: {describe_function(function)} has no argument {identity!r}; "
        + (f"did you mean {similar[0]!r}?" if similar else f"it has: {', '.join(parameters)}")
    )


def check_returned_type(function: Callable[..., Any], outputs: Outputs) -> None:
    """Check that a function that returns probabilities is not annotated as returning one value.

    Raises:
        ConfigError: the return annotation is a single number, text or time.
    """
    if outputs.kind != "probabilities" or outputs.select is not None:
        return
    try:
        returned = inspect.signature(function).return_annotation
    except (TypeError, ValueError):  # some builtins have no signature
        return
    if returned is not inspect.Signature.empty and is_scalar(returned):
        raise ConfigError(
            f"output: 'probabilities' is for one number per class, but "
            f"{describe_function(function)} returns one value: leave output out"
        )


def _name_type(value: object) -> str:
    return type(value).__name__


def _describe(features: object) -> str:
    is_empty = isinstance(features, Sequence) and not features
    return "none" if is_empty else _name_type(features)
