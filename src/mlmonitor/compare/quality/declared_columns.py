"""Columns that an option of the monitor names but the rows lack."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.tables import Table
from mlmonitor.capture.values import Values
from mlmonitor.formatting import find_similar, truncate
from mlmonitor.records import Declared

_NAME = 40
_LEAST_ROWS = 10  # fewer rows may be a warm-up that lacks the column
_WRONG_TYPE = 2  # index among the reasons why a value is not a number


class DeclaredColumns:
    """Counts the rows without a value in each column that an option or the reference names.

    Such a column need not be a feature of the reference, so only the rows reveal a misspelt name.

    groups: the column with the group of each row, as declared or in the reference.
    Price: a look-up for each declared column. All values of a list are read; those of a column
        with buckets are read until one is a number.
    """

    def __init__(self, declared: Declared, *, is_learning: bool, groups: str | None = None) -> None:
        names = {
            "groups": () if declared.groups is None else (declared.groups,),
            "groups of the reference": ()
            if groups is None or declared.groups is not None
            else (groups,),
            "segments": declared.segments,
            "buckets": tuple(declared.buckets),
            "schema": tuple(declared.schema) if is_learning else (),
        }
        self._columns = [
            _DeclaredColumn(option, name) for option, listed in names.items() for name in listed
        ]

    def update(self, table: Table) -> None:
        """Count rows; if the first rows lack a column, look for a name with similar spelling."""
        for column in self._columns:
            column.update(table)

    def update_pairs(self, table: Table) -> None:
        """Count rows that were reported with their actuals; no schema is learned from these."""
        for column in self._columns:
            if column.option != "schema":
                column.update(table)

    @property
    def absent(self) -> Mapping[str, int]:
        """For each column that more than half of the rows lack, the number of rows without a value.

        A column is described by its option and name, and by a similar name that rows have.
        """
        return MappingProxyType(
            {
                column.describe(): column.lacking
                for column in self._columns
                if 2 * column.lacking > column.rows
            }
        )

    def warning(self) -> str | None:
        """Return advice about columns that every row lacks; None if there are none."""
        lost = [c for c in self._columns if c.rows >= _LEAST_ROWS and c.lacking == c.rows]
        if not lost:
            return None
        names = ", ".join(column.describe() for column in lost)
        return (
            f"none of {max(column.rows for column in lost):,} rows has a value of a declared "
            f"column: {names}: correct the name in the option, or pass the column with the features"
        )


class _DeclaredColumn:
    """Counts the rows without a value in one column; a column with buckets needs numbers."""

    __slots__ = ("_hint", "_waits_for_number", "lacking", "name", "option", "rows")

    def __init__(self, option: str, name: str) -> None:
        self.option, self.name = option, name
        self.rows: int = 0
        self.lacking: int = 0
        self._hint: str | None = None
        self._waits_for_number = option == "buckets"

    def update(self, table: Table) -> None:
        """Count rows with and without a value."""
        values = table.column(self.name)
        lacking = _count_lacking(values, table.rows)
        if values is not None and self._waits_for_number:
            numbers, refused = parse_floats(values)
            if np.isnan(numbers).all():
                lacking = table.rows
                if refused[_WRONG_TYPE]:
                    self._hint = " (its values are not numbers: split by them with segments=)"
            else:
                self._waits_for_number = False
        self.rows += table.rows
        self.lacking += lacking
        if lacking and lacking == table.rows and self._hint is None:
            similar = find_similar(self.name, table.names().keys() - {self.name})
            self._hint = f" (there is {truncate(similar[0], _NAME)})" if similar else ""

    def describe(self) -> str:
        """The option and the name, with a hint about the likely error."""
        return f"{self.option} {truncate(self.name, _NAME)}{self._hint or ''}"


def _count_lacking(column: Values | None, rows: int) -> int:
    if column is None:
        return rows
    if not isinstance(column, list):
        return 0
    return sum(value is None for value in column)
