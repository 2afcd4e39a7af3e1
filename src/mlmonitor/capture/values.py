"""Raw values of a field as the host passes them, and a marker for those that cannot be read."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Values = Sequence[object] | np.ndarray[Any, Any]


class Unreadable(tuple[()]):
    """Stands for a value, row or column that cannot be read: its values have a wrong type."""

    __slots__ = ()


UNREADABLE = Unreadable()


class Instant(NamedTuple):
    """A point in time since 1970, UTC; a datetime without a zone counts as UTC."""

    microseconds: int
    nanoseconds: int  # 0 to 999, on top of the microseconds


class Duration(NamedTuple):
    """A length of time."""

    microseconds: int
    nanoseconds: int  # 0 to 999, on top of the microseconds


def unmask(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Convert to a plain ndarray: masked values become NaN, NaT or None."""
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    masked: Any = array
    names = array.dtype.names
    if names is not None:
        plain = np.empty(array.shape, [(name, object) for name in names])
        for name in names:  # one by one, because numpy would convert an array of times to integers
            plain[name].flat = [*unmask(masked[name]).flat]
        return plain
    has_missing_value = array.dtype.kind in "fMm"
    plain = np.array(masked.data, array.dtype if has_missing_value else object)
    missing = np.array("NaT", array.dtype) if array.dtype.kind in "Mm" else np.nan
    plain[np.ma.getmaskarray(masked)] = missing if has_missing_value else None
    return plain


def plain_values(values: Values) -> Sequence[object]:
    """A column as a sequence of values with unchanged names and numbers.

    An array becomes a list of Python's own values; datetimes and durations stay numpy's, because
    Python's have a coarser resolution.
    """
    if not isinstance(values, np.ndarray):
        return values
    plain = unmask(values)
    if plain.dtype.kind in "Mm":
        return list(plain)
    listed: list[object] = plain.tolist()
    return listed
