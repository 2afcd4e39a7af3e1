"""Check the user's functions at set-up, before they are first called."""

from collections.abc import Sequence

from mlmonitor.errors import ConfigError


def check_function(option: str, function: object, arguments: Sequence[str]) -> None:
    """Check that `function` can be called with these positional arguments.

    A function whose signature cannot be read is accepted: some C functions have none, and
    annotations may name types that are imported for type checkers only.

    Raises:
        ConfigError: `function` cannot be called, or takes other arguments.
    """
    expected = f"{option}: expected a function of {', '.join(arguments) or 'no arguments'}"
    if not callable(function):
        raise ConfigError(f"{expected}, got {type(function).__name__}")
    from inspect import signature

    try:
        parameters = signature(function)
    except Exception:  # noqa: BLE001 - Python 3.14 evaluates annotations, which may raise anything
        return
    try:
        parameters.bind(*arguments)
    except TypeError:
        raise ConfigError(f"{expected}, got one with other arguments") from None
