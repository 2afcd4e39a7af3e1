"""Columns that an option of the monitor names, but that the rows do not have."""

from collections.abc import Mapping
from types import MappingProxyType

from mlmonitor.capture.read.tables import Table
from mlmonitor.capture.values import Values
from mlmonitor.formatting import find_similar, truncate
from mlmonitor.records import Declared

_NAME = 40
_LEAST_ROWS = 10  # fewer may be a warm-up that lacks the column


class DeclaredColumns:
    """Counts the rows without a value in a column that an option names.

    Such a column need not be a feature of the reference, so a misspelt name shows in the rows only.
    Price: a look-up for each declared column, and a pass over its values if they are a list.
    """

    def __init__(self, declared: Declared, *, is_learning: bool) -> None:
        names = {
            "groups": () if declared.groups is None else (declared.groups,),
            "segments": declared.segments,
            "buckets": tuple(declared.buckets),
            "schema": tuple(declared.schema) if is_learning else (),
        }
        self._absent = {(option, name): 0 for option, listed in names.items() for name in listed}
        self._similar: dict[tuple[str, str], str] = {}
        self._rows = 0

    def update(self, table: Table) -> None:
        """Count rows; the first ones that lack a column also show how it may be spelt."""
        self._rows += table.rows
        for identity in self._absent:
            lacking = _count_lacking(table.column(identity[1]), table.rows)
            self._absent[identity] += lacking
            if lacking == table.rows and lacking and identity not in self._similar:
                similar = find_similar(identity[1], table.names().keys() - {identity[1]})
                self._similar[identity] = similar[0] if similar else ""

    @property
    def absent(self) -> Mapping[str, int]:
        """Rows without a value of each column that more than half of the rows lack.

        A column is described by its option and name, and by a similar name that rows have.
        """
        return MappingProxyType(
            {
                self._describe(identity): rows
                for identity, rows in self._absent.items()
                if 2 * rows > self._rows
            }
        )

    def warning(self) -> str | None:
        """What to do about the columns that no row has had; None while there may be some."""
        lost = [identity for identity, rows in self._absent.items() if rows == self._rows]
        if self._rows < _LEAST_ROWS or not lost:
            return None
        names = ", ".join(map(self._describe, lost))
        return (
            f"none of {self._rows:,} rows has a value of a declared column: {names}: correct the "
            "name in the option, or pass the column with the features"
        )

    def _describe(self, identity: tuple[str, str]) -> str:
        similar = self._similar.get(identity)
        hint = f" (there is {truncate(similar, _NAME)})" if similar else ""
        return f"{identity[0]} {truncate(identity[1], _NAME)}{hint}"


def _count_lacking(column: Values | None, rows: int) -> int:
    if column is None:
        return rows
    if not isinstance(column, list):
        return 0
    return sum(value is None for value in column)
