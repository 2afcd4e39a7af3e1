"""Segments: the parts of the traffic to which rows belong, and their names."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import OTHER, Dictionary
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import category_names, lookup_values
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values

ALL = "all"
"""The name of all rows together if there are segments."""

MISSING = "__missing__"
"""Stands in a segment name for a value that is missing or not a category."""

MOST_SEGMENTS = 20
"""The default number of segments."""

SegmentValues = tuple[str | None, ...]
"""The category of each segment field, or None if missing: the identity of a segment."""

Codes = NDArray[np.int64]

_RESERVED = frozenset({ALL, OTHER, MISSING})
_MARKS = str.maketrans({"\\": "\\\\", ",": "\\,", "=": "\\="})


def segment_name(fields: Sequence[str], values: SegmentValues | None) -> str:
    """Return the name of a segment: the value of a single field, else `line=motor,region=north`.

    Promise: names are unique. A backslash escapes ambiguous characters, so no segment has the
        reserved name of all rows, of the rest or of a missing value. A name of more than 200
        characters is truncated and ends with its hash, like a category.
    values: the value of each field; None for the rest.
    """
    if values is None:
        return OTHER
    if len(fields) == 1:
        name = _escape(values[0], values[0] or "")
    else:
        pairs = zip(fields, values, strict=True)
        name = ",".join(
            f"{field.translate(_MARKS)}={_escape(value, (value or '').translate(_MARKS))}"
            for field, value in pairs
        )
    return category_name(name) or OTHER


def _escape(value: str | None, text: str) -> str:
    if value is None:
        return MISSING
    is_reserved = value in _RESERVED or not value
    # The value of a single field has no other escapes, so double its own leading backslash.
    is_ambiguous = text == value and value.startswith("\\")
    return f"\\{text}" if is_reserved or is_ambiguous else text


def segment_values(columns: Sequence[Values]) -> list[SegmentValues]:
    """Return the segment of each training row, given the columns of the segment fields."""
    return list(zip(*(category_names(column) for column in columns), strict=True))


class SegmentEncoder:
    """Encodes the segment of each row as its index in the reference; other rows get the last code.

    Price: one dictionary look-up a row and segment field.
    """

    def __init__(self, fields: Sequence[str], segments: Sequence[SegmentValues]) -> None:
        self.fields: tuple[str, ...] = tuple(fields)
        self.other: int = len(segments)
        self._dictionaries: list[Dictionary] = []
        self._steps: list[Codes] = []
        self._add_steps(segments)

    def _add_steps(self, segments: Sequence[SegmentValues]) -> None:
        """Add a transition table for each field, which maps a state and a value to the next state.

        A state stands for the values of the first fields of a segment.
        """
        states: Mapping[SegmentValues, int] = {(): 0}
        for place in range(len(self.fields)):
            values = dict.fromkeys(segment[place] for segment in segments)
            names = [name for name in values if name is not None]
            prefixes = dict.fromkeys(segment[: place + 1] for segment in segments)
            next_states = {prefix: state for state, prefix in enumerate(prefixes)}
            # One extra row and column for rows in no segment, and a column for missing values.
            step = np.full((len(states) + 1, len(names) + 2), len(next_states), np.int64)
            codes: dict[str | None, int] = {name: code for code, name in enumerate(names)}
            codes[None] = len(names) + 1
            for prefix, state in next_states.items():
                step[states[prefix[:-1]], codes[prefix[-1]]] = state
            if place + 1 == len(self.fields):
                step = np.where(step == len(next_states), self.other, step)
            self._dictionaries.append(Dictionary(names, is_closed=False))
            self._steps.append(step)
            states = next_states

    @property
    def nbytes(self) -> int:
        """Maximum memory held, in bytes."""
        tables = sum(step.nbytes for step in self._steps)
        return tables + sum(dictionary.nbytes for dictionary in self._dictionaries)

    def encode(self, rows: Rows) -> Codes:
        """Return the code of the segment of each row."""
        state = np.zeros(rows.count, np.int64)
        for field, dictionary, step in zip(
            self.fields, self._dictionaries, self._steps, strict=True
        ):
            column = rows.features.column(field)
            if column is None:
                codes = np.full(rows.count, -1, np.int64)
            else:
                codes = dictionary.encode(lookup_values(column)).codes
            # Codes below zero stand for values that are not categories: they use the last column.
            state = step[state, np.where(codes < 0, step.shape[1] - 1, codes)]
        return state
