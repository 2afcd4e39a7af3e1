"""Calls of one form, read together as rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mlmonitor.capture.entry import Call, Entry, Ids
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frames import joined, likeness
from mlmonitor.capture.prediction_ids import id_or_none
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.capture.read.tables import Table, batch_table, table_of
from mlmonitor.capture.values import Values
from mlmonitor.records import ABSENT

_BATCHES = (PayloadForm.COLUMNS, PayloadForm.FRAME)


_ONE_ROW = (PayloadForm.MAPPING, PayloadForm.SEQUENCE, PayloadForm.ARRAY, PayloadForm.FLOATS)


_FRAMES_AT_ONCE = 32  # to join more would hold the interpreter for milliseconds


Columns = tuple[tuple[Any, ...], ...]
"""What entries hold, a tuple for each place in them."""


class Run(list[Entry]):
    """Entries in order, which are turned into columns once, for all who want them so."""

    __slots__ = ("_columns",)

    @property
    def columns(self) -> Columns:
        """See `columns_of`."""
        try:
            return self._columns
        except AttributeError:
            self._columns: Columns = tuple(zip(*self, strict=True))
            return self._columns


def columns_of(entries: Sequence[Entry]) -> Columns:
    """Their shapes, forms, rows, payloads, predictions, durations, errors and names."""
    return entries.columns if isinstance(entries, Run) else tuple(zip(*entries, strict=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive calls of one shape and form: a table of features, columns of predictions.

    ids: what each row is called, None where nobody asked for it; empty where nobody asked at all.
    failed: whether each row's call raised; empty where none did.
    """

    count: int
    features: Table
    predictions: Mapping[str, Values]
    ids: Sequence[Ids | None]
    failed: Sequence[bool]
    identity: str | None


def gather(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Runs of entries that `rows_of` can read together, in order."""
    if not entries:
        return
    shapes, forms, *_ = columns_of(entries)
    which = [*map(id, shapes)]  # not the shapes: to compare them may run code of the host's
    is_one_run = (
        forms[0] not in _BATCHES
        and forms.count(forms[0]) == len(entries)
        and which.count(which[0]) == len(entries)
    )
    if is_one_run:  # almost always: a service watches one function, called in one way
        yield entries
        return
    at_once = _FRAMES_AT_ONCE if PayloadForm.FRAME in forms else len(entries)
    for start in range(0, len(entries), at_once):
        for (_, form, _), group in groupby(entries[start : start + at_once], key=_likeness):
            if form is PayloadForm.COLUMNS:
                yield from ([entry] for entry in group)
            else:
                yield list(group)


def _likeness(entry: Entry) -> tuple[int, PayloadForm, object]:
    """What consecutive entries must share to be read together."""
    form = entry[1]
    return id(entry[0]), form, likeness(entry[3]) if form is PayloadForm.FRAME else None


def rows_of(calls: Sequence[Entry]) -> Rows:
    """One run of entries as rows. A batch of columns is a table of its own."""
    _, _, counts, payloads, predictions, _, errors, asked = columns_of(calls)
    shape, form, *_ = calls[0]
    if form in _BATCHES:
        batch = joined(payloads) if form is PayloadForm.FRAME else payloads[0]
        features = batch_table(form, batch, sum(counts))
    else:
        features = table_of(form, payloads, shape.names)
    failed: list[bool] = []
    if errors.count(None) < len(errors):
        told = zip(predictions, errors, strict=True)
        predictions = tuple(value if error is None else ABSENT for value, error in told)
        failed = [
            value is ABSENT for value, n in zip(predictions, counts, strict=True) for _ in range(n)
        ]
    outputs = PredictionColumns(shape.outputs).columns(predictions, counts)
    ids = _ids(asked, counts, features, shape.identity, is_batch=form not in _ONE_ROW)
    return Rows(sum(counts), features, outputs, ids, failed, shape.identity)


def _ids(
    calls: Sequence[Call],
    counts: Sequence[int],
    features: Table,
    identity: str | None,
    *,
    is_batch: bool,
) -> list[Ids | None]:
    known = None if identity is None else features.column(identity)
    found = [_asked(call) for call in calls] if any(calls) else [None] * len(calls)
    if known is None and not any(found):
        return []
    made: list[Ids | None] = []
    for each, rows in zip(found, counts, strict=True):
        made.extend(_each_row(each, rows, is_batch=is_batch))
    if known is None:
        return made
    return [_both(id_or_none(value), other) for value, other in zip(known, made, strict=True)]


def _both(own: str | None, made: Ids | None) -> Ids | None:
    """The host was told the one that was made, its client knows the other."""
    told = made[0] if isinstance(made, tuple) else made
    return (own, told) if own and told and own != told else own or made


def _each_row(
    asked: str | Sequence[str | None] | None, rows: int, *, is_batch: bool
) -> Sequence[Ids | None]:
    """An id for each row; one id for many rows is the common part of theirs.

    The only row of a batch goes by both: who writes batches need not know how many rows this has.
    """
    if not isinstance(asked, str):
        return asked if asked is not None and len(asked) == rows else [None] * rows
    if rows == 1:
        return [(asked, f"{asked}-0")] if is_batch else [asked]
    return [f"{asked}-{at}" for at in range(rows)]


def _asked(call: Call) -> str | Sequence[str | None] | None:
    """The id that somebody knows."""
    known: str | Sequence[str | None] | None = call[0] if call else None
    return known
