"""Predictions as events, from blocks of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import numpy as np

from mlmonitor.capture.entry import (
    CALL,
    DURATION_NS,
    ERROR,
    FORM,
    ROWS,
    Call,
    Entry,
    Ids,
    name_unread,
)
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.read.rows import Rows, columns_of
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


class _Calls(NamedTuple):
    """What is known of some rows beside their values; one item a row in each."""

    durations_ns: Sequence[int | None]
    errors: Sequence[str | None]
    entries: Sequence[Entry]

    @property
    def origins(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """The place of each row with a trace, and the ids of trace and span."""
        for row, entry in enumerate(self.entries):
            if type(entry) is Traced:
                yield row, entry.origin

    def choose(self, rows: Sequence[int]) -> "_Calls":
        """Return some of the rows."""
        durations, errors, entries = self
        return _Calls(
            [durations[row] for row in rows],
            [errors[row] for row in rows],
            [entries[row] for row in rows],
        )


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
        calls, places = _calls_of_rows(read.rows, start, stop)
        given = read.rows.ids[start:stop]
        ids = self._prediction_ids(given, event_ids, calls.entries, places)
        chosen: Any = slice(start, stop)
        if self._options.sample < 1:
            kept = [row for row, name in enumerate(ids) if self._options.has_prediction(name)]
            chosen = np.array(kept, np.int64) + start
            ids, event_ids = [ids[row] for row in kept], [event_ids[row] for row in kept]
            calls = calls.choose(kept)
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
        calls: _Calls,
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
                "latency_seconds": None if duration is None else duration / 1e9,
                "prediction": prediction,
                "features": row,
            }
            for event_id, prediction_id, duration, prediction, row in zip(
                event_ids, ids, calls.durations_ns, predictions, features, strict=True
            )
        ]

    def _add_rare(self, events: Sequence[Content], cells: RowCells, calls: _Calls) -> None:
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

    def _prediction_ids(
        self,
        given: Sequence[Ids | None],
        event_ids: Sequence[str],
        entries: Sequence[Entry],
        places: Sequence[int] | None,
    ) -> list[str]:
        """Return the id of each row; a call without one gets the id of its event.

        A host that reads the id of such a call later gets the same id.
        places: that of each row in its call, or None if each call is a row.
        """
        if any(given):
            return [
                self._ensure_id(event_id, entry, place)
                if own_id is None
                else self._options.id_form(own_id if isinstance(own_id, str) else own_id[0])
                for own_id, event_id, entry, place in zip(
                    given, event_ids, entries, places or [0] * len(entries), strict=True
                )
            ]
        if places is None:
            return self._name_calls([entry[CALL] for entry in entries], event_ids)
        return [
            self._ensure_id(event_id, entry, place)
            for event_id, entry, place in zip(event_ids, entries, places, strict=True)
        ]

    def _name_calls(self, calls: Sequence[Call], event_ids: Sequence[str]) -> list[str]:
        """Give ids to calls without one; return the id of each."""
        names = []
        for call, event_id in zip(calls, event_ids, strict=True):
            if not call:
                name_unread(call, event_id)
            names.append(call[0])
        if names == event_ids:
            return names
        return [
            name if name is event_id else self._options.id_form(str(name))
            for name, event_id in zip(names, event_ids, strict=True)
        ]

    def _ensure_id(self, event_id: str, entry: Entry, place: int) -> str:
        """Return the id of a row that its caller has not named."""
        call = entry[CALL]
        if entry[FORM] in _ONE_ROW:
            return self._name_calls([call], [event_id])[0]
        if call and not isinstance(call[0], str):  # its caller has named other rows of the batch
            return event_id
        return self._options.id_form(f"{name_unread(call, event_id)}-{place}")


def _add_calls(events: Sequence[Content], calls: _Calls) -> None:
    """Add the error and the trace of each call that has one; a failed one predicts nothing."""
    if any(calls.errors):
        for event, error in zip(events, calls.errors, strict=True):
            if error is not None:
                event["status"], event["error"] = "error", clean_text(error)
                event["prediction"] = None
                event.pop("scores", None)
                event.pop("outputs", None)
    for row, (trace_id, span_id) in calls.origins:
        events[row]["trace_id"] = f"{trace_id:032x}"
        events[row]["span_id"] = f"{span_id:016x}"


def _calls_of_rows(rows: Rows, start: int, stop: int) -> tuple[_Calls, list[int] | None]:
    """Return the calls of some rows, and the place of each row in its call.

    There are no places if each call is a row.
    """
    if rows.origin is None:
        return _Calls([], [], []), []
    first, last = rows.origin.first + start, rows.origin.first + stop
    entries = rows.origin.entries
    if entries[0][FORM] in _ONE_ROW:
        columns = columns_of(entries)
        durations, errors = columns[DURATION_NS], columns[ERROR]
        return _Calls(durations[first:last], errors[first:last], entries[first:last]), None
    found: list[Entry] = []
    places: list[int] = []
    before = 0
    for entry in entries:
        after = before + entry[ROWS]
        if after > first and before < last:
            own = range(max(first - before, 0), min(last, after) - before)
            places += own
            found += [entry] * len(own)
        before = after
    return _Calls([e[DURATION_NS] for e in found], [e[ERROR] for e in found], found), places


def build_bare_events(
    source: EventSource, ids: EventIds, options: EventOptions, rows: Rows
) -> list[Content]:
    """Build events without any value, for rows whose fields nothing is known about."""
    if rows.origin is None:
        return []
    read_at = rows.origin.read_at
    calls, _ = _calls_of_rows(rows, 0, rows.count)
    given = rows.ids or [None] * rows.count
    events = []
    for event_id, own_id, duration, error in zip(
        ids.draw(rows.count, int(read_at * 1e3)),
        given,
        calls.durations_ns,
        calls.errors,
        strict=True,
    ):
        name = own_id if isinstance(own_id, str | None) else own_id[0]
        prediction_id = event_id if name is None else options.id_form(name)
        if options.has_prediction(prediction_id):
            events.append(
                source.envelope("prediction", event_id, read_at)
                | {
                    "prediction_id": prediction_id,
                    "status": "ok" if error is None else "error",
                    "error": None if error is None else clean_text(error),
                    "latency_seconds": None if duration is None else duration / 1e9,
                    "prediction": None,
                    "features": {},
                    "sample": options.sample,
                }
            )
    return events
