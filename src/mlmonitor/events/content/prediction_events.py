"""Predictions as events, from blocks of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.capture.entry import CALL, DURATION_NS, ERROR, FORM, ROWS, Entry, Ids, name_unread
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.trace_context import Traced
from mlmonitor.compare.segment_populations import ordered_segment_names
from mlmonitor.compare.traffic import Comparing, ReadRows
from mlmonitor.events.content.field_cells import FieldCells, RowCells
from mlmonitor.events.event_options import EventOptions, clean_text
from mlmonitor.formats.events import VERSION, EventIds
from mlmonitor.records import Declared

Content = dict[str, Any]
"""An event as JSON has it; `schema` is its first key."""

BLOCK_EVENTS = 256
"""Events that are built and encoded in one step, so that other threads wait for 1 ms at most."""

_ONE_ROW = (PayloadForm.MAPPING, PayloadForm.SEQUENCE, PayloadForm.ARRAY, PayloadForm.FLOATS)


@dataclass(frozen=True, slots=True)
class EventSource:
    """Who sends: the model, its version, and this process."""

    model: str
    version: str
    instance: str

    @classmethod
    def named(cls, model: str, version: str, instance: str) -> Self:
        """Build a source with names that every reader can store."""
        return cls(clean_text(model) or "?", clean_text(version), clean_text(instance))

    def envelope(self, schema: str, event_id: str, time: float) -> Content:
        """Return the fields that all events share; `time` in seconds since 1970."""
        return {
            "schema": schema,
            "schema_version": VERSION,
            "event_id": event_id,
            "time": format_time(time),
            "model": self.model,
            "model_version": self.version,
            "instance": self.instance,
        }


def format_time(seconds: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339 in UTC, with microseconds.

    A time outside of the years 1 to 9999 becomes the nearest one inside.
    """
    if not seconds > _FIRST_SECOND:  # also NaN
        return "0001-01-01T00:00:00.000000Z"
    if seconds >= _END_SECOND:
        return "9999-12-31T23:59:59.999999Z"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_FIRST_SECOND = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_END_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class _Call(NamedTuple):
    """What is known of a row beside its values."""

    latency_seconds: float | None
    error: str | None
    origin: tuple[int, int] | None


class PredictionEvents:
    """Builds the events of one model's predictions, under one reference.

    Price: about 3 us a row of 20 numbers.
    """

    def __init__(
        self,
        source: EventSource,
        ids: EventIds,
        options: EventOptions,
        comparing: Comparing,
        declared: Declared,
    ) -> None:
        self._source, self._ids, self._options = source, ids, options
        self._cells = FieldCells(comparing, options, declared)
        self._segments: Sequence[str] = ()
        if comparing.segmentation is not None:
            names = ordered_segment_names(comparing.reference)
            self._segments = [clean_text(name) for name in names]

    def build(self, read: ReadRows) -> Iterator[list[Content]]:
        """Yield the events of some rows, at most `BLOCK_EVENTS` at a time."""
        for start in range(0, read.rows.count, BLOCK_EVENTS):
            yield self._build(read, start, min(start + BLOCK_EVENTS, read.rows.count))

    def _build(self, read: ReadRows, start: int, stop: int) -> list[Content]:
        origin = read.rows.origin
        if origin is None:
            return []
        event_ids = self._ids.draw(stop - start, int(origin.read_at * 1e3))
        ids = self._prediction_ids(read.rows, event_ids, start)
        calls = _calls(read.rows, start, stop)
        chosen: Any = slice(start, stop)
        if self._options.sample < 1:
            kept = [row for row, name in enumerate(ids) if self._options.has_prediction(name)]
            chosen = np.array(kept, np.int64) + start
            ids, event_ids = [ids[row] for row in kept], [event_ids[row] for row in kept]
            calls = [calls[row] for row in kept]
        if not ids:
            return []
        cells = self._cells.read(read, chosen)
        events = self._basic_events(ids, event_ids, calls, cells, origin.read_at)
        self._add_rare(events, cells, calls)
        if self._segments and read.codes is not None:
            for event, code in zip(events, read.codes[chosen].tolist(), strict=True):
                event["segment"] = self._segments[code]
        return events

    def _basic_events(
        self,
        ids: Sequence[str],
        event_ids: Sequence[str],
        calls: Sequence[_Call],
        cells: RowCells,
        read_at: float,
    ) -> list[Content]:
        """Build events with the fields that each has; the rest follows."""
        time, source = format_time(read_at), self._source
        model, version, instance = source.model, source.version, source.instance
        predictions = cells.prediction or [None] * len(ids)
        features: Sequence[Content] = cells.features or [{} for _ in ids]
        return [
            {
                "schema": "prediction",
                "schema_version": VERSION,
                "event_id": event_id,
                "time": time,
                "model": model,
                "model_version": version,
                "instance": instance,
                "prediction_id": prediction_id,
                "status": "ok",
                "latency_seconds": call.latency_seconds,
                "prediction": prediction,
                "features": row,
            }
            for event_id, prediction_id, call, prediction, row in zip(
                event_ids, ids, calls, predictions, features, strict=True
            )
        ]

    def _add_rare(self, events: Sequence[Content], cells: RowCells, calls: Sequence[_Call]) -> None:
        """Add what most services do not have: outputs, errors, traces, reasons for nulls."""
        for name in ("scores", "outputs", "derived"):
            for event, row in zip(events, getattr(cells, name), strict=False):
                event[name] = row
        _add_calls(events, calls)
        for row, reasons in cells.invalid.items():
            events[row]["invalid"] = reasons
        if self._options.sample < 1:
            for event in events:
                event["sample"] = self._options.sample

    def _prediction_ids(self, rows: Rows, event_ids: Sequence[str], start: int) -> list[str]:
        """Return the id of each row; a call without one gets the id of its event.

        A host that reads the id of such a call later gets the same id.
        """
        given: Sequence[Ids | None] = rows.ids[start : start + len(event_ids)]
        if not any(given):
            given = [None] * len(event_ids)
        entries = _entry_of_rows(rows, start, start + len(event_ids))
        named = []
        for own_id, event_id, (entry, place) in zip(given, event_ids, entries, strict=True):
            if own_id is not None:
                name = own_id if isinstance(own_id, str) else own_id[0]
                named.append(self._options.id_form(name))
            elif entry[FORM] in _ONE_ROW:
                named.append(self._options.id_form(name_unread(entry[CALL], event_id)))
            elif entry[CALL] and not isinstance(entry[CALL][0], str):
                named.append(event_id)  # its caller has named other rows of the batch
            else:
                prefix = name_unread(entry[CALL], event_id)
                named.append(self._options.id_form(f"{prefix}-{place}"))
        return named


def _add_calls(events: Sequence[Content], calls: Sequence[_Call]) -> None:
    """Add the error and the trace of each call that has one; a failed one predicts nothing."""
    for event, call in zip(events, calls, strict=True):
        if call.error is not None:
            event["status"], event["error"] = "error", clean_text(call.error)
            event["prediction"] = None
            event.pop("scores", None)
            event.pop("outputs", None)
        if call.origin is not None:
            event["trace_id"] = f"{call.origin[0]:032x}"
            event["span_id"] = f"{call.origin[1]:016x}"


def _entry_of_rows(rows: Rows, start: int, stop: int) -> list[tuple[Entry, int]]:
    """Return the call of each row, and the row's place in the call."""
    origin = rows.origin
    if origin is None:
        return []
    first, last = origin.first + start, origin.first + stop
    if origin.entries[0][FORM] in _ONE_ROW:
        return [(entry, 0) for entry in origin.entries[first:last]]
    found: list[tuple[Entry, int]] = []
    before = 0
    for entry in origin.entries:
        after = before + entry[ROWS]
        if after > first and before < last:
            places = range(max(first - before, 0), min(last, after) - before)
            found += [(entry, place) for place in places]
        before = after
    return found


def _calls(rows: Rows, start: int, stop: int) -> list[_Call]:
    return [
        _Call(
            None if entry[DURATION_NS] is None else entry[DURATION_NS] / 1e9,
            entry[ERROR],
            entry.origin if isinstance(entry, Traced) else None,
        )
        for entry, _ in _entry_of_rows(rows, start, stop)
    ]


def build_bare_events(
    source: EventSource, ids: EventIds, options: EventOptions, rows: Rows
) -> list[Content]:
    """Build events without any value, for rows whose fields nothing is known about."""
    if rows.origin is None:
        return []
    read_at = rows.origin.read_at
    event_ids = ids.draw(rows.count, int(read_at * 1e3))
    return [
        source.envelope("prediction", event_id, read_at)
        | {
            "prediction_id": options.id_form(event_id),
            "status": "ok" if call.error is None else "error",
            "error": None if call.error is None else clean_text(call.error),
            "latency_seconds": call.latency_seconds,
            "prediction": None,
            "features": {},
            "segment": ALL,
        }
        for event_id, call in zip(event_ids, _calls(rows, 0, rows.count), strict=True)
    ]
