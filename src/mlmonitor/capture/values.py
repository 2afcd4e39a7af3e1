"""Raw values of a field as the host passes them, and a marker for those that cannot be read."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, overload

import numpy as np

from mlmonitor.records import Counts

Values = Sequence[object] | np.ndarray[Any, Any]

EXACT_INTEGERS: Final = 2.0**53
"""Smaller integers convert to floats without loss; both types give the same name and number."""


class Unreadable(tuple[()]):
    """Stands for a value, row or column that cannot be read: it counts as having a wrong type."""

    __slots__ = ()


UNREADABLE = Unreadable()


class Instant(NamedTuple):
    """A point in time, measured from 1970 in UTC; a datetime without a zone counts as UTC."""

    microseconds: int
    nanoseconds: int  # 0 to 999, on top of the microseconds


class Duration(NamedTuple):
    """A length of time."""

    microseconds: int
    nanoseconds: int  # 0 to 999, on top of the microseconds


class CodedValues(Sequence[object]):
    """A column stored as its distinct values and a code per row, like a categorical column.

    Reading it as a sequence decodes it; a reader that looks at each distinct value once is faster.

    categories: the distinct values, possibly some without a row. codes: the index of each row's
    value in `categories`, or -1 for a missing value.
    """

    __slots__ = ("categories", "codes")

    def __init__(self, categories: list[object], codes: np.ndarray[Any, Any]) -> None:
        if len(categories) > len(codes):  # drop categories without a row: a slice may be short
            used, places = np.unique(codes, return_inverse=True)
            has_gaps = bool(used.size and used[0] < 0)
            categories = [categories[code] for code in used[int(has_gaps) :].tolist()]
            codes = places.reshape(-1) - int(has_gaps)
        self.categories: list[object] = categories
        self.codes: np.ndarray[Any, Any] = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> object: ...
    @overload
    def __getitem__(self, place: slice) -> "CodedValues": ...
    def __getitem__(self, place: int | slice) -> object:
        if isinstance(place, slice):
            return CodedValues(self.categories, self.codes[place])
        code = int(self.codes[place])
        return None if code < 0 else self.categories[code]

    def __iter__(self) -> Iterator[object]:
        return iter(self.to_list())

    def to_list(self) -> list[object]:
        """The value of each row."""
        table = np.empty(len(self.categories) + 1, object)
        for code, category in enumerate(self.categories):
            table[code] = category  # one by one: numpy would unpack a category that has a length
        listed: list[object] = table[self.codes].tolist()
        return listed

    def row_counts(self) -> tuple[int, Counts]:
        """The number of rows without a value, and the number of rows of each distinct one."""
        size = len(self.categories)
        try:
            return 0, np.bincount(self.codes, minlength=size)
        except (TypeError, ValueError):  # a missing value, or codes in uint64
            places = self.codes.astype(np.intp)
            places += 1
            rows = np.bincount(places, minlength=size + 1)
            return int(rows[0]), rows[1:]

    def select_rows(self, rows: np.ndarray[Any, Any]) -> "CodedValues":
        """Return a column of these rows, in this order."""
        return CodedValues(self.categories, self.codes[rows])

    def copy(self) -> "CodedValues":
        """A copy that shares no memory with arrays that the caller can change."""
        return CodedValues(self.categories, self.codes.copy())


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
    """Convert a column to a sequence of values; their names and numbers are unchanged.

    An array becomes a list of Python's own values; datetimes and durations stay numpy's, because
    Python's have a coarser resolution.
    """
    if isinstance(values, CodedValues):
        return values.to_list()
    if not isinstance(values, np.ndarray):
        return values
    plain = unmask(values)
    if plain.dtype.kind in "Mm":
        return list(plain)
    listed: list[object] = plain.tolist()
    return listed
