"""Tables of rows whose values have positions; declared names say what each position means."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from mlmonitor.capture.read.numbers import mixed_floats
from mlmonitor.capture.read.packing import pack_rows
from mlmonitor.capture.values import UNREADABLE, Values
from mlmonitor.records import Floats

_NAMES_SHOWN = 6


class SequenceTable:
    """Rows of values by position; in a row that is too short, the last values are missing."""

    def __init__(self, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
        self.rows: int = len(rows)
        self._rows = rows
        self._is_declared = bool(names)
        self._position = _map_positions(names, 0 if names else max(map(len, rows), default=0))
        self._width = len(self._position)

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Convert all values; None unless all are numbers in rows of the declared width."""
        if [*map(len, self._rows)].count(
            self._width
        ) < self.rows or not self._position.keys() >= set(names):
            return None
        matrix = self._read_floats()
        if matrix is None or list(names) == list(self._position):
            return matrix
        return matrix[:, [self._position[name] for name in names]]

    def _read_floats(self) -> Floats | None:
        """Convert all values, in the order of their positions."""
        return float_matrix(self._rows, self._width)

    def column(self, name: str) -> Values | None:
        """The values at the position of `name`."""
        i = self._position.get(name)
        if i is None:
            return None
        return [
            row[i] if i < len(row) else (UNREADABLE if row is UNREADABLE else None)
            for row in self._rows
        ]

    def holds_only(self, expected: int) -> bool:
        """Whether no row has more values than the `expected` number of columns."""
        return expected == self._width and all(len(row) <= expected for row in self._rows)

    def names(self) -> Mapping[str, int]:
        """Count rows by declared name, and by `[position]` for values beyond the declared names."""
        if not self._is_declared:
            widths = [len(row) for row in self._rows]
            return {name: sum(i < width for width in widths) for name, i in self._position.items()}
        counts = dict.fromkeys(self._position, self.rows)
        for row in self._rows:
            for extra in range(self._width, len(row)):
                counts[f"[{extra}]"] = counts.get(f"[{extra}]", 0) + 1
        return counts

    def shortfall(self) -> str | None:
        """Describe the shortest row that has fewer values than there are declared names."""
        if not self._is_declared:
            return None
        widths = [len(row) for row in self._rows if row and row is not UNREADABLE]
        return _describe_shortfall(self._position, min(widths, default=self._width))


class MatrixTable:
    """A two-dimensional array with declared column names."""

    def __init__(self, matrix: np.ndarray[Any, Any], names: Sequence[str]) -> None:
        self.rows: int = len(matrix)
        self._matrix = matrix
        self._position = _map_positions(names, matrix.shape[1])

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Return the columns in the order of `names`; None if one is absent or not numeric."""
        if self._matrix.dtype.kind not in "fiub":
            return None
        width = self._matrix.shape[1]
        expected = [self._position.get(name, width) for name in names]
        if max(expected) >= width:
            return None
        with np.errstate(over="ignore"):
            matrix = self._matrix.astype(np.float64, copy=False)
        return matrix if expected == list(range(width)) else matrix[:, expected]

    def column(self, name: str) -> Values | None:
        """One column of the array."""
        i = self._position.get(name)
        return None if i is None or i >= self._matrix.shape[1] else self._matrix[:, i]

    def holds_only(self, expected: int) -> bool:
        """Whether the array has no more columns than the `expected` number."""
        return len(self._position) == expected and self._matrix.shape[1] <= expected

    def names(self) -> Mapping[str, int]:
        """Count rows by declared name, and by `[position]` for columns beyond those names."""
        declared = list(self._position)
        extra = [f"[{i}]" for i in range(len(declared), self._matrix.shape[1])]
        return dict.fromkeys((declared + extra)[: self._matrix.shape[1]], self.rows)

    def shortfall(self) -> str | None:
        """Describe an array with fewer columns than there are declared names."""
        return _describe_shortfall(self._position, self._matrix.shape[1])


def _describe_shortfall(names: Collection[str], width: int) -> str | None:
    if width >= len(names):
        return None
    shown = ", ".join([*names][:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
    return (
        f"features: expected {len(names)} values by position ({shown}), got {width}: pass all of "
        "them in this order, or a mapping of names"
    )


def float_matrix(rows: Sequence[Sequence[Any]], width: int) -> Floats | None:
    """Convert rows to float64 `[rows, width]`; None unless all values are numbers."""
    packed = pack_rows(rows, width)
    if packed is not None:
        return packed
    floats = mixed_floats([*chain.from_iterable(rows)])
    return None if floats is None else floats.reshape(len(rows), width)


def _map_positions(names: Sequence[str], width: int) -> dict[str, int]:
    """Return the position of each name; names are "x0", "x1", ... if none are declared."""
    return {name: i for i, name in enumerate(names or [f"x{i}" for i in range(width)])}
