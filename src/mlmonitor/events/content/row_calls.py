"""Facts about rows besides their values, from the calls in which they were recorded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlmonitor.capture.entry import DURATION_NS, ERROR, FORM, ROWS, Entry
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.read.rows import Rows, columns_of
from mlmonitor.capture.trace_context import Traced

ONE_ROW = (PayloadForm.MAPPING, PayloadForm.SEQUENCE, PayloadForm.ARRAY, PayloadForm.FLOATS)


class RowCalls(NamedTuple):
    """The duration, the error and the recorded call of each row; one item per row in each."""

    durations_ns: Sequence[int | None]
    errors: Sequence[str | None]
    entries: Sequence[Entry]

    @property
    def origins(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """The index of each row that has a trace, with the ids of trace and span."""
        for row, entry in enumerate(self.entries):
            if type(entry) is Traced:
                yield row, entry.origin

    def choose(self, rows: Sequence[int]) -> "RowCalls":
        """Return the facts of the rows at these indices."""
        durations, errors, entries = self
        return RowCalls(
            [durations[row] for row in rows],
            [errors[row] for row in rows],
            [entries[row] for row in rows],
        )


def calls_of_rows(rows: Rows, start: int, stop: int) -> tuple[RowCalls, list[int] | None]:
    """Return the facts of the rows `start:stop`, and each row's index in its call.

    The indices are None if each call has one row.
    """
    if rows.origin is None:
        return RowCalls([], [], []), []
    first, last = rows.origin.first + start, rows.origin.first + stop
    entries = rows.origin.entries
    if entries[0][FORM] in ONE_ROW:
        columns = columns_of(entries)
        durations, errors = columns[DURATION_NS], columns[ERROR]
        return RowCalls(durations[first:last], errors[first:last], entries[first:last]), None
    own_entries: list[Entry] = []
    places: list[int] = []
    before = 0
    for entry in entries:
        after = before + entry[ROWS]
        if after > first and before < last:
            own = range(max(first - before, 0), min(last, after) - before)
            places += own
            own_entries += [entry] * len(own)
        before = after
    return RowCalls(
        [e[DURATION_NS] for e in own_entries], [e[ERROR] for e in own_entries], own_entries
    ), places
