"""Draining one inbox: calls, late ids, labels, outcomes and figures, in this order."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.entry import SHAPE, Entry, Shape
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.capture.read.rows import Run, gather, read_rows
from mlmonitor.capture.read.run_mistakes import SilentMistake
from mlmonitor.capture.trace_context import host_span_source
from mlmonitor.compare.model_state import ModelState
from mlmonitor.config import Config
from mlmonitor.errors import MonitorError
from mlmonitor.gil import yield_gil
from mlmonitor.pipeline.model_version import ModelVersion, split_labels, was_predicted_before

if TYPE_CHECKING:
    from mlmonitor.events.event_log import EventLog

Positions = Mapping[tuple[str, ...], tuple[str, ...]]


class Evaluate(Protocol):
    """A step that evaluates a model's evidence."""

    def __call__(self, now: float, *, rows: int, seconds: float) -> None:
        """Evaluate parts with at least `rows` new rows, last evaluated at least `seconds` ago."""


class Drain:
    """Moves the items of an inbox into a model's state, a block at a time.

    is_traced: whether calls get the ids of their traces once the host records traces. evaluate:
    called at the end of each drain. versions: the one in use, then those whose predictions may
    still get labels, the newest first. positions: new names of positional features, by the names
    with which calls are recorded. events: the log of everything that is drained.
    """

    def __init__(  # noqa: PLR0913 - everything that it connects
        self,
        config: Config,
        inbox: Inbox,
        versions: Sequence[ModelVersion],
        *,
        is_traced: bool,
        evaluate: Evaluate,
        positions: Positions,
        events: "EventLog | None" = None,
    ) -> None:
        self._events = events
        if events is not None:
            versions[0].state.kpis.keep_sums()
        self._config, self._inbox = config, inbox
        self._state, self._began_at = versions[0].state, versions[0].began_at
        self._challenges = versions[0].challenges
        self._wants_traces = is_traced
        self._evaluate, self._earlier, self._positions = evaluate, versions[1:], positions
        self._renamed: dict[int, tuple[Shape, Shape]] = {}
        self._undrained = 0  # calls of the current drain that are still in the inbox
        self._due_labels: list[LabelEntry] = []
        self._due_late: list[Entry] = []
        self._early_labels = self._evicted_before = 0
        self._start_tracing()

    def absorb(self, now: float) -> bool:
        """Ingest one block of the calls that waited when the drain began; return whether more wait.

        Calls that arrive later belong to the next drain: otherwise a busy service would never end
        a drain and export. Labels are taken from the inbox first, then calls that got their id
        late, so that the drain includes the calls to which they belong.
        """
        if self._undrained == 0:
            self._state.begin_comparing(now=now)
            if self._state.labels is not None:
                self._due_labels = self._inbox.labels.drain()
            self._due_late = self._inbox.late.drain()
            self._undrained = len(self._inbox.calls)
            self._start_tracing()
        entries = self._inbox.calls.drain(min(self._undrained, self._config.block_rows))
        # No entries although some were left: the inbox of a forked child was emptied.
        self._undrained = self._undrained - len(entries) if entries else 0
        if self._positions:
            entries = Run(map(self._rename, entries))
        with self._inbox.guard:
            is_traced = self._inbox.calls.is_traced
            yield_gil()
            self._state.count(entries, now=now, is_traced=is_traced)
            yield_gil()
            self._ingest_runs(entries, partial(self._ingest, now=now, is_traced=is_traced))
        if self._events is not None:
            self._events.ingest(self._state, now=now)
        if self._undrained == 0:
            self._end_drain(now)
        return self._undrained > 0

    def _ingest(self, run: Sequence[Entry], *, now: float, is_traced: bool) -> MonitorError | None:
        """Add the rows of calls of one form; if a row cannot be read, raise and add none."""
        rows = read_rows(run)
        fault = self._state.ingest(run, rows, now=now, is_traced=is_traced)
        if self._challenges:
            with self._inbox.guard:  # a fault here must not add the rows again, one by one
                self._challenges.ingest_champion(rows, now=now)
        return fault

    def _remember(self, run: Sequence[Entry], *, now: float) -> None:
        """Store the predictions of calls that were ingested before they had an id."""
        rows = read_rows(run)
        self._state.remember(rows, now=now)
        if self._challenges:
            with self._inbox.guard:
                self._challenges.ingest_champion(rows, now=now, is_counted=False)

    def _start_tracing(self) -> None:
        """Attach traces to calls once the host records traces, if a destination uses them."""
        if self._wants_traces and not self._inbox.calls.is_traced:
            source = host_span_source()
            if source is not None:
                self._inbox.calls.trace(source)

    def _rename(self, entry: Entry) -> Entry:
        """Name positional features as the adopted reference does; each shape is renamed once."""
        shape = entry[SHAPE]
        names = self._positions.get(shape.names)
        if names is None:
            return entry
        if id(shape) not in self._renamed:
            self._renamed[id(shape)] = shape, shape._replace(names=names)
        return (self._renamed[id(shape)][1], *entry[1:])

    def catch_up(self, now: float) -> None:
        """Ingest everything that waits now: finish the current drain, then run a whole one.

        The current drain does not include items that have arrived since it began.
        """
        self._state.begin_comparing(now=now)
        while self._undrained > 0:
            self.absorb(now)
        had_labels = self._state.labels is not None
        while self.absorb(now):
            pass
        if not had_labels and self._state.labels is not None:  # the reference is learned now
            while self.absorb(now):
                pass

    def _end_drain(self, now: float) -> None:
        due, self._due_labels = self._due_labels, []
        late, self._due_late = self._due_late, []
        labels = self._state.labels
        with self._inbox.guard:
            forgotten = [entry for entry in late if self._state.is_forgotten(entry)]
            for start in range(0, len(forgotten), self._config.block_rows):
                block = forgotten[start : start + self._config.block_rows]
                self._ingest_runs(block, partial(self._remember, now=now))
        if self._challenges is not None:  # even without a challenge, since the queue must not fill
            self._challenges.ingest(self._inbox.challengers.drain(), now=now)
        reference = self._state.traffic.reference
        if self._events is not None:
            self._events.ingest_labels(due, reference, now=now)
        with self._inbox.guard:
            due = self._claim(due, now)
            if labels is not None:
                labels.match(due, now=now)
            else:
                self._discard_evicted()
        for fault in self._challenges.drain_faults() if self._challenges else ():
            self._inbox.guard.hold(fault)
        self._end_drain_of_outcomes(now)
        self._end_drain_of_figures(now)
        with self._inbox.guard:
            self._state.simulate_next()
        self._evaluate(
            now, rows=self._config.check_rows, seconds=self._config.check_interval_seconds
        )

    def _end_drain_of_figures(self, now: float) -> None:
        """Add business figures and attributions, at the end of a drain."""
        figures = self._inbox.figures.drain()
        with self._inbox.guard:
            self._state.kpis.ingest(figures, now=now)
        with self._inbox.guard:
            self._state.attributions.ingest(self._inbox.attributions.drain(), now=now)
        if self._events is not None:
            self._events.ingest_figures(figures, self._state.traffic.reference, now=now)

    def _claim(self, labels: list[LabelEntry], now: float) -> list[LabelEntry]:
        """Match labels of predictions that earlier versions or challengers made; return the others.

        If several versions used an id, it refers to its newest prediction.
        """
        if self._challenges:
            self._challenges.ingest_labels(labels)
        if not self._earlier or not labels:
            return self._leave_challengers(labels)
        own, others = split_labels(labels, self._state)
        for version in self._earlier:
            others = version.claim(others, now=now)
        return own + self._leave_challengers(others)

    def _leave_challengers(self, labels: list[LabelEntry]) -> list[LabelEntry]:
        """Hold back labels of rows that only a challenger has predicted; return labels due now."""
        if not self._challenges:
            return labels
        own = []
        for entry in labels:
            is_waiting = self._state.pending.find(entry.ids)
            own.append(entry.rows(np.flatnonzero(is_waiting)))
            own.append(self._challenges.hold_foreign(entry.rows(np.flatnonzero(~is_waiting))))
        return self._challenges.drain_due() + [entry for entry in own if entry.ids]

    def _discard_evicted(self) -> None:
        """Count labels that wait for a reference although their prediction was evicted.

        It counts only labels that waited at the end of the last drain, and only after an eviction,
        because the prediction of a newer label may still be in the inbox.
        """
        queue, pending = self._inbox.labels, self._state.pending
        if pending.evicted > self._evicted_before:
            early = queue.remove_first(self._early_labels)
            queue.restore([pending.discard_evicted(entry) for entry in early])
            self._evicted_before = pending.evicted if early else self._evicted_before
        self._early_labels = len(queue)

    def _end_drain_of_outcomes(self, now: float) -> None:
        """Add pairs of predictions and actuals; they wait while the model learns its reference."""
        if self._inbox.outcomes.is_empty or not self._state.begin_outcomes(now=now):
            return
        for outcomes in self._inbox.outcomes.drain():
            with self._inbox.guard:
                self._find_state(outcomes).ingest_outcomes(outcomes, now=now)
            if self._events is not None:
                self._events.ingest_outcomes(outcomes, self._state.traffic.reference, now=now)
            yield_gil()

    def settle(self, now: float) -> None:
        """Count the labels and outcomes that still wait, because nothing more will arrive."""
        if self._events is not None:
            with self._inbox.guard:
                self._events.settle(self._inbox, self._state, now=now)
        if self._challenges:
            self._challenges.settle()
        with self._inbox.guard:
            self._state.settle(self._inbox.labels, self._inbox.outcomes, now=now)

    def _find_state(self, outcomes: OutcomeEntry | RankingEntry) -> ModelState:
        """Return the state of the version that made these predictions, by their time if given."""
        state, began_at = self._state, self._began_at
        for version in self._earlier:
            if was_predicted_before(outcomes, began_at):
                state, began_at = version.state, version.began_at
        return state

    def _ingest_runs(
        self, entries: Sequence[Entry], step: Callable[[Sequence[Entry]], object]
    ) -> None:
        """Apply `step` to each run of calls; a run that cannot be read does not stop the others."""
        for run in gather(entries):
            self._ingest_run(run, step)
            yield_gil()

    def _ingest_run(self, run: Sequence[Entry], step: Callable[[Sequence[Entry]], object]) -> None:
        try:
            fault = step(run)
            guard = self._inbox.guard
            is_explained = isinstance(fault, SilentMistake) and guard.internal_errors > 0
            if isinstance(fault, Exception) and not is_explained:
                guard.hold(fault)
        except Exception as error:  # noqa: BLE001 - ours: the worker goes on
            if len(run) == 1:
                self._inbox.guard.hold(error)
                return
            for entry in run:
                self._ingest_run([entry], step)
