"""The canonical form of a value: equal values of different types share one name and one number.

Rows, frames, batches, training data, segments, rules and labels all read values through this
module, so that no two of them can disagree on what a value is.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from math import inf, isnan, nan
from numbers import Integral, Number, Rational
from typing import Any

import numpy as np

from mlmonitor.capture.naming import DAY_MICROSECONDS, EPOCH, canonical_name
from mlmonitor.capture.values import UNREADABLE, Duration, Instant, Unreadable

Canonical = bool | int | float | str | Instant | Duration | Unreadable | None
"""None stands for a missing value, UNREADABLE for one that is neither a category nor a number."""

_EPOCH_UTC = EPOCH.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_DIGITS = 5_000  # a decimal with more digits counts as infinite: writing it out takes too long
_TYPES_KEPT = 1_024  # a service that creates types at run time must not fill the memory

_MISSING_TYPES = ("NAType", "NaTType", "MaskedConstant")
_NAMED_BY_TEXT = {
    ("uuid", "UUID"),
    ("datetime", "time"),
    ("ipaddress", "IPv4Address"),
    ("ipaddress", "IPv6Address"),
    ("pathlib", "PurePath"),
    ("pathlib._local", "PurePath"),
    ("pandas", "Period"),
    ("pandas", "Interval"),
}
"""Types that can be compared and hashed, and whose text is their name; none is imported here."""


def canonical(value: object) -> Canonical:
    """Return the canonical form of one value; exceptions that the value itself raises propagate."""
    return _REDUCERS[type(value)](value)


def is_missing(value: object) -> bool:
    """Whether `value` is missing: None, NaN, NaT, pandas' NA, masked or null."""
    if value is None:
        return True
    if type(value) is str:
        return False
    try:
        return canonical(value) is None
    except Exception:  # noqa: BLE001 - a value that raises when it is read is not missing
        return False


def category_name(value: object) -> str | None:
    """The name of `value` as a category; None if it is missing or not a category.

    Equal numbers of all types share one name, as do equal times and durations; booleans have names
    of their own. A long text is truncated and gets a hash of the whole, so that names stay unique.
    """
    return canonical_name(canonical(value))


def truth_name(value: object) -> str | None:
    """The name of a boolean: `true` for True and 1, `false` for False and 0, else None."""
    reduced = canonical(value)
    if isinstance(reduced, bool | int | float) and reduced in (0, 1):
        return canonical_name(bool(reduced))
    return None


def number(value: object) -> float | None:
    """Convert one value to a float: NaN if it is missing, None if it is not a number.

    A boolean becomes 0 or 1, and a duration its length in seconds. A number beyond the range of
    floats becomes infinite.
    """
    reduced = canonical(value)
    if isinstance(reduced, Duration):
        return _convert_to_seconds(reduced)
    if reduced is None:
        return nan
    if not isinstance(reduced, bool | int | float):
        return None
    try:
        return float(reduced)
    except OverflowError:
        return inf if reduced > 0 else -inf


def unix_seconds(value: object) -> float | None:
    """Seconds since 1970 (UTC) of a datetime, a date or text in ISO 8601.

    NaN if the value is missing, None if it is not a time.
    """
    reduced = canonical(value)
    if isinstance(reduced, str):
        try:
            reduced = _reduce_datetime(datetime.fromisoformat(reduced))
        except ValueError:
            return None
    if reduced is None:
        return nan
    return _convert_to_seconds(reduced) if isinstance(reduced, Instant) else None


def array_parts(
    array: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Split a datetime64 or timedelta64 array into microseconds and the remaining nanoseconds.

    The second array is None if no value has nanoseconds. Both arrays are meaningless for NaT.
    """
    kind = array.dtype.kind
    unit, _ = np.datetime_data(array.dtype)
    if unit not in ("ns", "ps", "fs", "as"):
        return array.astype(f"{kind}8[us]").astype(np.int64), None
    microseconds, nanoseconds = np.divmod(array.astype(f"{kind}8[ns]").astype(np.int64), 1_000)
    return microseconds, nanoseconds if nanoseconds.any() else None


def _convert_to_seconds(time: Instant | Duration) -> float:
    """Convert to seconds, rounded exactly as `parse_floats` and `parse_datetimes` round arrays."""
    seconds = time.microseconds / 1e6
    return seconds + time.nanoseconds / 1e9 if time.nanoseconds else seconds


def _reduce_text(value: str) -> str:
    return str.__str__(value)  # even for a subclass with its own `__str__`


def _reduce_float(value: Any) -> float | None:
    reduced = float(value)
    return None if isnan(reduced) else reduced


def _reduce_bytes(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _reduce_member(member: Any) -> Canonical:
    return canonical(member.value)


def _reduce_scalar(scalar: Any) -> Canonical:
    return canonical(scalar.as_py())


def _reduce_number(value: Any) -> Canonical:
    """Reduce a decimal, a fraction or any other type that is registered as `numbers.Number`."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Rational):
        return int(value.numerator) if value.denominator == 1 else _round_to_float(value)
    if hasattr(value, "is_nan"):  # a decimal
        if value.is_nan():
            return None
        if value.is_infinite() or value.adjusted() >= _MOST_DIGITS:
            return inf if value > 0 else -inf
        return int(value) if value == value.to_integral_value() else _round_to_float(value)
    return _reduce_float(value)


def _round_to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _reduce_datetime(value: datetime) -> Instant:
    aware = value if value.utcoffset() is not None else value.replace(tzinfo=UTC)
    return Instant((aware - _EPOCH_UTC) // _MICROSECOND, 0)


def _reduce_date(value: date) -> Instant:
    return Instant((value - EPOCH.date()).days * DAY_MICROSECONDS, 0)


def _reduce_timedelta(value: timedelta) -> Duration:
    return Duration(value // _MICROSECOND, 0)


def _reduce_numpy_time(value: Any) -> Instant | Duration | None:
    if np.isnat(value):
        return None
    microseconds, nanoseconds = array_parts(np.array([value]))
    parts = int(microseconds[0]), 0 if nanoseconds is None else int(nanoseconds[0])
    return Instant(*parts) if isinstance(value, np.datetime64) else Duration(*parts)


def _reduce_pandas_time(value: Any) -> Instant | Duration | None:
    """Reduce a pandas Timestamp or Timedelta without losing its nanoseconds."""
    return _reduce_numpy_time(value.asm8)


def _refuse_unreadable(_value: object) -> Unreadable:
    return UNREADABLE


def _reduce_missing(_value: object) -> None:
    return None


Reducer = Callable[[Any], Canonical]

_BY_BASE: tuple[tuple[type | tuple[type, ...], Reducer], ...] = (
    (Enum, _reduce_member),  # first: many members are also str or int
    (str, _reduce_text),
    ((bool, np.bool_), bool),
    ((np.datetime64, np.timedelta64), _reduce_numpy_time),  # numpy's durations count as integers
    ((int, np.integer), int),
    ((float, np.floating), _reduce_float),
    (datetime, _reduce_datetime),  # a datetime is a date
    (date, _reduce_date),
    (timedelta, _reduce_timedelta),
    (bytes, _reduce_bytes),
    ((complex, np.complexfloating), _refuse_unreadable),
    (Number, _reduce_number),
)


class _Reducers(dict[type, Reducer]):
    """Maps each type to the function that reduces its values, chosen at the first use."""

    def __missing__(self, kind: type) -> Reducer:
        if len(self) >= _TYPES_KEPT:
            self.clear()
        self[kind] = reducer = _choose_reducer(kind)
        return reducer


_REDUCERS = _Reducers()


def _choose_reducer(kind: type) -> Reducer:
    if kind is type(None) or kind.__name__ in _MISSING_TYPES:
        return _reduce_missing
    if issubclass(kind, datetime | timedelta) and hasattr(kind, "asm8"):
        return _reduce_pandas_time
    for base, reducer in _BY_BASE:
        if issubclass(kind, base):
            return reducer
    if hasattr(kind, "as_py") and _find_package(kind) == "pyarrow":
        return _reduce_scalar
    return (
        str
        if any(_find_origin(base) in _NAMED_BY_TEXT for base in kind.__mro__)
        else _refuse_unreadable
    )


def _find_package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _find_origin(kind: type) -> tuple[str, str]:
    """Return the module and name of a class; for pandas only the package, as its modules change."""
    package = _find_package(kind)
    return package if package == "pandas" else kind.__module__, kind.__name__
