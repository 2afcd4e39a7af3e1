"""Mistakes of the caller that leave every value empty and would otherwise go unnoticed."""

from collections.abc import Sequence
from contextlib import suppress

from mlmonitor.capture.entry import FORM, PAYLOAD, Entry, Ids
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frames import find_twice
from mlmonitor.capture.read.positional_tables import MatrixTable, SequenceTable
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import MappingTable, Table
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.formatting import truncate
from mlmonitor.records import ABSENT

_MOST_REPEATED = 0.1
_NAME = 60
_NO_ROW = (
    "features: expected one row (a mapping of names to values, or values in the order of the "
    "fields) or several, got one value or nothing: name the argument that holds the row in "
    "watch(features=...)"
)


_NO_FRAME = (
    "features: expected a frame of pandas, polars, pyarrow or another library that narwhals reads, "
    "each column with a name of its own"
)


class SilentMistake(SchemaError):
    """A mistake that raised no error; it is reported only if no error was counted before it."""


class RunMistakes:
    """Detects mistakes in runs of calls.

    A mistake of the whole program, such as a function that returns nothing, is reported only until
    one call has a result: a model may return None for some rows.
    Price: two look-ups a run; a scan of its results until one of them has a value.
    """

    def __init__(self) -> None:
        self._has_row = False
        self._has_value = False
        self._has_id = False
        self._has_own_ids = False

    def find(self, run: Sequence[Entry], rows: Rows) -> SchemaError | None:
        """Return what is wrong with a run, and what to do; None if nothing is."""
        if rows.fault is not None:
            return SchemaError(rows.fault)
        if not rows.count:
            return None
        is_readable = run[0][FORM] is not PayloadForm.UNREADABLE
        self._has_row |= is_readable
        mistake = (
            (None if self._has_row else _NO_ROW)
            or find_row_fault(run[0], rows.features)
            or self._find_no_value(rows)
            or self._find_no_id(rows)
            or self._find_repeated_ids(rows)
        )
        return None if mistake is None else SilentMistake(mistake)

    def _find_no_value(self, rows: Rows) -> str | None:
        if self._has_value:
            return None
        columns = list(rows.predictions.values())
        if any(not _is_empty(column) for column in columns):
            self._has_value = True
            return None
        if any(value is ABSENT for column in columns for value in column):
            return None  # the calls failed
        return (
            "prediction: expected a value, got None from every call: return the result from the "
            "watched function, set `prediction.value` in the block, or pass predictions to record"
        )

    def _find_repeated_ids(self, rows: Rows) -> str | None:
        """Describe ids that repeat because they identify something else, such as customers."""
        ids = [] if self._has_own_ids else [_get_own_id(name) for name in rows.ids if name]
        repeated = len(ids) - len(set(ids))
        self._has_own_ids |= len(ids) > 1 and not repeated
        if repeated <= _MOST_REPEATED * len(ids):  # a client may retry a request
            return None
        return (
            f"ids: expected a different id for each prediction, but {repeated:,} of {len(ids):,} "
            "rows have one that occurs before: a label then finds only the newest of them"
        )

    def _find_no_id(self, rows: Rows) -> str | None:
        if self._has_id or rows.identity is None:
            return None
        column = rows.features.column(rows.identity)
        if column is not None and not _is_empty(column):
            self._has_id = True
            return None
        return (
            f"id_from: expected {rows.identity!r} to be an argument or a value of the row, but "
            "neither has this name: no prediction has an id"
        )


def _describe_unread(entry: Entry) -> str:
    """Describe why a frame cannot be read: two columns share a name, or the library is unknown."""
    payload, twice = entry[PAYLOAD], None
    with suppress(Exception):  # a hostile frame
        twice = find_twice(payload[0] if entry[FORM] is PayloadForm.FRAME_ROW else payload.columns)
    if twice is None:
        return _NO_FRAME
    name = truncate(twice, _NAME)
    return f"features: expected each column name once, got {name!r} twice: rename one of them"


def _get_own_id(identity: Ids) -> str:
    """Return the caller's id if a row has two ids, otherwise its only id."""
    return identity[0] if isinstance(identity, tuple) else identity


def find_row_fault(entry: Entry, table: Table) -> str | None:
    """Return why the rows of a call cannot be read as columns with names; None if they can."""
    if _is_unread_frame(entry, table):
        return _describe_unread(entry)
    return table.shortfall() if isinstance(table, MatrixTable | SequenceTable) else None


def _is_unread_frame(entry: Entry, table: Table) -> bool:
    is_frame = entry[FORM] in (PayloadForm.FRAME, PayloadForm.FRAME_ROW)
    return is_frame and isinstance(table, MappingTable)


def _is_empty(column: Values) -> bool:
    """Whether a column has no value; an array is assumed to have some."""
    return isinstance(column, list) and all(value is None or value is ABSENT for value in column)
