"""Monitor: the object that users work with."""

import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Self

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.host.host_capture import HostCapture
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.config import Config
from mlmonitor.environment.argument_checks import read_timeout
from mlmonitor.forks import PerProcess, hold_forks
from mlmonitor.monitor.adoption import Adoption
from mlmonitor.monitor.feedback import Feedback
from mlmonitor.monitor.prediction_recording import Recording
from mlmonitor.monitor.presenting import Presenting
from mlmonitor.monitor.profile_exchange import ProfileExchange
from mlmonitor.records import Challenger, Field, Kind, Kpi, Metric, Objective
from mlmonitor.worker.wall_clock import Clock, ProcessClock

if TYPE_CHECKING:
    from mlmonitor.challenge.challenge_status import ChallengeStatus
    from mlmonitor.compare.alerts.alert import Alert
    from mlmonitor.compare.incidents.incident import Incident
    from mlmonitor.events.sinks.event_sink import EventDestination
    from mlmonitor.export.base import Exporter
    from mlmonitor.notify.webhook import Webhook
    from mlmonitor.pipeline.pipeline import Pipeline
    from mlmonitor.reference.reference import Reference
    from mlmonitor.status.status import Status
    from mlmonitor.verdict.verdict import Verdict
    from mlmonitor.worker.worker import Worker


def _load_parts() -> None:
    """Import what a monitor needs to be created, so that importing this module is cheap."""
    with hold_forks():
        for name in ("options", "pipeline.pipeline", "worker.worker"):
            import_module(f"mlmonitor.{name}")


class Monitor(PerProcess, Recording, Feedback, Adoption, Presenting, ProfileExchange):
    """Watches one model from inside its service.

    Promise: the service's results are never changed, delayed by waiting, or made to fail; memory is
        bounded by `memory_bytes`, the buffer, and the rows a reference is learned from; every
        recorded row is counted, readable or not. One daemon thread exports; the first record
        starts it.
    Price: in the calling thread, about half the time of a Prometheus `Histogram.observe`
        (`make bench`).

    Args:
        model: the model's name, on every metric.
        version: the model's version, on every metric.
        reference: what the model was trained on, or the path it was saved to. Without one, the
            first `Config.baseline_rows` rows become the reference.
        exporters: where snapshots go. If not given, the standard `OTEL_EXPORTER_OTLP_*` variables
            decide; without them nothing is sent, and `status()` still reports everything.
        features: names of the positions, for rows that are sequences or arrays. If not given, they
            are the reference's features in its order.
        ignore: features to leave out, such as ids, even if the reference has them; an ignored
            feature can still be one of `segments`. `status()` lists names that never occurred.
        fields: rules that values must keep, such as `Field("age", minimum=0)`.
        schema: kinds that are declared, not inferred, when the reference is learned, such as
            `{"comment": "text"}`.
        segments: features whose values split the traffic: everything is then counted, compared and
            exported for each segment as well, against the same segment of the reference, which
            must be made with the same `segments`. A learned reference learns its segments as well.
        groups: the column that names the group of a row, such as `customer_id`, which is then not a
            feature: rows of one group are less evidence than as many independent rows. By default
            the column of the reference, which should be made with the same `groups`.
        buckets: edges between buckets of numeric features, such as `{"amount": [1_000, 10_000]}`;
            performance is computed for each bucket, and for buckets of the prediction.
        metrics: measures of your own, such as `Metric("within_10_percent", function)`.
        objectives: bounds that fire an alert when broken, such as `Objective("mae", maximum=900)`.
        kpis: business figures computed from rows in the worker, such as `Kpi("savings", lambda
            rows: rows["claimed_amount"] - rows["prediction"], unit="EUR")`.
        challengers: other versions of the model that are compared with this one on the same
            traffic, such as `[Challenger("8", loss="absolute")]`; see `record_challenger`.
        on_alert, on_incident: called in the worker, once when an alert or an incident (alerts that
            belong together) begins and once when it ends; their exceptions are counted.
        on_verdict: called in the worker when the verdict changes between keeping, recalibrating and
            retraining the model.
        on_challenge: called in the worker, once when a challenge is decided.
        events: where every prediction, label, alert and verdict is sent as an event: `Kafka(...)`,
            `Postgres(...)` or `Files(...)`.
        notify: webhooks for the same changes, such as `[Webhook("https://...", secret="...")]`.
        config: tuning. `MLMONITOR_*` variables override it; `OTEL_SDK_DISABLED=true` switches
            everything off.
        clock: returns seconds since 1970, for tests. Its time must never decrease.

    Raises:
        ConfigError: an option or a variable is wrong.
        FormatError, OSError: the reference's file is damaged, or cannot be read.
    """

    def __init__(  # noqa: PLR0913 - all by keyword
        self,
        model: str,
        *,
        version: str = "",
        reference: "Reference | str | PathLike[str] | None" = None,
        exporters: "Sequence[Exporter] | None" = None,
        features: Sequence[str] = (),
        ignore: Sequence[str] = (),
        fields: Sequence[Field] = (),
        schema: Mapping[str, Kind | str] | None = None,
        segments: Sequence[str] = (),
        groups: str | None = None,
        buckets: Mapping[str, Sequence[float]] | None = None,
        metrics: Sequence[Metric] = (),
        objectives: Sequence[Objective] = (),
        kpis: Sequence[Kpi] = (),
        challengers: Sequence[Challenger] = (),
        on_alert: "Callable[[Alert], object] | None" = None,
        on_incident: "Callable[[Incident], object] | None" = None,
        on_verdict: "Callable[[Verdict], object] | None" = None,
        on_challenge: "Callable[[ChallengeStatus], object] | None" = None,
        events: "EventDestination | None" = None,
        notify: "Sequence[Webhook]" = (),
        config: Config | None = None,
        clock: Clock | None = None,
    ) -> None:
        _load_parts()
        from mlmonitor import options
        from mlmonitor.compare import declarations
        from mlmonitor.export.series.identity import Identity

        options.check_model(model)
        self.config: Config = options.resolve_config(config, os.environ)
        self._clock = options.check_clock(clock) or ProcessClock()
        self._callbacks = options.check_callbacks(on_alert, on_incident, on_verdict, on_challenge)
        self._notify = options.resolve_notify(notify)
        self._reference = options.resolve_reference(reference)
        is_on = self.config.enabled
        self._exporters = options.resolve_exporters(exporters, os.environ, is_enabled=is_on)
        self._declare = partial(
            declarations.build_declared,
            config=self.config,
            ignore=ignore,
            segments=segments,
            schema=schema,
            fields=fields,
            buckets=declarations.check_buckets(buckets),
            metrics=declarations.check_metrics(metrics),
            objectives=objectives,
            kpis=kpis,
            groups=groups,
            challengers=declarations.check_challengers(challengers, version),
        )
        named = declarations.check_names("features", features)
        names = options.choose_positions(named, self._reference)
        identity = Identity(str(model), str(version or ""), declared=self._declare(self._reference))
        self._begin_adoption(identity, None if named else names)
        self._events = options.check_events(events, self._reference, self.config)
        self._begin_capture(names)

    def _make_worker(self) -> "Worker":
        from mlmonitor.worker.worker import Worker

        return Worker(self._new_pipeline, self._reference, self._inbox, self.config, self._clock)

    def _begin_capture(self, names: tuple[str, ...]) -> None:
        """Create the worker and the host's side; `names` are those of positional features."""
        from mlmonitor import options

        self._inbox = Inbox(self.config.buffer_rows, self.config.pending_predictions)
        self._worker = self._make_worker()
        inbox, schema = self._inbox, self._identity.declared.schema
        recorder = Recorder(
            line=inbox.calls,
            clock=time.perf_counter_ns,
            new_id=self._new_id,
            name_late=inbox.name_late,
            guard=inbox.guard,
            copiers=options.choose_copiers(schema),
            plain_row=None if options.has_vectors(schema) else dict,
            attribute=self._record_attributions if self.config.enabled else None,
        )
        self._servers = []
        self._capture = HostCapture(recorder, names, self.config)
        self._block, self._plain = self._capture.observation_class, self._capture.shapes.plain

    @property
    def reference(self) -> "Reference | None":
        """The reference in use; None until one has been given or learned."""
        return self._worker.pipeline.traffic.reference

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes of the aggregates and the reference, without waiting rows."""
        return self._worker.memory_bytes

    def status(self) -> "Status":
        """Return the state of the model, with everything recorded before this call."""
        from mlmonitor.status.status import Status

        if not self.config.enabled:
            return Status(self._identity.model, self._identity.version, "disabled")
        return self._worker.status()

    def flush(self, *, timeout_seconds: float = 2.0) -> bool:
        """Export everything recorded so far; return whether all destinations accepted it in time.

        Called in `on_alert` or `on_incident`, it returns False immediately: the export follows.
        """
        seconds = read_timeout(timeout_seconds)
        return self._worker.flush(timeout_seconds=seconds) if self.config.enabled else True

    def close(self, *, timeout_seconds: float | None = None) -> bool:
        """Export a last time and stop; return whether all rows were exported and accepted.

        timeout_seconds: if None, 2 in a service, and `Config.exit_wait_seconds` in a process that
        used `record`. Losses are counted and logged. Rows that are recorded later are dropped, and
        counted in `status().dropped`. Called in `on_alert` or `on_incident`, it returns False
        immediately: the last export follows the callback.
        """
        seconds = None if timeout_seconds is None else read_timeout(timeout_seconds)
        self._stop_serving()
        return self._worker.close(timeout_seconds=seconds) if self.config.enabled else True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Monitor({self._identity.model!r}, version={self._identity.version!r})"

    def _new_pipeline(self, started_at: float, reference: "Reference | None") -> "Pipeline":
        """Build the pipeline of this process, with all counts at zero."""
        from mlmonitor.export.delivery.delivery import name_deliveries
        from mlmonitor.pipeline.announcements import Announcements
        from mlmonitor.pipeline.pipeline import Pipeline

        identity = replace(self._identity, instance=str(uuid.uuid4()), started_at=started_at)
        deliveries = name_deliveries(self._exporters)
        inbox, webhooks = self._inbox, self._notify if self.config.enabled else ()
        return Pipeline(
            self.config,
            identity,
            inbox,
            reference,
            deliveries,
            Announcements(self._callbacks, inbox.guard, webhooks, identity.model),
            events=self._events,
        )
