"""Tables over payloads of one form, which the worker reads by column."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

import numpy as np

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frame_columns import read_column
from mlmonitor.capture.frame_rows import column_names
from mlmonitor.capture.frames import package_of
from mlmonitor.capture.read.numbers import plain_floats
from mlmonitor.capture.read.positional_tables import MatrixTable, SequenceTable, float_matrix
from mlmonitor.capture.values import UNREADABLE, CodedValues, Values
from mlmonitor.errors import import_extra
from mlmonitor.gil import yield_gil
from mlmonitor.records import Floats


class Table(Protocol):
    """Rows whose columns have names."""

    rows: int

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Return float64 `[rows, names]`; None unless all values are numbers."""

    def column(self, name: str) -> Values | None:
        """The values of one column; None, or a column of None, if no row has it."""

    def holds_only(self, expected: int) -> bool:
        """Whether rows hold no values beyond `expected` columns, all of which were read before."""

    def names(self) -> Mapping[str, int]:
        """Number of rows with a value under each name."""


_FLOAT64 = np.dtype(np.float64)

Row = Mapping[Any, Any]


class MappingTable:
    """Rows of named values; None stands for an unreadable row."""

    def __init__(self, rows: Sequence[Row | None]) -> None:
        self.rows: int = len(rows)
        self._rows = rows
        self._is_even = True  # true while every row had every value read so far
        self._is_readable = False  # set once no row can be None

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Convert all values in one step; None unless all of them are plain numbers."""
        try:
            values = [*map(itemgetter(*names), self._rows)]  # type: ignore[arg-type]  # see below
        except (KeyError, TypeError):  # a row of None has no items
            return None
        self._is_readable = True
        yield_gil()
        if len(names) == 1:
            floats = plain_floats(values)
            return None if floats is None else floats.reshape(self.rows, 1)
        return float_matrix(values, len(names))

    def column(self, name: str) -> Values | None:
        """The values under `name`, None where a row has none."""
        try:
            return [*map(itemgetter(name), self._rows)]  # type: ignore[arg-type]  # as in `matrix`
        except (KeyError, TypeError):
            self._name_by_text()
            return [UNREADABLE if row is None else row.get(name) for row in self._rows]

    def holds_only(self, expected: int) -> bool:
        """Whether rows hold only the columns read so far, judged by the number of values."""
        return self._is_even and sum(map(len, self._list_readable_rows())) == expected * self.rows

    def names(self) -> Mapping[str, int]:
        """Number of rows with each key."""
        self._name_by_text()
        return Counter(chain.from_iterable(self._list_readable_rows()))

    def _list_readable_rows(self) -> Sequence[Row]:
        if self._is_readable:
            return self._rows  # type: ignore[return-value]  # none of them is None
        return [row for row in self._rows if row is not None]

    def _name_by_text(self) -> None:
        """Convert the keys of all rows to text, as is done with the names of a frame's columns."""
        if self._is_even:
            self._is_even = False
            self._rows = [row if row is None else _with_text_names(row) for row in self._rows]


def _with_text_names(row: Row) -> Row | None:
    try:
        return {key if type(key) is str else str(key): value for key, value in row.items()}
    except Exception:  # noqa: BLE001 - a hostile key: the row cannot be read
        return None


class ColumnTable:
    """Columns by name; a column whose length differs from the table's is unreadable."""

    def __init__(self, columns: Mapping[str, Any], rows: int) -> None:
        self.rows = rows
        self._columns = columns

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Return None: columns are read one by one, each in its own type."""
        del names
        return None

    def column(self, name: str) -> Values | None:
        """The column as an array or a list; unreadable unless it has one value per row.

        A vector counts as one value.
        """
        if name not in self._columns:
            return None
        column = self._columns[name]
        values = column if package_of(type(column)) is None else read_column(column)
        if isinstance(values, np.ndarray) and values.size == self.rows and values.ndim:
            return values.reshape(-1)
        if isinstance(values, np.ndarray) and values.ndim == 2 and len(values) == self.rows:
            return list(values)  # one vector per row
        is_list = isinstance(values, list | CodedValues) and len(values) == self.rows
        return values if is_list else [UNREADABLE] * self.rows

    def holds_only(self, expected: int) -> bool:
        """Return False: a table has few columns, so their names are compared instead."""
        del expected
        return False

    def names(self) -> Mapping[str, int]:
        """Count every column as having a value in every row."""
        return dict.fromkeys(self._columns, self.rows)


class FrameRowsTable:
    """Rows of frames with the same columns, as one array."""

    def __init__(self, values: np.ndarray[Any, Any], names: Sequence[str]) -> None:
        self.rows: int = len(values)
        self._names = names
        self._table = MatrixTable(values, names)

    def matrix(self, names: Sequence[str]) -> Floats | None:
        """Return the columns in the order of `names`; None unless all columns are numbers."""
        return self._table.matrix(names)

    def column(self, name: str) -> Values | None:
        """One column of the array."""
        values = self._table.column(name)
        return (
            values.tolist() if isinstance(values, np.ndarray) and values.dtype.hasobject else values
        )

    def holds_only(self, expected: int) -> bool:
        """Return False: the names of the columns are compared instead."""
        del expected
        return False

    def names(self) -> Mapping[str, int]:
        """Count every column as having a value in every row."""
        return dict.fromkeys(self._names, self.rows)


def build_table(form: PayloadForm, payloads: Sequence[Any], names: Sequence[str]) -> Table:
    """Build one table of all rows in `payloads`, which share `form`.

    names: names of the positions, by default "x0", "x1", ...
    """
    if form in (PayloadForm.MAPPINGS, PayloadForm.SEQUENCES):
        form = PayloadForm.MAPPING if form is PayloadForm.MAPPINGS else PayloadForm.SEQUENCE
        payloads = list(chain.from_iterable(payloads))
    builder = _BUILDERS.get(form)
    if builder is None:
        msg = f"{form.name} holds whole batches: one payload at a time"
        raise ValueError(msg)
    return builder(payloads, names)


def batch_table(form: PayloadForm, payload: Any, rows: int) -> Table:
    """Build the table of one batch of columns or of one frame.

    Raises:
        MissingExtra: it is a frame, and narwhals is not installed.
    """
    if form is PayloadForm.COLUMNS:
        return ColumnTable(payload, rows)
    narwhals = import_extra("narwhals", extra="frames")
    try:
        frame = narwhals.from_native(payload, eager_only=True)
        return ColumnTable({str(column.name): column for column in frame.iter_columns()}, rows)
    except Exception:  # noqa: BLE001 - two columns of one name, or a frame that narwhals does not read
        return MappingTable([None] * rows)


def _join_frame_rows(payloads: Sequence[tuple[Any, np.ndarray[Any, Any]]]) -> Table:
    """Join the values of one-row frames, whose columns and types are the same."""
    names = column_names(payloads[0][0])
    if names is None:
        return MappingTable([None] * len(payloads))
    return FrameRowsTable(np.concatenate([values for _, values in payloads]), names)


def _read_array_rows(payloads: Sequence[Any], names: Sequence[str]) -> Table:
    """Read vectors kept as bytes; those of one type and length form one matrix."""
    dtype, first = payloads[0]
    if all(kind == dtype and len(data) == len(first) for kind, data in payloads):
        joined = np.frombuffer(b"".join(data for _, data in payloads), dtype)
        return MatrixTable(joined.reshape(len(payloads), -1), names)
    return SequenceTable([list(np.frombuffer(data, kind)) for kind, data in payloads], names)


def _join_matrix_rows(payloads: Sequence[Any], names: Sequence[str]) -> Table:
    """Join matrices if they share type and width; otherwise joining would change values."""
    if len({(matrix.dtype, matrix.shape[1]) for matrix in payloads}) == 1:
        return MatrixTable(np.concatenate(payloads), names)
    return SequenceTable([list(row) for matrix in payloads for row in matrix], names)


_BUILDERS: dict[PayloadForm, Callable[[Sequence[Any], Sequence[str]], Table]] = {
    PayloadForm.MAPPING: lambda payloads, _: MappingTable(payloads),
    PayloadForm.SEQUENCE: SequenceTable,
    PayloadForm.ARRAY: _read_array_rows,
    PayloadForm.FLOATS: lambda payloads, names: _read_array_rows(
        [(_FLOAT64, data) for data in payloads], names
    ),
    PayloadForm.MATRIX: _join_matrix_rows,
    PayloadForm.FRAME_ROW: lambda payloads, _: _join_frame_rows(payloads),
    PayloadForm.UNREADABLE: lambda payloads, _: MappingTable([None] * sum(payloads)),
}
