"""Build events of predictions from blocks of rows."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np

from mlmonitor.capture.entry import CALL, FORM, Call, Entry, Ids, name_unread
from mlmonitor.capture.read.rows import Rows
from mlmonitor.compare.segment_populations import ordered_segment_names
from mlmonitor.compare.traffic import Comparing, ReadRows
from mlmonitor.events.content.event_source import BLOCK_EVENTS, Content, EventSource, format_time
from mlmonitor.events.content.field_cells import FieldCells, RowCells, pick_values
from mlmonitor.events.content.prediction_rows import PredictionRows
from mlmonitor.events.content.redaction import hash_values
from mlmonitor.events.content.row_calls import ONE_ROW, RowCalls, calls_of_rows
from mlmonitor.events.event_options import EventOptions
from mlmonitor.formats.events import VERSION, EventIds, clean_text
from mlmonitor.records import Declared


class PredictionEvents:
    """Builds the events of one model's predictions; the reference decides what may be sent.

    Price: half a microsecond a row, plus its encoding (`benchmarks/events.py`).
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
        self._groups = comparing.groups
        if comparing.segmentation is not None:
            names = ordered_segment_names(comparing.reference)
            self._segments = [clean_text(name) for name in names]

    def build(self, read: ReadRows) -> Iterator[Sequence[Content]]:
        """Yield the events of the rows that were read, at most `BLOCK_EVENTS` at a time."""
        for start in range(0, read.rows.count, BLOCK_EVENTS):
            yield self._build(read, start, min(start + BLOCK_EVENTS, read.rows.count))

    def _build(self, read: ReadRows, start: int, stop: int) -> Sequence[Content]:
        origin = read.rows.origin
        if origin is None:
            return []
        event_ids = self._ids.draw(stop - start, int(origin.read_at * 1e3))
        calls, places = calls_of_rows(read.rows, start, stop)
        given = read.rows.ids[start:stop]
        ids = self._choose_prediction_ids(given, event_ids, calls.entries, places)
        chosen: Any = slice(start, stop)
        if self._options.sample < 1:
            kept = [row for row, name in enumerate(ids) if self._options.has_prediction(name)]
            chosen = np.array(kept, np.int64) + start
            ids, event_ids = [ids[row] for row in kept], [event_ids[row] for row in kept]
            calls = calls.choose(kept)
        if not ids:
            return []
        cells = self._cells.read(read, chosen)
        rows = self._build_rows(ids, event_ids, calls, cells, origin.read_at)
        if self._is_plain(read, cells, calls):
            return rows
        events = [*rows]
        self._add_rare(events, cells, calls)
        self._add_times_and_groups(events, read.rows, chosen)
        if self._segments and read.codes is not None:
            for event, code in zip(events, read.codes[chosen].tolist(), strict=True):
                event["segment"] = self._segments[code]
        return events

    def _build_rows(
        self,
        ids: Sequence[str],
        event_ids: Sequence[str],
        calls: RowCalls,
        cells: RowCells,
        read_at: float,
    ) -> PredictionRows:
        """Build events with the fields that all of them have; others are added later."""
        source = self._source
        return PredictionRows(
            head={"schema": "prediction", "schema_version": VERSION},
            tail={
                "time": format_time(read_at),
                "model": source.model,
                "model_version": source.version,
                "instance": source.instance,
            },
            event_ids=event_ids,
            prediction_ids=ids,
            latencies=[None if d is None else d / 1e9 for d in calls.durations_ns],
            predictions=cells.prediction or [None] * len(ids),
            features=cells.features,
        )

    def _is_plain(self, read: ReadRows, cells: RowCells, calls: RowCalls) -> bool:
        """Whether the events need only the fields that `_build_rows` sets."""
        has_more = self._segments or self._groups is not None or self._options.sample < 1
        has_values = cells.derived or cells.scores or cells.outputs or cells.invalid
        if has_more or has_values or read.rows.times is not None:
            return False
        return not any(calls.errors) and next(calls.origins, None) is None

    def _add_rare(self, events: Sequence[Content], cells: RowCells, calls: RowCalls) -> None:
        """Add fields that many models do not have: outputs, errors, traces, reasons for nulls."""
        for name in ("scores", "outputs", "derived"):
            for event, row in zip(events, getattr(cells, name), strict=False):
                event[name] = row
        _add_calls(events, calls)
        for row, reasons in cells.invalid.items():
            events[row]["invalid"] = reasons
        if self._options.sample < 1:
            for event in events:
                event["sample"] = self._options.sample

    def _add_times_and_groups(self, events: Sequence[Content], rows: Rows, chosen: Any) -> None:
        """Set the times that rows were recorded with, and the hash of each row's group."""
        if rows.times is not None:
            for event, time in zip(events, rows.times[chosen].tolist(), strict=True):
                if isfinite(time):
                    event["time"] = format_time(time)
        groups = None if self._groups is None else rows.features.column(self._groups)
        if groups is not None:
            hashes = hash_values(pick_values(groups, chosen), self._options.hash_text)
            for event, group in zip(events, hashes, strict=True):
                event["group"] = group

    def _choose_prediction_ids(
        self,
        given: Sequence[Ids | None],
        event_ids: Sequence[str],
        entries: Sequence[Entry],
        places: Sequence[int] | None,
    ) -> list[str]:
        """Return the prediction id of each row; a call without an id gets that of its event.

        The application gets the same id if it reads the id of such a call later.
        places: the index of each row in its call, or None if each call has one row.
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
        """Return the id of each call; a call without an id gets that of its event."""
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
        """Return the id of a row for which the caller gave no id."""
        call = entry[CALL]
        if entry[FORM] in ONE_ROW:
            return self._name_calls([call], [event_id])[0]
        if call and not isinstance(call[0], str):  # the caller gave ids for other rows of the batch
            return event_id
        return self._options.id_form(f"{name_unread(call, event_id)}-{place}")


def _add_calls(events: Sequence[Content], calls: RowCalls) -> None:
    """Add the error and trace of calls that have them; remove the outputs of failed calls."""
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


def build_bare_events(
    source: EventSource, ids: EventIds, options: EventOptions, rows: Rows
) -> list[Content]:
    """Build events without values, for rows that were read before there was a reference."""
    if rows.origin is None:
        return []
    read_at = rows.origin.read_at
    calls, _ = calls_of_rows(rows, 0, rows.count)
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
