"""Convert columns of any kind to floats or names; other values are counted by reason."""

from collections.abc import Callable, Sequence
from math import isinf, isnan, nan
from struct import error as StructError  # noqa: N812 - the name says nothing where it is caught
from struct import pack_into
from typing import Any, cast

import numpy as np

from mlmonitor.capture.canonical import (
    array_parts,
    category_name,
    number,
    truth_name,
    unix_seconds,
)
from mlmonitor.capture.read.packing import pack_floats
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.capture.values import EXACT_INTEGERS, CodedValues, Values, plain_values, unmask
from mlmonitor.records import ABSENT, Counts, Floats

_PLAIN = frozenset(
    {float, int, bool, type(None), *(np.dtype(code).type for code in "?bhilqBHILQefd")}
)


_UNIT_SECONDS = {"D": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_UNITS_IN_SECOND = {"ms": 1e3, "us": 1e6}
_EXACT_SECONDS = EXACT_INTEGERS / 1e6  # below it, microseconds are floats without loss

_NONE_REFUSED = np.zeros(3, np.int64)
_NONE_REFUSED.setflags(write=False)


def parse_floats(values: Values) -> tuple[Floats, Counts]:
    """Convert values to float64, or NaN; also count `[missing, nonfinite, wrong type]` values."""
    if isinstance(values, np.ndarray):
        return _parse_array(values)
    if isinstance(values, CodedValues):
        return _parse_coded(values, parse_floats)
    plain = plain_floats(values)
    return _parse_each(values, number) if plain is None else finite(plain)


def parse_datetimes(values: Values) -> tuple[Floats, Counts]:
    """Convert datetimes to seconds since 1970 (UTC), or NaN; return counts like `parse_floats`.

    A naive datetime counts as UTC, a date as its midnight; text in ISO 8601 is parsed.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return _parse_times(unmask(values))
    if isinstance(values, CodedValues):
        return _parse_coded(values, parse_datetimes)
    return _parse_each(plain_values(values), unix_seconds)


def lookup_values(values: Values) -> Sequence[object]:
    """Prepare a column for look-ups in a dictionary of categories; times become their names.

    Price: nothing for a list or for codes; a conversion to a list for an array.
    """
    if isinstance(values, CodedValues):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind == "b":
        return CodedValues([False, True], unmask(values).view(np.int8))
    if isinstance(values, np.ndarray) and values.dtype.kind in "Mm":
        return distinct_names(unmask(values), category_name)
    return plain_values(values)


def category_names(values: Values, *, is_boolean: bool = False) -> list[str | None]:
    """The name of each value, None if it is missing or not a category.

    is_boolean: only booleans, 0 and 1 have names.
    Price: one call per distinct number, time or text, and one per value of another type.
    """
    read = truth_name if is_boolean else category_name
    if isinstance(values, CodedValues):
        coded_names = [name_or_none(category, read) for category in values.categories]
        return cast("list[str | None]", CodedValues([*coded_names], values.codes).to_list())
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufMm":
        return distinct_names(unmask(values), read)
    listed = plain_values(values)
    types = [*map(type, listed)]
    if types.count(str) == len(types):
        names = {text: read(text) for text in set(listed)}
        return [*map(names.__getitem__, listed)]
    by_text = {text: read(text) for text in {v for v in listed if type(v) is str}}
    return [by_text[v] if type(v) is str else name_or_none(v, read) for v in listed]


def distinct_names(
    array: np.ndarray[Any, Any], read: Callable[[object], str | None]
) -> list[str | None]:
    """Apply `read` to each value of an array, with one call per distinct value."""
    if array.dtype.kind not in "biufMm":  # masked objects become None
        return [name_or_none(value, read) for value in array.tolist()]
    unique, places = np.unique(array, return_inverse=True)
    names = np.empty(unique.size, object)
    names[:] = [read(value) for value in unique]
    listed: list[str | None] = names[places.reshape(-1)].tolist()
    return listed


def name_or_none(value: object, read: Callable[[object], str | None]) -> str | None:
    """Apply `read` to a value; return None if reading it raises."""
    try:
        return read(value)
    except Exception:  # noqa: BLE001 - the host's object may raise anything
        return None


def plain_floats(values: Sequence[object]) -> Floats | None:
    """Convert plain numbers to float64 and None to NaN; return None if any value is neither."""
    packed = pack_floats(values)
    return mixed_floats(values) if packed is None else packed


def mixed_floats(values: Sequence[object]) -> Floats | None:
    """Do the same as `plain_floats`, for values that `pack_floats` cannot pack.

    Checking the types first keeps numpy from parsing text, and from sizing every cell for the
    longest text.
    """
    types = [*map(type, values)]
    if types.count(float) < len(types):
        distinct_types = set(types)
        if not distinct_types <= _PLAIN:
            return None
        if type(None) in distinct_types:
            values = [nan if value is None else value for value in values]
    packed = bytearray(8 * len(types))
    try:
        pack_into(
            f"{len(types)}d", packed, 0, *values
        )  # takes a third of the time that numpy needs
    except StructError:  # an int beyond the range of floats: parse each value
        return None
    return np.frombuffer(packed, np.float64)


def finite(x: Floats) -> tuple[Floats, Counts]:
    """Replace infinities by NaN; also count `[missing, nonfinite, wrong type]` values."""
    finite_count = int(np.count_nonzero(np.isfinite(x)))
    if finite_count == x.size:
        return x, _NONE_REFUSED
    missing = int(np.count_nonzero(np.isnan(x)))
    if missing + finite_count < x.size:
        x = np.where(np.isfinite(x), x, np.nan)
    return x, np.array([missing, x.size - finite_count - missing, 0])


def _parse_coded(
    values: CodedValues, read: Callable[[Values], tuple[Floats, Counts]]
) -> tuple[Floats, Counts]:
    """Parse each distinct value once; categories without rows do not count as refused."""
    size = len(values.categories)
    numbers, refused = np.full(size + 1, np.nan), np.zeros((size + 1, 3), np.int64)
    refused[-1, RefusalReason.MISSING.column] = 1
    numbers[:-1], refused_of_all = read(values.categories)
    if refused_of_all.any():
        for code in np.flatnonzero(np.isnan(numbers[:-1])).tolist():
            refused[code] = read([values.categories[code]])[1]
    missing, rows = values.row_counts()
    return numbers[values.codes], np.append(rows, missing) @ refused


def _parse_array(values: np.ndarray[Any, Any]) -> tuple[Floats, Counts]:
    values = unmask(values)
    match values.dtype.kind:
        case "f" | "i" | "u" | "b":
            with np.errstate(over="ignore"):  # a wider float may overflow to infinity
                return finite(values.astype(np.float64))
        case "m":
            return _parse_times(values)
        case "O":
            return parse_floats(values.tolist())
        case _:
            return np.full(len(values), np.nan), np.array([0, 0, len(values)])


def _parse_times(values: np.ndarray[Any, Any]) -> tuple[Floats, Counts]:
    seconds = _scale_times(values)
    if seconds is not None:
        return seconds, _NONE_REFUSED
    microseconds, nanoseconds = array_parts(values)
    seconds = microseconds / 1e6
    if nanoseconds is not None:
        seconds += nanoseconds / 1e9
    return finite(np.where(np.isnat(values), np.nan, seconds))


def _scale_times(values: np.ndarray[Any, Any]) -> Floats | None:
    """Convert times to seconds in one step; None if one is missing or needs more than 53 bits."""
    unit, count = np.datetime_data(values.dtype)
    seconds: Floats = values.view(np.int64).astype(np.float64)
    if count == 1 and unit in _UNIT_SECONDS:
        seconds *= _UNIT_SECONDS[unit]
    elif count == 1 and unit in _UNITS_IN_SECOND:
        seconds /= _UNITS_IN_SECOND[unit]
    else:
        return None
    return seconds if (np.abs(seconds) < _EXACT_SECONDS).all() else None


Read = Callable[[object], float | None]


def _parse_each(values: Sequence[object], read: Read) -> tuple[Floats, Counts]:
    """Parse the values one by one, and count the refused values by reason."""
    numbers = np.full(len(values), np.nan)
    refused = np.zeros(3, np.int64)
    for row, value in enumerate(values):
        if value is ABSENT:
            continue
        parsed = _parse_one(value, read)
        if parsed is None:
            refused[RefusalReason.WRONG_TYPE.column] += 1
        elif isnan(parsed):
            refused[RefusalReason.MISSING.column] += 1
        elif isinf(parsed):
            refused[RefusalReason.NONFINITE.column] += 1
        else:
            numbers[row] = parsed
    return numbers, refused


def _parse_one(value: object, read: Read) -> float | None:
    """Parse one value: NaN if it is missing, None if it has a wrong type."""
    try:
        return read(value)
    except Exception:  # noqa: BLE001 - a value that raises when it is read is not a number
        return None
