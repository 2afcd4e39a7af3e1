"""One tick of the pipeline: drain, aggregate, compare, export. It has no threads and no clock."""

import logging
from collections.abc import Sequence

from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_dispatcher import AlertDispatcher
from mlmonitor.compare.incidents.callbacks import NO_CALLBACKS, Callbacks
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.snapshot import ModelSnapshot, build_snapshot
from mlmonitor.compare.traffic import Traffic
from mlmonitor.config import Config
from mlmonitor.drain import Drain
from mlmonitor.export.base import Snapshot
from mlmonitor.export.delivery.delivery import Delivery
from mlmonitor.export.delivery.losses import describe_losses
from mlmonitor.export.preload import load_clients
from mlmonitor.export.series.describer import Describer
from mlmonitor.export.series.identity import Identity
from mlmonitor.gil import yield_gil
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status
from mlmonitor.status.reference_warning import reference_warning
from mlmonitor.status.status import Status
from mlmonitor.verdict.verdict_tracker import VerdictTracker

log: logging.Logger = logging.getLogger("mlmonitor")

_TIE_NS = 1_000_000_000  # within which snapshots in quick succession are kept apart


class Pipeline:
    """The pipeline of one process, driven from outside: by `tick`, or by its three parts in turn.

    `now` is a time in seconds since 1970 that never falls. Not thread-safe: `absorb`, `status` and
    `snapshot` share state; `deliver` and `report_alerts` may run beside them in another thread.
    """

    def __init__(
        self,
        config: Config,
        identity: Identity,
        inbox: Inbox,
        reference: Reference | None,
        deliveries: Sequence[Delivery],
        callbacks: Callbacks = NO_CALLBACKS,
    ) -> None:
        self._alerts = AlertDispatcher(callbacks.on_alert, inbox.guard)
        self._incidents = AlertDispatcher(callbacks.on_incident, inbox.guard, name="on_incident")
        self._verdicts = AlertDispatcher(callbacks.on_verdict, inbox.guard, name="on_verdict")
        self._judged = VerdictTracker(config)
        self._has_warned = False
        self._config, self._identity, self._inbox = config, identity, inbox
        self._deliveries = deliveries
        self._describer = Describer(
            identity.attributes,
            has_segments=bool(identity.declared.segments),
            deviations=config.outlier_deviations,
            max_series=config.max_series,
        )
        self._next_export = identity.started_at + config.export_interval_seconds
        self._last_time_ns = int(identity.started_at * 1e9)
        self._state = ModelState(
            config,
            reference,
            declared=identity.declared,
            started_at=identity.started_at,
        )
        if any(delivery.wants_fine_durations for delivery in deliveries):
            self._state.calls.fine = ExponentialSketch()
        is_kept = any(delivery.keeps_exemplars for delivery in deliveries)
        self._drain = Drain(
            config,
            inbox,
            self._state,
            is_traced=config.enabled and config.exemplars and is_kept,
            evaluate=self._evaluate,
        )

    @property
    def traffic(self) -> Traffic:
        """Features and predictions, and the reference they are compared with."""
        return self._state.traffic

    def tick(self, now: float) -> None:
        """Ingest what waits, and export if it is due."""
        self.catch_up(now)
        if self.is_export_due(now):
            self.deliver(self.snapshot(now))
        self.report_alerts()

    def is_export_due(self, now: float) -> bool:
        """Whether the interval since the last export has passed; if so, the next one begins."""
        if now < self._next_export:
            return False
        interval = self._config.export_interval_seconds
        self._next_export += interval * (1 + (now - self._next_export) // interval)
        return True

    def absorb(self, now: float) -> bool:
        """Ingest one block of the calls that waited when the drain began; return if more wait."""
        return self._drain.absorb(now)

    def catch_up(self, now: float) -> None:
        """Ingest everything that waits now: the rest of a drain under way, then a whole one."""
        self._drain.catch_up(now)

    def _evaluate(self, now: float, *, rows: int = 0, seconds: float = 0.0) -> None:
        """Evaluate what has this many new rows and was last evaluated this long ago."""
        changed: list[Alert] = []
        for due in self._state.due(rows=rows, seconds=seconds, now=now):
            with self._inbox.guard:
                changed += due.evaluate(now=now)
            yield_gil()
        self._alerts.add(changed)
        with self._inbox.guard:
            self._incidents.add(self._state.group_alerts(changed))

    def report_alerts(self) -> None:
        """Call `on_alert`, `on_incident` and `on_verdict` with each change; they may be slow."""
        self._alerts.dispatch()
        self._incidents.dispatch()
        self._verdicts.dispatch()

    def settle(self, now: float) -> None:
        """Count the labels that still wait for a prediction or for a reference; none will arrive.

        Without a reference they are matched and counted, but only pairs add to performance.
        """
        with self._inbox.guard:
            self._state.settle(self._inbox.labels, self._inbox.outcomes, now=now)

    def snapshot(self, now: float, *, wall: float | None = None) -> Snapshot:
        """Every series at `now`, stamped with `wall`, the system's time, or else with `now`.

        The system's time may be set back; each delivery keeps the stamps of its series rising.
        """
        model = self.model_snapshot(now)
        self._warn_of_other_model(model)
        stamp_ns = int((now if wall is None else wall) * 1e9)
        if 0 <= self._last_time_ns - stamp_ns < _TIE_NS:
            stamp_ns = self._last_time_ns + 1_000_000
        self._last_time_ns = stamp_ns
        return Snapshot(
            instance=self._identity.instance,
            service=self._identity.model,
            start_unix_ns=int(self._identity.started_at * 1e9),
            time_unix_ns=self._last_time_ns,
            families=self._describer.describe(model, self._judged.verdict),
            made_unix_ns=int(now * 1e9),
        )

    def model_snapshot(self, now: float) -> ModelSnapshot:
        """Evaluate all populations, and build the one value that everything downstream reads."""
        self._state.begin_comparing(now=now)
        self._evaluate(now)
        snapshot = build_snapshot(
            (self._identity.model, self._identity.version),
            self._state,
            self._inbox,
            {delivery.name: delivery.status(now) for delivery in self._deliveries},
            now=now,
        )
        with self._inbox.guard:
            changed = self._judged.update(snapshot)
            self._verdicts.add([] if changed is None else [changed])
        return snapshot

    def _warn_of_other_model(self, snapshot: ModelSnapshot) -> None:
        """Log once that the reference seems to belong to another model."""
        warning = None if self._has_warned else reference_warning(snapshot)
        if warning is not None:
            self._has_warned = True
            log.warning("%s: %s", self._identity.model, warning)

    def deliver(self, snapshot: Snapshot) -> bool:
        """Send to every destination independently; return whether all accepted everything."""
        outcomes = [delivery.send(snapshot) for delivery in self._deliveries]
        return all(outcomes)

    def load_clients(self) -> None:
        """Import what set-up did not import; may be slow, and blocks forks meanwhile."""
        load_clients([delivery.exporter for delivery in self._deliveries])

    def log_losses(self, rows: int, *, is_delivered: bool) -> None:
        """Log once, at the end, what was recorded and not delivered: rows, and destinations."""
        if is_delivered and rows == 0:
            return
        losses = describe_losses(rows, self._deliveries, is_delivered=is_delivered)
        log.warning("%s: closed with losses: %s", self._identity.model, losses)

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of later sends, as the process is about to end."""
        for delivery in self._deliveries:
            delivery.limit_sends(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Close every destination."""
        for delivery in self._deliveries:
            delivery.close(timeout_seconds=timeout_seconds)

    def measure_memory(self) -> int:
        """Return the upper bound of memory in bytes, given the configuration and the reference.

        Begins comparing, because the sketches to be measured exist only from then on.
        """
        self._state.begin_comparing(now=self._identity.started_at)
        return self._state.memory_bytes

    def status(self, now: float) -> Status:
        """The status at `now`."""
        return build_status(self.model_snapshot(now), self._judged.verdict)
