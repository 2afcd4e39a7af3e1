"""Columns of any kind as floats, with a reason for each value that is not one."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from math import inf, isinf, isnan, nan
from numbers import Number
from struct import error as StructError  # noqa: N812 - the name says nothing where it is caught
from struct import pack_into
from typing import Any

import numpy as np

from mlmonitor.capture.read.packing import packed_floats
from mlmonitor.capture.values import Values, is_missing, unmasked
from mlmonitor.records import ABSENT, Counts, Floats

_PLAIN = frozenset(
    {float, int, bool, type(None), *(np.dtype(code).type for code in "?bhilqBHILQefd")}
)


_COMPLEX = complex | np.complexfloating


_NONE_REFUSED = np.zeros(3, np.int64)
_NONE_REFUSED.setflags(write=False)


_MISSING, _NONFINITE, _WRONG_TYPE = range(3)


_DAY_SECONDS = 86_400


def parse_floats(values: Values) -> tuple[Floats, Counts]:
    """Float64 of each value, NaN where there is none, and `[missing, nonfinite, wrong type]`."""
    if isinstance(values, np.ndarray):
        return _array_numbers(values)
    plain = plain_floats(values)
    return _each(values, _number) if plain is None else finite(plain)


def parse_datetimes(values: Values) -> tuple[Floats, Counts]:
    """Seconds since 1970 (UTC) of each datetime, NaN where there is none, and the refused.

    A naive datetime is taken as UTC; a date as its midnight; text in ISO 8601 is parsed.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return _array_seconds(unmasked(values))
    return _each(list(values), _seconds)


def plain_floats(values: Sequence[object]) -> Floats | None:
    """Float64 of each value, NaN for None; None unless all are plain numbers or None."""
    packed_at_once = packed_floats(values)
    return mixed_floats(values) if packed_at_once is None else packed_at_once


def mixed_floats(values: Sequence[object]) -> Floats | None:
    """The same of values that could not be packed at once.

    Looking at the types first keeps numpy from parsing text, and from making room for the longest
    of it in every cell.
    """
    kinds = [*map(type, values)]
    if kinds.count(float) < len(kinds):
        met = set(kinds)
        if not met <= _PLAIN:
            return None
        if type(None) in met:
            values = [nan if value is None else value for value in values]
    packed = bytearray(8 * len(kinds))
    try:
        pack_into(f"{len(kinds)}d", packed, 0, *values)  # a third of the time numpy takes
    except StructError:  # an int beyond the range of floats: look at each value
        return None
    return np.frombuffer(packed, np.float64)


def finite(x: Floats) -> tuple[Floats, Counts]:
    """`x` with infinities turned into NaN, and how many were NaN or infinite before."""
    good = int(np.count_nonzero(np.isfinite(x)))
    if good == x.size:
        return x, _NONE_REFUSED
    missing = int(np.count_nonzero(np.isnan(x)))
    if missing + good < x.size:
        x = np.where(np.isfinite(x), x, np.nan)
    return x, np.array([missing, x.size - good - missing, 0])


def _array_numbers(values: np.ndarray[Any, Any]) -> tuple[Floats, Counts]:
    values = unmasked(values)
    match values.dtype.kind:
        case "f" | "i" | "u" | "b":
            with np.errstate(over="ignore"):  # a wider float may not fit: it becomes infinite
                return finite(values.astype(np.float64))
        case "m":
            return _array_seconds(values)
        case "O":
            return parse_floats(values.tolist())
        case _:
            wrong = np.array([0, 0, len(values)])
            return np.full(len(values), np.nan), wrong


def _array_seconds(values: np.ndarray[Any, Any]) -> tuple[Floats, Counts]:
    seconds = values.astype(f"{values.dtype.kind}8[us]").astype(np.int64) / 1e6
    return finite(np.where(np.isnat(values), np.nan, seconds))


Read = Callable[[Any], float | None]


def _each(values: Sequence[object], read: Read) -> tuple[Floats, Counts]:
    """The careful way, a value at a time."""
    numbers = np.full(len(values), np.nan)
    refused = np.zeros(3, np.int64)
    for row, value in enumerate(values):
        if value is ABSENT:
            continue
        number = _read(value, read)
        if number is None:
            refused[_WRONG_TYPE] += 1
        elif isnan(number):
            refused[_MISSING] += 1
        elif isinf(number):
            refused[_NONFINITE] += 1
        else:
            numbers[row] = number
    return numbers, refused


def _read(value: object, read: Read) -> float | None:
    """NaN where `value` is missing, None where it is of a wrong type."""
    try:
        return nan if is_missing(value) else read(value)
    except Exception:  # noqa: BLE001 - a value that raises when it is looked at is no number
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, timedelta):
        return value.total_seconds()
    is_real = isinstance(value, Number | np.bool_) and not isinstance(value, _COMPLEX)
    try:
        return float(value) if is_real else None
    except OverflowError:
        return inf
    except ValueError:  # a signalling NaN
        return nan


def _seconds(value: Any) -> float | None:
    if isinstance(value, np.datetime64):
        return float(value.astype("M8[us]").astype(np.int64)) / 1e6
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.timestamp()
    if isinstance(value, date):
        return float((value - date(1970, 1, 1)).days * _DAY_SECONDS)
    return None
