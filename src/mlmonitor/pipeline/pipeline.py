"""One tick of the pipeline: drain, aggregate, compare, export. It has no threads and no clock."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.compare.traffic import Traffic
from mlmonitor.config import Config
from mlmonitor.export.base import Family, Snapshot
from mlmonitor.export.delivery.delivery import Delivery
from mlmonitor.export.delivery.losses import LATE, describe_losses
from mlmonitor.export.preload import load_clients
from mlmonitor.export.series.identity import Identity
from mlmonitor.gil import yield_gil
from mlmonitor.pipeline.announcements import Announcements, log_notices, open_log
from mlmonitor.pipeline.drain import Drain, Positions
from mlmonitor.pipeline.model_version import MOST_EARLIER, ModelVersion, ProcessCounts
from mlmonitor.reference.reference import Reference
from mlmonitor.status.reference_warning import find_warnings
from mlmonitor.status.status import Status

if TYPE_CHECKING:
    from mlmonitor.events.sinks.event_sink import EventDestination
    from mlmonitor.notify.cloudevents import Notice

log: logging.Logger = logging.getLogger("mlmonitor")

_TIE_NS = 1_000_000_000  # snapshots closer than this get distinct timestamps


class Pipeline:
    """The pipeline of one process, driven from outside by `tick` or by its single steps.

    `now`, in seconds since 1970, never decreases. Not thread-safe: `absorb`, `status` and
    `snapshot` share state; `deliver` and `report_alerts` may run in another thread meanwhile.
    """

    def __init__(  # noqa: PLR0913 - everything that it connects
        self,
        config: Config,
        identity: Identity,
        inbox: Inbox,
        reference: Reference | None,
        deliveries: Sequence[Delivery],
        announcements: Announcements | None = None,
        *,
        events: "EventDestination | None" = None,
    ) -> None:
        self._announcements = announcements or Announcements.silent(inbox.guard)
        self._config, self._inbox, self._deliveries = config, inbox, deliveries
        self._is_ending, self._warned, self._started_at = False, set[str](), identity.started_at
        self._next_export = identity.started_at + config.export_interval_seconds
        self._last_time_ns = int(identity.started_at * 1e9)
        self._events = open_log(events, identity, inbox, config)
        self._version = self._begin_version(identity, reference, now=identity.started_at)
        self._earlier: list[ModelVersion] = []
        self._drain = self._begin_drain({})

    def _begin_version(
        self, identity: Identity, reference: Reference | None, *, now: float
    ) -> ModelVersion:
        keeps_rows = self._events is not None
        return ModelVersion.begin(
            self._config, identity, reference, self._deliveries, now=now, keeps_rows=keeps_rows
        )

    def _begin_drain(self, positions: Positions) -> Drain:
        is_kept = any(delivery.keeps_exemplars for delivery in self._deliveries)
        is_traced = (self._config.exemplars and is_kept) or self._events is not None
        return Drain(
            self._config,
            self._inbox,
            (self._version, *self._earlier),
            is_traced=self._config.enabled and is_traced,
            evaluate=self._evaluate,
            positions=positions,
            events=self._events,
        )

    @property
    def state(self) -> ModelState:
        """Everything observed about the version in use."""
        return self._version.state

    @property
    def _identity(self) -> Identity:
        return self._version.identity

    def adopt(
        self,
        identity: Identity,
        reference: Reference | None,
        positions: Positions,
        *,
        now: float,
    ) -> None:
        """Replace the version in use, which keeps the predictions that wait for their labels.

        positions: new names of positional features, by the names with which calls are recorded.
        """
        old = self._version
        own = replace(identity, instance=old.identity.instance, started_at=self._started_at)
        version = self._begin_version(own, reference, now=now)
        version.state.begin_comparing(now=now)
        self.catch_up(now)
        last = self.model_snapshot(now)
        self.report([replace(alert, state="resolved") for alert in last.alerts], now)
        old.after = version.before = ProcessCounts.read(last)
        for entry in (waiting := old.state.retire(now=now)):
            self._inbox.labels.put(entry)
        if self._events is not None:
            self._events.adopt(own, sum(len(entry.ids) for entry in waiting))
        self._earlier[:] = [old, *self._earlier][:MOST_EARLIER]
        self._version, self._warned = version, set()
        self._drain = self._begin_drain(positions)

    @property
    def traffic(self) -> Traffic:
        """The features and predictions of the version in use, and their reference."""
        return self.state.traffic

    def tick(self, now: float) -> None:
        """Ingest everything that waits, and export if an export is due."""
        self.catch_up(now)
        if self.is_export_due(now):
            self.deliver(self.snapshot(now))
        self.report_alerts()

    def is_export_due(self, now: float) -> bool:
        """Whether the export interval has passed; if so, start the next interval."""
        if now < self._next_export:
            return False
        interval = self._config.export_interval_seconds
        self._next_export += interval * (1 + (now - self._next_export) // interval)
        return True

    def absorb(self, now: float) -> bool:
        """Ingest one block of the current drain; return whether more calls of this drain wait."""
        return self._drain.absorb(now)

    def catch_up(self, now: float) -> None:
        """Ingest everything that waits now: finish the current drain, then run a whole one."""
        self._drain.catch_up(now)

    def _evaluate(self, now: float, *, rows: int = 0, seconds: float = 0.0) -> None:
        """Evaluate parts with at least `rows` new rows, last evaluated at least `seconds` ago."""
        changed: list[Alert] = []
        for due in self.state.due(rows=rows, seconds=seconds, now=now):
            with self._inbox.guard:
                changed += due.evaluate(now=now)
            yield_gil()
        self.report(changed, now)
        self._announce(self._version.drain_decided(), now)

    def report(self, changed: list[Alert], now: float) -> None:
        """Announce alerts that fired or resolved, and their incidents."""
        self._announce(changed, now)
        with self._inbox.guard:
            self._announce(self.state.group_alerts(changed), now)
            log_notices(self._events, self.state.incidents.drain_renamed(), now=now)

    def _announce(self, notices: "Sequence[Notice]", now: float) -> None:
        """Queue changes for callbacks, webhooks and the event log."""
        self._announcements.add(notices, version=self._version.name, now=now)
        log_notices(self._events, notices, now=now)

    def report_alerts(self) -> None:
        """Call the callbacks with each change, which may be slow, and hand events to webhooks."""
        self._announcements.dispatch()
        if self._events is not None:
            self._events.poll()

    def settle(self, now: float) -> None:
        """Count the labels that still wait for a prediction or a reference, which will not arrive.

        Without a reference, labels are counted, but only `record_outcomes` adds to performance.
        """
        self._is_ending = True
        self._drain.settle(now)

    def evaluate(self, now: float) -> None:
        """Evaluate all evidence now, so that events are flushed with the alerts that follow."""
        self.state.begin_comparing(now=now)
        self._evaluate(now)

    def flush_events(self, timeout_seconds: float) -> bool:
        """Deliver the waiting events; return whether all were delivered in time."""
        return self._events is None or self._events.flush(timeout_seconds)

    def snapshot(self, now: float, *, wall: float | None = None) -> Snapshot:
        """Return every series at `now`, stamped with the system time `wall` or, without it, `now`.

        The system time may be set back; each delivery makes the timestamps of its series increase.
        """
        model = self.model_snapshot(now)
        self._log_warnings(model)
        stamp_ns = int((now if wall is None else wall) * 1e9)
        if 0 <= self._last_time_ns - stamp_ns < _TIE_NS:
            stamp_ns = self._last_time_ns + 1_000_000
        self._last_time_ns = stamp_ns
        return Snapshot(
            instance=self._identity.instance,
            service=self._identity.model,
            start_unix_ns=int(self._started_at * 1e9),
            time_unix_ns=self._last_time_ns,
            families=self._describe(model),
            made_unix_ns=int(now * 1e9),
        )

    def model_snapshot(self, now: float, *, with_history: bool = False) -> ModelSnapshot:
        """Evaluate all populations, and build the one value that everything downstream reads."""
        self.state.begin_comparing(now=now)
        self._evaluate(now)
        destinations = {delivery.name: delivery.status(now) for delivery in self._deliveries}
        snapshot = self._version.snapshot(
            self._inbox, destinations, now=now, with_history=with_history
        )
        with self._inbox.guard:
            changed = self._version.judged.update(snapshot)
            self._announce([] if changed is None else [changed], now)
        return snapshot if self._events is None else replace(snapshot, events=self._events.status())

    def _describe(self, model: ModelSnapshot) -> list[Family]:
        """Describe the version in use, and what late labels have changed in earlier ones."""
        families = self._version.describe(model)
        families += self._version.describe_resources(self._inbox.guard)
        for version in self._earlier:
            earlier = version.snapshot(self._inbox, model.destinations, now=model.time)
            families += version.describe(replace(earlier, events=model.events))
        return families

    def _log_warnings(self, snapshot: ModelSnapshot) -> None:
        """Log each warning about the set-up once."""
        for option, warning in find_warnings(snapshot).items():
            if option not in self._warned:
                self._warned.add(option)
                log.warning("%s: %s", self._identity.model, warning)

    def deliver(self, snapshot: Snapshot) -> bool:
        """Send to every destination independently; return whether all accepted everything.

        The last export of a process also waits for the webhooks, until `close` ends the wait.
        """
        outcomes = [delivery.send(snapshot) for delivery in self._deliveries]
        if self._is_ending:
            seconds = self._config.exit_wait_seconds
            outcomes.append(self._announcements.finish(timeout_seconds=seconds))
        return all(outcomes)

    def load_clients(self) -> None:
        """Import the client libraries of exporters; may be slow, and blocks forks meanwhile."""
        load_clients([delivery.exporter for delivery in self._deliveries])

    def log_losses(self, rows: int, *, is_delivered: bool) -> None:
        """Log at the end how many recorded rows were lost, and which destinations failed."""
        events = None if self._events is None else self._events.status()
        sent = self._announcements.status()
        losses = describe_losses(rows, self._deliveries, events, sent, is_delivered=is_delivered)
        log.warning("%s: closed with losses: %s", self._identity.model, losses)

    def log_late(self) -> None:
        """Log that rows, labels or figures arrived after the monitor was closed."""
        log.warning("%s: %s", self._identity.model, LATE)

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of later sends, because the process is about to end."""
        for delivery in self._deliveries:
            delivery.limit_sends(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Close every destination, and stop sending events."""
        self._announcements.close()
        if self._events is not None:
            self._events.close(timeout_seconds)
        for delivery in self._deliveries:
            delivery.close(timeout_seconds=timeout_seconds)

    def measure_memory(self) -> int:
        """Return the upper bound of memory in bytes, given the configuration and the reference.

        This starts comparing, because the sketches to measure exist only from then on.
        """
        self.state.begin_comparing(now=self._started_at)
        return sum(version.memory_bytes for version in (self._version, *self._earlier))

    def status(self, now: float) -> Status:
        """Evaluate all evidence; return the status at `now`."""
        return self.read(now)[1]

    def read(self, now: float, *, with_history: bool = False) -> tuple[ModelSnapshot, Status]:
        """Evaluate all evidence; return the snapshot at `now`, and its status."""
        snapshot = self.model_snapshot(now, with_history=with_history)
        earlier = tuple(version.summarise(now=now) for version in self._earlier)
        status, notifications = self._version.status(snapshot), self._announcements.status()
        return snapshot, replace(status, earlier=earlier, notifications=notifications)
