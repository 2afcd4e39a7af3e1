"""Names of canonical values: the texts that stand for categories in references and metrics."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from mlmonitor.capture.values import Duration, Instant, Unreadable

NAME_CHARACTERS = 200
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - names carry no zone
DAY_MICROSECONDS = 86_400_000_000


def canonical_name(form: object) -> str | None:
    """The name of a value in canonical form; None if it is missing or not a category."""
    return _NAMES[type(form)](form)


def _name_text(text: str) -> str:
    if not text.isascii():  # a lone surrogate can be neither saved nor sent: it is escaped
        text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= NAME_CHARACTERS else _shorten(text)


def _shorten(text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[: NAME_CHARACTERS - 18]}~{digest}"


def _name_truth(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"


def _name_integer(value: int) -> str:
    return str(value) if abs(value) < 1 << 64 else _shorten(hex(value))


def _name_float(value: float) -> str:
    """Return the shortest text of the number, in float32 precision if it is a float32 value.

    So 0.1 has one name, whether it is stored as float32 or as float64.
    """
    if value.is_integer():
        return _name_integer(int(value))
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(value)
    return repr(value) if float(single) != value else repr(float(str(single)))


def _name_instant(instant: Instant) -> str:
    """Return the time in UTC in ISO 8601, without a zone; a midnight is named by its date alone."""
    microseconds, nanoseconds = instant
    try:
        moment = EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:  # numpy reaches beyond the years 1 to 9999
        return str(np.datetime64(microseconds, "us"))
    if nanoseconds:
        return f"{moment.isoformat(timespec='microseconds')}{nanoseconds:03d}"
    is_midnight = microseconds % DAY_MICROSECONDS == 0
    return moment.date().isoformat() if is_midnight else moment.isoformat()


def _name_duration(duration: Duration) -> str:
    """Return the text that Python gives to a timedelta: `1 day, 2:00:00`."""
    microseconds, nanoseconds = duration
    try:
        length = timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} us"
    if not nanoseconds:
        return str(length)
    whole = str(length)
    return f"{whole}{'' if length.microseconds else '.000000'}{nanoseconds:03d}"


def _name_nothing(_form: object) -> None:
    return None


_NAMES: dict[type, Callable[[Any], str | None]] = {
    str: _name_text,
    bool: _name_truth,
    int: _name_integer,
    float: _name_float,
    Instant: _name_instant,
    Duration: _name_duration,
    type(None): _name_nothing,
    Unreadable: _name_nothing,
}
