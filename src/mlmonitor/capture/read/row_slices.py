"""Split rows into those from which a reference is learned, and those compared with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import Table
from mlmonitor.capture.values import Values
from mlmonitor.records import Floats


def cut_rows(rows: Rows, count: int) -> tuple[Rows, Rows | None]:
    """Return the first `count` rows, and the remaining rows or None.

    Rows are split rather than blocks, because a block has only totals of its refused values.
    """
    if rows.count <= count:
        return rows, None
    return _slice(rows, 0, count), _slice(rows, count, rows.count)


def _slice(rows: Rows, start: int, stop: int) -> Rows:
    origin = rows.origin
    return replace(
        rows,
        origin=None if origin is None else origin._replace(first=origin.first + start),
        times=None if rows.times is None else rows.times[start:stop],
        count=stop - start,
        features=_TableSlice(rows.features, start, stop),
        predictions={name: values[start:stop] for name, values in rows.predictions.items()},
        ids=rows.ids[start:stop],
        failed=rows.failed[start:stop],
    )


class _TableSlice:
    """Consecutive rows of a table, itself a table."""

    def __init__(self, whole: Table, start: int, stop: int) -> None:
        self.rows: int = stop - start
        self._whole, self._start, self._stop = whole, start, stop

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Return the rows of this slice from the whole table's matrix."""
        matrix = self._whole.matrix(names)
        return None if matrix is None else matrix[self._start : self._stop]

    def column(self, name: str) -> Values | None:
        """Return the rows of this slice from the whole table's column."""
        values = self._whole.column(name)
        return None if values is None else values[self._start : self._stop]

    def holds_only(self, expected: int) -> bool:
        """Whether the whole table holds no values beyond `expected` columns, see `Table`."""
        return self._whole.holds_only(expected)

    def names(self) -> Mapping[str, int]:
        """Number of these rows with a value under each name.

        A name without a column is assumed to have its values in the last rows of the table.
        """
        totals = self._whole.names().items()
        counts = {name: self._count(name, total) for name, total in totals}
        return {name: count for name, count in counts.items() if count}

    def _count(self, name: str, total: int) -> int:
        if total == self._whole.rows:
            return self.rows
        column = self.column(name)
        if column is None:
            return max(self._stop - max(self._start, self._whole.rows - total), 0)
        return sum(value is not None for value in column)
