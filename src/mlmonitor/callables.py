"""Check functions of the host when they are given, not when they are first called."""

from collections.abc import Sequence

from mlmonitor.errors import ConfigError


def check_function(option: str, function: object, arguments: Sequence[str]) -> None:
    """Check that an object can be called with these arguments, by position.

    A function whose signature cannot be read is accepted: some that are written in C have none, and
    annotations may name what is imported for type checkers alone.

    Raises:
        ConfigError: it is not a function, or takes other arguments.
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
        raise ConfigError(f"{expected}, got one that takes others") from None
