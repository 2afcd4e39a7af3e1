"""Rows of plain numbers as one array, in half the time of a look at each number.

`marshal` writes a list of rows in one pass of C: of each value a letter for its exact type, then
its bits. Where every row has the letters of the first, at the same places, the numbers can be read
in place; otherwise the caller has to look at each value. Nothing that was written is ever loaded.
"""

from collections.abc import Sequence
from functools import lru_cache
from marshal import dumps
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Floats

_FORM = 2  # of marshal: the last one that writes every value in full, one after the other
_HEAD_BYTES = 5  # of a list or a tuple: a letter, and how many there are
_NUMBERS = {float: (b"g", "<f8"), int: (b"i", "<i4")}  # larger integers have another letter
_FLOAT_BYTES, _FLOAT_LETTER = 9, ord("g")


class _Layout(NamedTuple):
    """The bytes of one row.

    letters_at, letters: which bytes hold types, and what they are. numbers: the place and dtype of
    each number. is_even: whether all numbers are floats, which are at equal distances.
    """

    row_bytes: int
    letters_at: NDArray[np.intp]
    letters: NDArray[np.uint8]
    numbers: tuple[tuple[int, str], ...]
    is_even: bool

    def fits(self, packed: bytes, rows: int) -> bool:
        """Whether these packed rows all have these letters."""
        if len(packed) != _HEAD_BYTES + rows * self.row_bytes:
            return False
        table = np.frombuffer(packed, np.uint8, offset=_HEAD_BYTES).reshape(rows, -1)
        if not self.is_even:
            return bool((table[:, self.letters_at] == self.letters).all())
        heads, values = table[:, :_HEAD_BYTES], table[:, _HEAD_BYTES::_FLOAT_BYTES]
        letters = self.letters
        return bool((values == _FLOAT_LETTER).all() and (heads == letters[:_HEAD_BYTES]).all())


def pack_rows(rows: Sequence[Sequence[object]], width: int) -> Floats | None:
    """Float64 `[rows, width]`; None unless each column is of floats, or of integers below 2**31.

    Price: some 12 ns a value.
    """
    first = rows[0] if rows else ()
    layout = _layout(type(first), tuple(map(type, first))) if len(first) == width else None
    if layout is None:
        return None
    packed = _dump(rows)
    if packed is None or not layout.fits(packed, len(rows)):
        return None
    if layout.is_even:
        start, strides = _HEAD_BYTES + layout.numbers[0][0], (layout.row_bytes, _FLOAT_BYTES)
        return np.ndarray((len(rows), width), "<f8", packed, start, strides)
    columns = np.empty((width, len(rows)))
    for column, (at, kind) in zip(columns, layout.numbers, strict=True):
        column[:] = np.ndarray(len(rows), kind, packed, _HEAD_BYTES + at, layout.row_bytes)
    return columns.T


def pack_floats(values: Sequence[object]) -> Floats | None:
    """Float64 of each value; None unless there are some and all are of type float itself."""
    if type(values) not in (list, tuple) or not values or type(values[0]) is not float:
        return None
    packed, size = _dump(values), len(values)
    if packed is None or len(packed) != _HEAD_BYTES + size * _FLOAT_BYTES:
        return None
    letters = np.frombuffer(packed, np.uint8, offset=_HEAD_BYTES)[::_FLOAT_BYTES]
    if not (letters == _FLOAT_LETTER).all():
        return None
    return np.ndarray(size, "<f8", packed, _HEAD_BYTES + 1, _FLOAT_BYTES).copy()


def _dump(values: Sequence[object]) -> bytes | None:
    """What `marshal` writes; None if it cannot, or if an audit hook of the host forbids it."""
    try:
        return dumps(values, _FORM)  # type: ignore[arg-type]  # else it raises
    except Exception:  # noqa: BLE001 - an audit hook may raise anything
        return None


@lru_cache(maxsize=256)
def _layout(row: type, kinds: tuple[type, ...]) -> _Layout | None:
    """How a row of values of these types is written; None if it cannot be read here."""
    if row not in (tuple, list) or not kinds or not _NUMBERS.keys() >= set(kinds):
        return None
    head = (b"(" if row is tuple else b"[") + len(kinds).to_bytes(4, "little")
    letters_at, letters, numbers, at = [*range(len(head))], head, [], len(head)
    for kind in kinds:
        letter, number = _NUMBERS[kind]
        letters_at.append(at)
        letters += letter
        numbers.append((at + 1, number))
        at += 1 + np.dtype(number).itemsize
    row_letters = np.frombuffer(letters, np.uint8)
    return _Layout(at, np.array(letters_at), row_letters, tuple(numbers), set(kinds) == {float})
