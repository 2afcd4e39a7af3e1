"""Categories: the reference's dictionary, and the codes of a column's values in it."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.name_groups import group_of
from mlmonitor.capture.canonical import category_name, is_missing, truth_name
from mlmonitor.capture.read.numbers import name_or_none
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.capture.values import CodedValues
from mlmonitor.records import ABSENT, Absent

OTHER = "__other__"
NEW = "__new__"


class Dictionary:
    """Maps one field's categories to codes: the most frequent ones, then two codes for the rest.

    top: the most frequent categories of the reference; category `i` has code `i`. Code `len(top)`
        stands for its rare categories, `other`, and code `len(top) + 1` for new categories.
    is_closed: whether `top` and `other` list all categories of the reference. Otherwise an
        unlisted category is not necessarily new, and is counted as `other`.
    is_boolean: only true, false, 0 and 1 are read; everything else has the wrong type.
    groups: how many entries at the end of `top` are groups, to which unlisted categories belong.

    Price: 0.1 us for a cached value, 2 us for another. The cache holds at most `REMEMBERED` short
        values of plain types, `REMEMBERED_BYTES` in total; other values are never cached, so no
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
        # By type: 1, 1.0 and True are equal as keys of a dict, but not the same category.
        self._memories = {kind: _Memory(self, kind) for kind in _PLAIN}
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
        """The number of cached values, besides the names in the reference."""
        return self.REMEMBERED - self._room

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, once the cache is full."""
        return _BOOK_BYTES + _NAME_BYTES * len(self._codes) + self.REMEMBERED_BYTES

    def encode(self, values: Sequence[object]) -> "Encoded":
        """Return the code of each value, and the names of new and of rare categories."""
        if isinstance(values, CodedValues):
            return self._encode_coded(values)
        encoded = Encoded(self._look_up_codes(values), self.size)
        *others, new = encoded.counts[self.listed :].tolist()
        if new:
            new_rows = np.flatnonzero(encoded.codes == len(self.top) + 1).tolist()
            names = (name_or_none(values[row], category_name) for row in new_rows)
            encoded.new = Counter(name for name in names if name is not None)
        if any(others):
            is_other = (encoded.codes >= self.listed) & (encoded.codes <= len(self.top))
            other_values = [values[row] for row in np.flatnonzero(is_other).tolist()]
            encoded.other = _name_distinct(other_values)
        return encoded

    def _encode_coded(self, values: CodedValues) -> "Encoded":
        """Encode each distinct value once; those that no row has are not counted."""
        encoded = _EncodedByCode(values, self._look_up_codes(values.categories), self.size)
        own, rows = encoded.own, encoded.rows
        *others, new = encoded.counts[self.listed :].tolist()
        if new:
            new_rows = Counter[str]()
            for place in np.flatnonzero((own == len(self.top) + 1) & (rows > 0)).tolist():
                name = name_or_none(values.categories[place], category_name)
                if name is not None:
                    new_rows[name] += int(rows[place])
            encoded.new = new_rows
        if any(others):
            is_other = (own >= self.listed) & (own <= len(self.top)) & (rows > 0)
            other_values = [values.categories[p] for p in np.flatnonzero(is_other).tolist()]
            encoded.other = _name_distinct(other_values)
        return encoded

    def _look_up_codes(self, values: Sequence[object]) -> NDArray[np.int64]:
        codes = self._look_up_at_once(values)
        if codes is None:
            memories = self._memories
            codes = [
                memory[value]
                if (memory := memories.get(type(value))) is not None
                else self.code(value)
                for value in values
            ]
        try:
            return np.frombuffer(bytes(codes), np.uint8).astype(np.int64)  # three times as fast
        except ValueError:  # a code is negative, or above 255
            return np.array(codes, np.int64)

    def _look_up_at_once(self, values: Sequence[object]) -> list[int] | None:
        """Look up values in one step; None unless all have a plain type or the first is a text."""
        memory = self._memories.get(type(values[0])) if len(values) else None
        if memory is None:
            return None
        if type(values[0]) is not str and len(set(map(type, values))) > 1:
            return None
        try:
            return list(map(memory.__getitem__, values))
        except Exception:  # noqa: BLE001 - a value among texts has no hash, or one that raises
            return None

    def code(self, value: object) -> int:
        """Compute the code of one value; it is negative if missing, of a wrong type or absent."""
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

    def memory_of(self, kind: type) -> "_Memory | None":
        """Return the cache for values of a type; None if the type is not plain."""
        return self._memories.get(kind)

    def remember(self, value: object) -> bool:
        """Reserve room in the cache for `value`; return whether it may be cached."""
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


_MISSING, _WRONG_TYPE = RefusalReason.MISSING.code, RefusalReason.WRONG_TYPE.code
_LEAST = -max(RefusalReason)  # the lowest of all codes
_NO_NAMES: Mapping[str, int] = MappingProxyType({})
_SHORT = 64
_ENTRY_BYTES = 100  # bytes of an entry in a dict that has just grown, without its key and value
_NAME_BYTES = 200  # bytes of a name's two dict entries and its tuple slot, without its text
_BOOK_BYTES = 4_000  # bytes of a `Dictionary` without its entries
_PLAIN: tuple[type, ...] = (
    *(str, int, bool, float, bytes, type(None), Absent),
    *(np.str_, np.bool_, np.int64, np.float64),
)


class _Memory(dict[Any, int]):
    """A cache of the codes of values of one type; computes missing codes and stores what fits."""

    __slots__ = ("_dictionary", "_kind")

    def __init__(self, dictionary: Dictionary, kind: type) -> None:
        super().__init__()
        self._dictionary, self._kind = dictionary, kind

    def __missing__(self, value: object) -> int:
        if type(value) is not self._kind:  # mixed with texts: use the cache of its own type
            memory = self._dictionary.memory_of(type(value))
            return self._dictionary.code(value) if memory is None else memory[value]
        code = self._dictionary.code(value)
        if self._dictionary.remember(value):
            self[value] = code
        return code


class Encoded:
    """One categorical column of a block as codes; a refused value has its `RefusalReason.code`."""

    __slots__ = ("_codes", "counts", "missing", "new", "other", "wrong_type")

    def __init__(self, codes: NDArray[np.int64], size: int) -> None:
        self._codes: NDArray[np.int64] = codes
        self.missing: int = 0
        self.wrong_type: int = 0
        if codes.size and codes.min() < 0:
            self.missing = int(np.count_nonzero(codes == _MISSING))
            self.wrong_type = int(np.count_nonzero(codes == _WRONG_TYPE))
            codes = codes[codes >= 0]
        self.counts: NDArray[np.intp] = np.bincount(codes, minlength=size)
        self.new: Mapping[str, int] = _NO_NAMES
        self.other: frozenset[str] = frozenset()

    @property
    def codes(self) -> NDArray[np.int64]:
        """The code of each row."""
        return self._codes


class _EncodedByCode(Encoded):
    """A column whose distinct values are encoded; the codes of rows are computed on demand.

    own: the code of each distinct value. rows: the number of rows of each distinct value.
    """

    __slots__ = ("_places", "own", "rows")

    def __init__(self, values: CodedValues, own: NDArray[np.int64], size: int) -> None:
        missing, self.rows = values.row_counts()
        self.own, self._places = own, values.codes
        # Refusals have codes below zero: one pass counts them, and then the categories. The sums
        # of rows are floats, exact up to 2**53.
        counts = np.bincount(own - _LEAST, self.rows, size - _LEAST).astype(np.intp)
        self.missing = missing + int(counts[_MISSING - _LEAST])
        self.wrong_type = int(counts[_WRONG_TYPE - _LEAST])
        self.counts = counts[-_LEAST:]
        self.new, self.other = _NO_NAMES, frozenset()

    @property
    def codes(self) -> NDArray[np.int64]:
        """The code of each row."""
        codes: NDArray[np.int64] = np.append(self.own, _MISSING)[self._places]
        return codes


def _name_distinct(values: list[object]) -> frozenset[str]:
    """Return the distinct category names of values; equal texts are converted only once."""
    texts = {value for value in values if type(value) is str}
    rest = (value for value in values if type(value) is not str)
    names = (name_or_none(value, category_name) for value in (*texts, *rest))
    return frozenset(name for name in names if name is not None)
