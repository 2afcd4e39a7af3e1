"""Read calls of one shape and form together as rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.entry import FORM, PAYLOAD, SHAPE, Call, Entry, Ids, TimedCall
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frame_rows import FrameLayout
from mlmonitor.capture.frames import join_frames, likeness
from mlmonitor.capture.prediction_ids import id_or_none
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.capture.read.tables import Table, batch_table, build_table
from mlmonitor.capture.values import Values
from mlmonitor.records import ABSENT, Floats

_BATCHES = (PayloadForm.COLUMNS, PayloadForm.FRAME)

_ALIKE = (*_BATCHES, PayloadForm.FRAME_ROW)  # forms that are read together only if they are alike


_ONE_ROW = (PayloadForm.MAPPING, PayloadForm.SEQUENCE, PayloadForm.ARRAY, PayloadForm.FLOATS)


_FRAMES_AT_ONCE = 32  # joining more would hold the interpreter lock for milliseconds


Columns = tuple[tuple[Any, ...], ...]
"""Entries transposed: a tuple for each position of an entry."""


class Run(list[Entry]):
    """A list of entries that caches its transposed form."""

    __slots__ = ("_columns",)

    @property
    def columns(self) -> Columns:
        """The entries transposed, see `columns_of`."""
        try:
            return self._columns
        except AttributeError:
            self._columns: Columns = tuple(zip(*self, strict=True))
            return self._columns


def columns_of(entries: Sequence[Entry]) -> Columns:
    """Transpose entries: a tuple of all shapes, one of all forms, and so on as in `Entry`."""
    return entries.columns if isinstance(entries, Run) else tuple(zip(*entries, strict=True))


class RowOrigin(NamedTuple):
    """The entries that rows were read from, the index of the first row, and when they were read."""

    entries: Sequence[Entry]
    first: int
    read_at: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of consecutive calls of one shape and form: a table of features, and predictions.

    ids: the id of each row, None for a row without one; empty if no row has one.
    failed: whether each row's call raised; empty if none did.
    identity: the column that holds ids, if there is one.
    fault: why predictions did not fit the declared outputs; None if all did.
    origin: the calls themselves, kept only for an event log.
    times: prediction times in seconds since 1970, NaN where unknown; None if all are unknown.
    """

    count: int
    features: Table
    predictions: Mapping[str, Values]
    ids: Sequence[Ids | None]
    failed: Sequence[bool]
    identity: str | None
    fault: str | None = None
    origin: RowOrigin | None = None
    times: Floats | None = None


def gather(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield runs of entries that `read_rows` can read together, in order."""
    if not entries:
        return
    shapes, forms, *_ = columns_of(entries)
    shape_ids = [*map(id, shapes)]  # not the shapes: comparing them may run the host's code
    is_one_run = (
        forms[0] not in _ALIKE
        and forms.count(forms[0]) == len(entries)
        and shape_ids.count(shape_ids[0]) == len(entries)
    )
    if is_one_run:  # the usual case: a service watches one function, called in one way
        yield entries
        return
    at_once = _FRAMES_AT_ONCE if PayloadForm.FRAME in forms else len(entries)
    for start in range(0, len(entries), at_once):
        for (_, form, _), group in groupby(entries[start : start + at_once], key=_make_run_key):
            if form is PayloadForm.COLUMNS:
                yield from ([entry] for entry in group)
            else:
                yield list(group)


def _make_run_key(entry: Entry) -> tuple[int, PayloadForm, object]:
    """The key that consecutive entries must share to be read together."""
    form, payload = entry[FORM], entry[PAYLOAD]
    layout: object = None
    if form is PayloadForm.FRAME:
        layout = likeness(payload)
    elif form is PayloadForm.FRAME_ROW:
        layout = FrameLayout(payload[0], payload[1].dtype)
    return id(entry[SHAPE]), form, layout


def read_rows(entries: Sequence[Entry]) -> Rows:
    """Read one run of entries as rows; a batch of columns must be the only entry of its run."""
    _, _, counts, payloads, predictions, _, errors, calls = columns_of(entries)
    shape, form, *_ = entries[0]
    if form in _BATCHES:
        batch = join_frames(payloads) if form is PayloadForm.FRAME else payloads[0]
        features = batch_table(form, batch, sum(counts))
    else:
        features = build_table(form, payloads, shape.names)
    failed: list[bool] = []
    if errors.count(None) < len(errors):
        predictions = tuple(
            prediction if error is None else ABSENT
            for prediction, error in zip(predictions, errors, strict=True)
        )
        failed = [
            prediction is ABSENT
            for prediction, count in zip(predictions, counts, strict=True)
            for _ in range(count)
        ]
    reader = PredictionColumns(shape.outputs)
    outputs = reader.read_calls(predictions, counts)
    ids = _spread_ids(calls, counts, features, shape.identity, is_batch=form not in _ONE_ROW)
    times = _spread_times(calls, counts)
    return Rows(
        sum(counts), features, outputs, ids, failed, shape.identity, reader.fault, times=times
    )


def _spread_times(calls: Sequence[Call], counts: Sequence[int]) -> Floats | None:
    if TimedCall not in map(type, calls):  # a test of each call would cost as much as reading it
        return None
    parts = [
        np.broadcast_to(call.times if isinstance(call, TimedCall) else np.nan, rows)
        for call, rows in zip(calls, counts, strict=True)
    ]
    return np.concatenate(parts)


def _spread_ids(
    calls: Sequence[Call],
    counts: Sequence[int],
    features: Table,
    identity: str | None,
    *,
    is_batch: bool,
) -> list[Ids | None]:
    """The id of each row, from its call and from the column that holds ids."""
    column = None if identity is None else features.column(identity)
    if column is None and not any(calls):
        return []
    call_ids: list[Ids | None] = []
    for call, rows in zip(calls, counts, strict=True):
        call_ids.extend(_split_id(call[0] if call else None, rows, is_batch=is_batch))
    if column is None:
        return call_ids
    return [_join_ids(id_or_none(v), other) for v, other in zip(column, call_ids, strict=True)]


def _join_ids(own: str | None, of_call: Ids | None) -> Ids | None:
    """Combine both ids of a row: a label may use the id created here or the client's own."""
    created = of_call[0] if isinstance(of_call, tuple) else of_call
    return (own, created) if own and created and own != created else own or of_call


def _split_id(
    call_id: str | Sequence[str | None] | None, rows: int, *, is_batch: bool
) -> Sequence[Ids | None]:
    """Return an id for each row of a call; if several rows share one id, their index is appended.

    A batch of one row has the id both with and without its index, so that the caller need not know
    the number of rows.
    """
    if not isinstance(call_id, str):
        return call_id if call_id is not None and len(call_id) == rows else [None] * rows
    if rows == 1:
        return [(call_id, f"{call_id}-0")] if is_batch else [call_id]
    return [f"{call_id}-{row}" for row in range(rows)]
