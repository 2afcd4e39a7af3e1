"""One tick of the line: drain, aggregate, compare, export. No threads, no clock of its own."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.calls import CallStats
from mlmonitor.aggregate.window import Span
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.buffer.pending import Pending
from mlmonitor.capture.calls import Entry, gather, rows_of
from mlmonitor.compare.drift import Level
from mlmonitor.compare.finding import Finding
from mlmonitor.compare.kpis import Kpis
from mlmonitor.compare.labels import Labels, remember
from mlmonitor.compare.population import Population, field_statuses
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.status import State, Status
from mlmonitor.compare.watched import Watched
from mlmonitor.config import Config
from mlmonitor.export.base import Attributes, Point, Snapshot
from mlmonitor.export.delivery import Delivery
from mlmonitor.export.health import label_points, model_points, own_points
from mlmonitor.export.points import call_points, error_points, population_points

LATENCY_QUANTILES = (0.5, 0.95, 0.99)
OTHER_FIELDS = "__unknown__"


@dataclass(frozen=True)
class Identity:
    """Who reports: the model, and this process since its start."""

    model: str
    version: str
    instance: str
    started_at: float
    ignore: frozenset[str] = field(default_factory=frozenset)

    @property
    def attributes(self) -> Attributes:
        """What every point carries."""
        return (("model.name", self.model), ("model.version", self.version))


class Pipeline:
    """The whole line of one process, driven from outside: `tick`, or its three parts one by one.

    `now` is a time in seconds since 1970 that never falls. Not thread-safe: `absorb`, `status` and
    `snapshot` share state; `deliver` and `tell` may run beside them.
    """

    def __init__(
        self,
        config: Config,
        identity: Identity,
        inbox: Inbox,
        reference: Reference | None,
        deliveries: Sequence[Delivery],
        on_finding: Callable[[Finding], object] | None = None,
    ) -> None:
        self._on_finding = on_finding
        self._turned: deque[Finding] = deque()
        self._left = 0  # calls of the drain under way
        self._due_labels: list[tuple[str, object]] = []
        self._config, self._identity, self._inbox = config, identity, inbox
        self._deliveries = deliveries
        span = Span(config.window_seconds, config.window_rows, config.panes)
        self._span = span
        self._level = Level(config.alpha, 1, config.drift_tolerance, config.min_rows)
        self._calls = CallStats(span, now=identity.started_at)
        self._pending = Pending(config.pending_predictions)
        self._kpis = Kpis(span)
        self._labels: Labels | None = None
        self._next_export = identity.started_at + config.export_interval_seconds
        self._last_time_ns = int(identity.started_at * 1e9)
        self.watched: Watched = Watched(
            reference,
            span,
            level=self._level,
            learn_rows=config.learn_rows,
            deviations=config.outlier_deviations,
            hitters=config.heavy_hitters,
            ignore=identity.ignore,
        )

    def tick(self, now: float) -> None:
        """Take in what waits, and export if it is time to."""
        while self.absorb(now):
            pass
        if self.is_export_due(now):
            self.deliver(self.snapshot(now))
        self.tell()

    def is_export_due(self, now: float) -> bool:
        """Whether the interval since the last export has passed; if so, the next one begins."""
        if now < self._next_export:
            return False
        interval = self._config.export_interval_seconds
        self._next_export += interval * (1 + (now - self._next_export) // interval)
        return True

    def absorb(self, now: float) -> bool:
        """Take in one block of what waited when the drain began; whether more of that is left.

        A drain ends though calls keep coming: else a busy service would never be exported. Its
        labels were taken first, so that the calls they belong to are in it.
        """
        if self._left == 0:
            if self._known_labels() is not None:  # its reference's bins are the errors' buckets
                self._due_labels = self._inbox.labels.take()
            self._left = len(self._inbox.calls)
        entries = self._inbox.calls.take(min(self._left, self._config.block_rows))
        self._left -= len(entries)
        with self._inbox.guard:
            self._calls.update(entries, now=now)
            for run in gather(entries):
                self._take(run, now)
        if self._left == 0:
            self._end_drain(now)
        return self._left > 0

    def _end_drain(self, now: float) -> None:
        due, self._due_labels = self._due_labels, []
        labels = self._known_labels()
        with self._inbox.guard:
            if labels is not None:
                labels.take(due, now=now)
        figures = self._inbox.figures.take()
        with self._inbox.guard:
            self._kpis.take(figures, now=now)
        self._look(now, rows=self._config.look_rows)

    def _look(self, now: float, *, rows: int) -> None:
        """Weigh the evidence of populations that have this many rows more than at the last look."""
        for population in self._populations(now):
            if population.unweighed >= rows:
                with self._inbox.guard:
                    self._turned.extend(population.look(now=now))

    def tell(self) -> None:
        """Give each finding that was raised or cleared to `on_finding`, once; it may be slow.

        May run beside a look, in another thread: taking a finding and adding one are atomic.
        """
        while self._turned:
            finding = self._turned.popleft()
            if self._on_finding is not None:
                with self._inbox.guard:
                    self._on_finding(finding)

    def _take(self, run: Sequence[Entry], now: float) -> None:
        """Take in a run of calls; if one of them cannot be read, the others still can."""
        try:
            rows = rows_of(run)
            remember(self._pending, rows)
            self.watched.take(rows, now=now)
        except Exception as error:  # noqa: BLE001 - ours: the worker goes on
            if len(run) == 1:
                self._inbox.guard.hold(error)
                return
            for entry in run:
                self._take([entry], now)

    def _known_labels(self) -> Labels | None:
        if self._labels is None and self.watched.reference is not None:
            self._labels = Labels(
                self.watched.reference,
                self._pending,
                self._span,
                deviations=self._config.outlier_deviations,
                hitters=self._config.heavy_hitters,
                level=self._level,
            )
        return self._labels

    def settle(self) -> None:
        """Give up waiting, before the last snapshot, for what labels belong to."""
        self._pending.settle()

    def snapshot(self, now: float) -> Snapshot:
        """Every series at `now`; no two snapshots of a process share a time."""
        self._look(now, rows=0)
        self._last_time_ns = max(int(now * 1e9), self._last_time_ns + 1_000_000)
        return Snapshot(
            instance=self._identity.instance,
            service=self._identity.model,
            start_unix_ns=int(self._identity.started_at * 1e9),
            time_unix_ns=self._last_time_ns,
            points=list(self._points(now)),
        )

    def deliver(self, snapshot: Snapshot) -> bool:
        """Send to every destination; whether all took all of it. One's failure is not another's."""
        outcomes = [delivery.send(snapshot) for delivery in self._deliveries]
        return all(outcomes)

    def close(self, *, timeout_seconds: float) -> None:
        """Close every destination."""
        for delivery in self._deliveries:
            delivery.close(timeout_seconds=timeout_seconds)

    @property
    def memory_bytes(self) -> int:
        """What is held at most, as a function of the configuration and the reference."""
        populations = self._populations(self._identity.started_at)
        held = sum(population.memory_bytes for population in populations)
        labels = self._known_labels()
        errors = labels.errors.nbytes if labels is not None else 0
        reference = self.watched.reference.nbytes if self.watched.reference is not None else 0
        calls = self._calls.latency.memory_bytes
        return held + errors + reference + calls + self._pending.memory_bytes

    def _populations(self, now: float) -> Iterator[Population]:
        ready = self.watched.ready(now=now)
        if ready is not None:
            yield ready
        labels = self._known_labels()
        actuals = labels.ready(now=now) if labels is not None else None
        if actuals is not None:
            yield actuals
        yield from self._kpis.populations.values()

    def _points(self, now: float) -> Iterator[Point]:
        identity = self._identity.attributes
        yield from call_points(self._calls, identity)
        for population in self._populations(now):
            yield from population_points(
                population.compared(now=now), identity, deviations=self._config.outlier_deviations
            )
        unknown = self._unknown()
        if unknown:
            known = ("field", OTHER_FIELDS), ("role", "feature"), ("quality", "unseen")
            yield Point(catalog.VALUES, (*identity, *known), sum(unknown.values()))
        yield from label_points(self._label_counts(), identity)
        if self._labels is not None:
            yield from error_points(self._labels.errors, identity)
        if self.watched.reference is not None:
            yield from model_points(self.watched.reference, identity, now=now)
        yield from own_points(
            self._inbox, self._deliveries, identity, memory_bytes=self.memory_bytes
        )

    def _label_counts(self) -> dict[str, int]:
        counts = {status.value: count for status, count in self._pending.counts.items()}
        return counts | {"dropped": self._inbox.labels.dropped}

    def _unknown(self) -> dict[str, int]:
        reader = self.watched.reader
        if reader is None:
            return {}
        return {name or OTHER_FIELDS: count for name, count in reader.unknown.items()}

    def status(self, now: float) -> Status:
        """Everything there is to tell at `now`."""
        self._look(now, rows=0)
        self._calls.latency.advance(now)
        latency = self._calls.latency.view().shapes.digests.quantile(np.array(LATENCY_QUANTILES))[0]
        compared = [population.compared(now=now) for population in self._populations(now)]
        reference, learner = self.watched.reference, self.watched.learner
        return Status(
            model=self._identity.model,
            version=self._identity.version,
            state=self._state(),
            predictions=self._calls.predictions,
            errors=dict(self._calls.errors),
            dropped=self._inbox.calls.dropped_rows() + self._inbox.figures.dropped,
            faults=self._inbox.guard.faults,
            last_fault=self._inbox.guard.last,
            window_rows=compared[0].view.profile.rows if self.watched.population else 0,
            reference_rows=reference.rows if reference is not None else 0,
            is_reference_learned=reference is not None and reference.is_learned,
            learned_rows=learner.learned if learner is not None else 0,
            learn_rows=self._config.learn_rows,
            latency_seconds={
                q: float(x)
                for q, x in zip(LATENCY_QUANTILES, latency, strict=True)
                if x == x  # noqa: PLR0124 - not NaN
            },
            fields=tuple(status for each in compared for status in field_statuses(each)),
            unknown_fields=self._unknown(),
            labels=self._label_counts() | {"waiting": self._pending.waiting},
            performance=self._labels.errors.performance() if self._labels is not None else None,
            training_metrics={} if reference is None else reference.content.training_metrics,
            exports={delivery.name: dict(delivery.outcomes) for delivery in self._deliveries},
            memory_bytes=self.memory_bytes,
            findings=tuple(self._findings(now)),
        )

    def _findings(self, now: float) -> Iterator[Finding]:
        for population in self._populations(now):
            if population.drift is not None:
                yield from population.drift.findings.values()

    def _state(self) -> State:
        if self.watched.learner is None:
            return "watching"
        return "learning" if self.watched.learner.rows else "waiting"
