"""Segments: which part of the traffic a row belongs to, and what that part is called."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import OTHER, Dictionary, category_name
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values, is_missing

ALL = "all"
"""What the whole is called where there are segments."""

MISSING = "__missing__"
"""What stands in a name for a value that is missing, or is no category."""

MOST_SEGMENTS = 20
"""How many segments are told apart where nothing else is said."""

SegmentValues = tuple[str | None, ...]
"""The category of each segment field, None where it is missing: what a segment is."""

Codes = NDArray[np.int64]

_RESERVED = frozenset({ALL, OTHER, MISSING})
_MARKS = str.maketrans({"\\": "\\\\", ",": "\\,", "=": "\\="})


def segment_name(fields: Sequence[str], values: SegmentValues | None) -> str:
    """The name of a segment: the value of a single field, else `line=motor,region=north`.

    Promise: no two segments share one, and none is called as the whole, the rest or a missing
        value are: a backslash goes before what would be mistaken. A name longer than 200
        characters is cut and marked with its hash, as categories are.
    values: None for the rest.
    """
    if values is None:
        return OTHER
    if len(fields) == 1:
        name = _escaped(values[0], values[0] or "")
    else:
        pairs = zip(fields, values, strict=True)
        name = ",".join(
            f"{field.translate(_MARKS)}={_escaped(value, (value or '').translate(_MARKS))}"
            for field, value in pairs
        )
    return category_name(name) or OTHER


def _escaped(value: str | None, told: str) -> str:
    if value is None:
        return MISSING
    is_taken = value in _RESERVED or not value
    # Of one field alone nothing else is escaped: a leading backslash would read as our own.
    is_doubtful = told == value and value.startswith("\\")
    return f"\\{told}" if is_taken or is_doubtful else told


def segment_values(columns: Sequence[Values]) -> list[SegmentValues]:
    """The segment of each row of some training data, a column for each segment field."""
    return list(zip(*(_categories(column) for column in columns), strict=True))


def _categories(column: Values) -> list[str | None]:
    listed = column.tolist() if isinstance(column, np.ndarray) else list(column)
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        listed = list(column)
    known = {value: category_name(value) for value in {v for v in listed if type(v) is str}}
    return [known[v] if type(v) is str else _category(v) for v in listed]


def _category(value: object) -> str | None:
    return None if is_missing(value) else category_name(value)


class SegmentEncoder:
    """The segment of each row, as its place among those of a reference; the rest come last.

    Price: one look-up in a dictionary a row and segment field.
    """

    def __init__(self, fields: Sequence[str], known: Sequence[SegmentValues]) -> None:
        self.fields: tuple[str, ...] = tuple(fields)
        self.other: int = len(known)
        self._books: list[Dictionary] = []
        self._steps: list[Codes] = []
        self._prefixes(known)

    def _prefixes(self, known: Sequence[SegmentValues]) -> None:
        """A table for each field: from what is known of a row before it to what is known after."""
        states: Mapping[SegmentValues, int] = {(): 0}
        for at in range(len(self.fields)):
            met = dict.fromkeys(values[at] for values in known)
            names = [name for name in met if name is not None]
            last = at + 1 == len(self.fields)
            after = {v: i for i, v in enumerate(dict.fromkeys(k[: at + 1] for k in known))}
            # A row and a column more for what leads nowhere, and a column for a missing value.
            step = np.full((len(states) + 1, len(names) + 2), len(after), np.int64)
            codes: dict[str | None, int] = {name: code for code, name in enumerate(names)}
            codes[None] = len(names) + 1
            for prefix, state in after.items():
                step[states[prefix[:-1]], codes[prefix[-1]]] = state
            if last:
                step = np.where(step == len(after), self.other, step)
            self._books.append(Dictionary(names, is_closed=False))
            self._steps.append(step)
            states = after

    @property
    def nbytes(self) -> int:
        """Memory held at most."""
        return sum(book.nbytes for book in self._books) + sum(step.nbytes for step in self._steps)

    def of(self, rows: Rows) -> Codes:
        """The segment of each of these rows."""
        state = np.zeros(rows.count, np.int64)
        for field, book, step in zip(self.fields, self._books, self._steps, strict=True):
            column = rows.features.column(field)
            if column is None:
                codes = np.full(rows.count, -1, np.int64)
            else:
                listed = list(column) if isinstance(column, np.ndarray) else column
                codes = book.encode(listed).codes
            # Codes below zero are of what is no category: these are the last column.
            state = step[state, np.where(codes < 0, step.shape[1] - 1, codes)]
        return state
