"""Categories: the reference's dictionary, and the codes of a column's values in it."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.name_groups import group_of
from mlmonitor.capture.canonical import category_name, is_missing, truth_name
from mlmonitor.capture.read.numbers import name_or_none
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.records import ABSENT, Absent

OTHER = "__other__"
NEW = "__new__"


class Dictionary:
    """The codes of one field's categories: the reference's most frequent, then two for the rest.

    top: category `i` has code `i`. Code `len(top)` stands for `other` (listed, but rare), code
        `len(top) + 1` for categories that the reference does not have.
    is_closed: whether `top` and `other` are all categories of the reference. If some were dropped,
        an unlisted category is not necessarily new, and is counted as `other`.
    is_boolean: only true, false, 0 and 1 are read; everything else has the wrong type.
    groups: the last of `top` are this many groups; a category that is not listed falls into one.

    Price: 0.1 us for a cached value, 2 us for another. The cache keeps `REMEMBERED` values that are
        short and of a plain type, `REMEMBERED_BYTES` in all; other values are never kept, so no
        object of the host stays alive. `nbytes` excludes the names, which belong to the reference.
    """

    REMEMBERED = 1_024
    REMEMBERED_BYTES = REMEMBERED * 200

    __slots__ = (
        "_codes",
        "_memories",
        "_room",
        "_room_bytes",
        "groups",
        "is_boolean",
        "is_closed",
        "other",
        "top",
    )

    def __init__(
        self,
        top: Sequence[str],
        other: Sequence[str] = (),
        *,
        is_closed: bool = True,
        is_boolean: bool = False,
        groups: int = 0,
    ) -> None:
        self.top: tuple[str, ...] = tuple(top)
        self.other: tuple[str, ...] = tuple(other)
        self.is_closed: bool = is_closed
        self.is_boolean: bool = is_boolean
        self.groups: int = groups
        self._codes = dict.fromkeys(self.other, len(self.top))
        self._codes.update({name: code for code, name in enumerate(self.top)})
        self._room, self._room_bytes = self.REMEMBERED, self.REMEMBERED_BYTES
        # By type, because 1, 1.0 and True are one key to a dictionary, and not one category.
        self._memories = {kind: _Memory(self) for kind in _PLAIN}
        if not is_boolean:
            self._memories[str].update(self._codes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dictionary) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def size(self) -> int:
        """The number of codes, including the last two, `__other__` and `__new__`."""
        return len(self.top) + 2

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each code in a metric."""
        return (*self.top, OTHER, NEW)

    @property
    def listed(self) -> int:
        """The number of categories that have a code of their own."""
        return len(self.top) - self.groups

    @property
    def remembered(self) -> int:
        """The number of cached values beyond those of the reference."""
        return self.REMEMBERED - self._room

    @property
    def nbytes(self) -> int:
        """Memory held once the cache is full."""
        return _BOOK_BYTES + _NAME_BYTES * len(self._codes) + self.REMEMBERED_BYTES

    def encode(self, values: Sequence[object]) -> "Encoded":
        """Return the code of each value, and the names of new and of rare categories."""
        codes = np.array(self._look_up_codes(values), np.int64)
        new_rows = np.flatnonzero(codes == len(self.top) + 1).tolist()
        names = (name_or_none(values[row], category_name) for row in new_rows)
        new = Counter(name for name in names if name is not None)
        is_other = (codes >= self.listed) & (codes <= len(self.top))
        others = [values[row] for row in np.flatnonzero(is_other).tolist()]
        return Encoded(codes, new, self.size, _name_distinct(others))

    def _look_up_codes(self, values: Sequence[object]) -> list[int]:
        memories = self._memories
        kinds = set(map(type, values))
        if len(kinds) == 1 and (memory := memories.get(kinds.pop())) is not None:
            return list(map(memory.__getitem__, values))
        return [
            memory[value] if (memory := memories.get(type(value))) is not None else self.code(value)
            for value in values
        ]

    def code(self, value: object) -> int:
        """Compute the code of one value; it is below zero if missing, of a wrong type or absent."""
        if value is ABSENT:
            return RefusalReason.ABSENT.code
        try:
            name = truth_name(value) if self.is_boolean else category_name(value)
        except Exception:  # noqa: BLE001 - a value that raises when it is read is not a category
            return RefusalReason.WRONG_TYPE.code
        if name is None:
            return (RefusalReason.MISSING if is_missing(value) else RefusalReason.WRONG_TYPE).code
        code = self._codes.get(name)
        if code is not None:
            return code
        if self.groups:
            return self.listed + group_of(name, self.groups)
        return len(self.top) + self.is_closed

    def remember(self, value: object) -> bool:
        """Reserve room in the cache for `value`; return whether it may be kept."""
        is_long = isinstance(value, str | bytes) and len(value) > _SHORT
        is_huge = isinstance(value, int) and value.bit_length() > 64
        if self._room == 0 or is_long or is_huge or value != value:  # noqa: PLR0124 - NaN
            return False
        cost = sys.getsizeof(value) + _ENTRY_BYTES
        if cost > self._room_bytes:
            return False
        self._room -= 1
        self._room_bytes -= cost
        return True

    @property
    def _identity(self) -> tuple[tuple[str, ...], tuple[str, ...], bool, bool, int]:
        return self.top, self.other, self.is_closed, self.is_boolean, self.groups


_SHORT = 64
_ENTRY_BYTES = 100  # of a dictionary's entry just after it has grown, without what it refers to
_NAME_BYTES = 200  # of a name's two entries and its place in order, without its text
_BOOK_BYTES = 4_000  # of a dictionary's objects, without its entries
_PLAIN: tuple[type, ...] = (
    *(str, int, bool, float, bytes, type(None), Absent),
    *(np.str_, np.bool_, np.int64, np.float64),
)


class _Memory(dict[Any, int]):
    """A cache from values of one type to codes; computes what it lacks, and keeps what fits."""

    __slots__ = ("_dictionary",)

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__()
        self._dictionary = dictionary

    def __missing__(self, value: object) -> int:
        code = self._dictionary.code(value)
        if self._dictionary.remember(value):
            self[value] = code
        return code


class Encoded:
    """One categorical column of a block as codes; a refused value has its `RefusalReason.code`."""

    __slots__ = ("codes", "counts", "missing", "new", "other", "wrong_type")

    def __init__(
        self,
        codes: NDArray[np.int64],
        new: Counter[str],
        size: int,
        other: frozenset[str] = frozenset(),
    ) -> None:
        self.other: frozenset[str] = other
        self.codes: NDArray[np.int64] = codes
        self.new: Counter[str] = new
        self.missing: int = int(np.count_nonzero(codes == RefusalReason.MISSING.code))
        self.wrong_type: int = int(np.count_nonzero(codes == RefusalReason.WRONG_TYPE.code))
        self.counts: NDArray[np.intp] = np.bincount(codes[codes >= 0], minlength=size)


def _name_distinct(values: list[object]) -> frozenset[str]:
    """Return the distinct names of some values; each distinct text is named only once."""
    texts = {value for value in values if type(value) is str}
    rest = (value for value in values if type(value) is not str)
    names = (name_or_none(value, category_name) for value in (*texts, *rest))
    return frozenset(name for name in names if name is not None)
