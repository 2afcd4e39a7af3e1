"""The event log of one pipeline: builds events and passes them to a sink."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.event_status import EventStatus
from mlmonitor.compare.figures.kpis import FigureSum
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.traffic import Comparing
from mlmonitor.events.content.event_source import BLOCK_EVENTS, Content, EventSource
from mlmonitor.events.content.label_events import LabelEvents
from mlmonitor.events.content.model_events import alert_events, reference_events, verdict_event
from mlmonitor.events.content.prediction_events import PredictionEvents, build_bare_events
from mlmonitor.events.sinks.event_sink import EventCounter, EventDestination, EventSink
from mlmonitor.formats.events import EventIds
from mlmonitor.gil import yield_gil
from mlmonitor.records import Declared
from mlmonitor.reference.reference import Reference
from mlmonitor.verdict.verdict import Verdict

POLL_SECONDS = 0.5


class LoggedModel(Protocol):
    """The model whose events are sent, and the process that sends them."""

    @property
    def model(self) -> str:
        """The name of the model."""

    @property
    def version(self) -> str:
        """The version of the model."""

    @property
    def instance(self) -> str:
        """The id of the process."""

    @property
    def declared(self) -> Declared:
        """The user's declarations about the rows."""


class EventLog:
    """Builds events and puts them into the sink of this process.

    Promise: the sink is opened at the first event, so that it belongs to the process that sends,
        after any fork. No call of the application waits. An internal error is counted, not
        raised. Every event is counted as delivered, dropped, refused or waiting; an event that
        arrives after `close` is dropped.
    """

    def __init__(
        self,
        destination: EventDestination,
        model: LoggedModel,
        inbox: Inbox,
        *,
        deviations: float = 3.0,
    ) -> None:
        self._destination, self._declared = destination, model.declared
        self._source = EventSource.named(model.model, model.version, model.instance)
        self._inbox, self._guard, self._deviations = inbox, inbox.guard, deviations
        self._ids = EventIds(model.instance)
        self._sink: EventSink | None = None
        self._is_closed = False
        # Events that do not reach a sink are counted under the name of the destination.
        self._losses = EventCounter(type(destination).__name__.lower())
        self._by_schema: Counter[str] = Counter()
        self._comparing: Comparing | None = None
        self._predictions: PredictionEvents | None = None
        self._labels: LabelEvents | None = None
        self._next_poll, self._skipped_labels = 0.0, 0

    def _put(self, events: Sequence[Content]) -> None:
        if not events:
            return
        self._by_schema[events[0]["schema"]] += len(events)
        if self._is_closed:
            self._losses.add("dropped", len(events))
            return
        try:
            if self._sink is None:
                self._sink = self._destination.open(self._source)
            self._sink.put(events, waits=self._inbox.has_batches)
        except Exception as error:
            self._losses.add("dropped", len(events), type(error).__name__)
            raise

    def ingest(self, state: ModelState, *, now: float) -> None:
        """Send predictions, and sums of figures over rows, that are new since the last call."""
        traffic = state.traffic
        self._ingest_sums(state.kpis.drain_sums(), traffic.reference, now=now)
        read_rows = traffic.drain_read_rows()
        if not read_rows or traffic.comparing is None:
            return
        with self._guard:
            self._begin(traffic.comparing, now=now)
        for read in read_rows:
            with self._guard:
                if self._predictions is not None:
                    for events in self._predictions.build(read):
                        self._put(events)
                        yield_gil()

    def _ingest_sums(
        self, sums: Sequence[FigureSum], reference: Reference | None, *, now: float
    ) -> None:
        with self._guard:
            if sums:
                self._put(self._ensure_labels(reference).build_sums(sums, now=now))

    def _begin(self, comparing: Comparing, *, now: float) -> None:
        """Send the reference that later predictions are compared with, if it is new."""
        if self._comparing is comparing:
            return
        self._comparing = comparing
        options = self._destination.options
        self._predictions = PredictionEvents(
            self._source, self._ids, options, comparing, self._declared
        )
        self._use_reference(comparing.reference, now=now)

    def _use_reference(self, reference: Reference | None, *, now: float) -> None:
        options = self._destination.options
        self._labels = LabelEvents(self._source, self._ids, options, reference)
        if reference is not None:
            events = reference_events(
                self._source,
                reference,
                options,
                self._declared,
                deviations=self._deviations,
                now=now,
            )
            for event in events:
                self._put([event])

    def ingest_labels(
        self, entries: Iterable[LabelEntry], reference: Reference | None, *, now: float
    ) -> None:
        """Send labels, including those of predictions made by other processes."""
        for entry in self._skip_repeated(entries):
            for block in entry.blocks(BLOCK_EVENTS):
                with self._guard:
                    self._put(self._ensure_labels(reference).build(block, now=now))
                yield_gil()

    def _skip_repeated(self, entries: Iterable[LabelEntry]) -> Iterator[LabelEntry]:
        """Yield the labels, without those that were sent before a new version was adopted."""
        for entry in entries:
            skipped = min(self._skipped_labels, len(entry.ids))
            self._skipped_labels -= skipped
            if skipped < len(entry.ids):
                yield entry.rows(range(skipped, len(entry.ids))) if skipped else entry

    def ingest_outcomes(
        self, outcomes: OutcomeEntry | RankingEntry, reference: Reference | None, *, now: float
    ) -> None:
        """Send pairs of predictions and actuals; rankings are not sent."""
        if isinstance(outcomes, OutcomeEntry):
            with self._guard:
                events = self._ensure_labels(reference).build_pairs(outcomes, now=now)
                for start in range(0, len(events), BLOCK_EVENTS):
                    self._put(events[start : start + BLOCK_EVENTS])
                    yield_gil()

    def _ensure_labels(self, reference: Reference | None) -> LabelEvents:
        if self._labels is None:
            self._labels = LabelEvents(
                self._source, self._ids, self._destination.options, reference
            )
        return self._labels

    def ingest_figures(
        self, figures: Sequence[tuple[str, Any]], reference: Reference | None, *, now: float
    ) -> None:
        """Send business figures."""
        with self._guard:
            if figures:
                self._put(self._ensure_labels(reference).build_figures(figures, now=now))

    def ingest_alerts(self, changed: Sequence[Alert | Incident], *, now: float) -> None:
        """Send alerts and incidents that began or ended."""
        with self._guard:
            self._put(alert_events(self._source, changed, now=now))

    def ingest_verdict(self, verdict: Verdict, *, now: float) -> None:
        """Send a verdict that changed."""
        with self._guard:
            self._put([verdict_event(self._source, verdict, now=now)])

    def settle(self, inbox: Inbox, state: ModelState, *, now: float) -> None:
        """Send labels, and predictions that wait for a reference; the latter without values."""
        if state.labels is None:
            labels = inbox.labels.drain()
            self.ingest_labels(labels, None, now=now)
            for entry in labels:
                inbox.labels.put(entry)
        outcomes = inbox.outcomes.drain()
        for pairs in outcomes:
            self.ingest_outcomes(pairs, state.traffic.reference, now=now)
        inbox.outcomes.put(outcomes)
        learner = state.traffic.learner
        for rows in [] if learner is None else learner.rows:
            with self._guard:
                options = self._destination.options
                self._put(build_bare_events(self._source, self._ids, options, rows))

    def adopt(self, model: LoggedModel, repeated_labels: int) -> None:
        """Use a new version of the model for later events.

        repeated_labels: how many labels at the head of the queue have already been sent.
        """
        self._source = EventSource.named(model.model, model.version, model.instance)
        self._declared = model.declared
        self._labels, self._skipped_labels = None, repeated_labels

    def poll(self) -> None:
        """Let the sink do its periodic work; call this often."""
        now = time.monotonic()
        if self._sink is not None and now >= self._next_poll:
            self._next_poll = now + POLL_SECONDS
            with self._guard:
                self._sink.poll()

    def flush(self, timeout_seconds: float) -> bool:
        """Deliver the events that wait; return whether all were delivered in time."""
        is_flushed = self._sink is None
        with self._guard:
            if self._sink is not None:
                is_flushed = self._sink.flush(timeout_seconds)
        return is_flushed

    def close(self, timeout_seconds: float) -> None:
        """Deliver the events that wait, for at most this long; drop and count the others."""
        self._is_closed = True
        with self._guard:
            if self._sink is not None:
                self._sink.close(timeout_seconds)

    def status(self) -> EventStatus | None:
        """Return counts of events by outcome and schema; None before the first event."""
        lost, by_schema = self._losses.status(waiting=0), dict(self._by_schema)
        if self._sink is None:
            return replace(lost, by_schema=by_schema) if by_schema else None
        with self._guard:
            status = self._sink.status()
            return replace(
                status,
                dropped=status.dropped + lost.dropped,
                last_error=status.last_error or lost.last_error,
                by_schema=by_schema,
            )
        return None
