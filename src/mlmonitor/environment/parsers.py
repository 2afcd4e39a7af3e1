"""Parse the standard OpenTelemetry variables; invalid values are ignored with a warning.

Source: OpenTelemetry specification, "Environment Variable Specification", sections "Boolean",
"Numeric", "Timeout" and "Enum" (opentelemetry.io/docs/specs/otel/configuration/
sdk-environment-variables): an empty variable is an unset one; a value that cannot be parsed or is
out of range is reported by a warning and treated as unset; `true` is the only true value.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

log: logging.Logger = logging.getLogger("mlmonitor")

Warn = Callable[[str], object]
"""Gets a sentence about a variable that is ignored. The sentence holds no value."""

INDEFINITE_SECONDS = 3_600.0
"""Used for a timeout of 0, which the specification calls indefinite."""

_FEW_MILLISECONDS = 100

_warned: set[str] = set()
_lock = threading.Lock()


def warn_once(message: str) -> None:
    """Log a warning once per process, even if it is repeated."""
    with _lock:
        is_new = message not in _warned
        _warned.add(message)
    if is_new:
        log.warning("%s", message)


def iterate_values(environ: Mapping[str, str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that are set, with their values, in the order of `names`."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            yield name, value


def read_text(environ: Mapping[str, str], *names: str) -> str:
    """Return the value of the first of these variables that is set; empty if none is."""
    return next((value for _, value in iterate_values(environ, names)), "")


def read_boolean(environ: Mapping[str, str], *names: str, warn: Warn = warn_once) -> bool | None:
    """Read `true` or `false`; other values are False, with a warning; None if nothing is set."""
    for name, value in iterate_values(environ, names):
        if value.lower() not in ("true", "false"):
            warn(f"{name} counts as false: expected true or false")
        return value.lower() == "true"
    return None


def read_choice(
    environ: Mapping[str, str], *names: str, choices: Sequence[str], warn: Warn = warn_once
) -> str | None:
    """Read one of `choices`, ignoring case; any other word is ignored with a warning."""
    for name, value in iterate_values(environ, names):
        if value.lower() in choices:
            return value.lower()
        warn(f"{name} is ignored: expected {' or '.join(choices)}")
    return None


def read_timeout(environ: Mapping[str, str], *names: str, warn: Warn = warn_once) -> float | None:
    """Read a timeout, which is given in whole milliseconds, as seconds.

    0 means no limit and is read as an hour. OpenTelemetry's Python SDK reads OTLP's timeout in
    seconds, so a value below 100 gets a warning that names the unit.
    """
    for name, milliseconds in _iterate_milliseconds(environ, names, warn):
        if milliseconds == 0:
            return INDEFINITE_SECONDS
        if milliseconds < _FEW_MILLISECONDS:
            warn(f"{name} is read in milliseconds, and its value is below {_FEW_MILLISECONDS}")
        return milliseconds / 1_000
    return None


def read_duration(
    environ: Mapping[str, str], *names: str, least: float, most: float, warn: Warn = warn_once
) -> float | None:
    """Read a duration in whole milliseconds as seconds; ignore it outside `least` to `most`."""
    for name, milliseconds in _iterate_milliseconds(environ, names, warn):
        if least <= milliseconds / 1_000 <= most:
            return milliseconds / 1_000
        warn(f"{name} is ignored: expected {least * 1_000:.0f} to {most * 1_000:.0f} milliseconds")
    return None


def _iterate_milliseconds(
    environ: Mapping[str, str], names: Sequence[str], warn: Warn
) -> Iterator[tuple[str, int]]:
    for name, value in iterate_values(environ, names):
        if value.isascii() and value.isdecimal() and len(value) <= 12:
            yield name, int(value)
        else:
            warn(f"{name} is ignored: expected whole milliseconds, such as 10000")
