"""One version of a model within a process, in use or replaced by a newer one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.compare.drift.row_dependence import find_group_column
from mlmonitor.compare.estimated.estimator import estimates_by_period
from mlmonitor.compare.event_status import EventStatus
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.snapshot import ExportStatus, ModelSnapshot
from mlmonitor.compare.snapshot_building import build_snapshot
from mlmonitor.config import Config
from mlmonitor.export.base import Family
from mlmonitor.export.delivery.delivery import Delivery
from mlmonitor.export.opentelemetry.resource_figures import ResourceFigures
from mlmonitor.export.series.describer import Describer
from mlmonitor.export.series.identity import Identity
from mlmonitor.forks import hold_forks
from mlmonitor.gil import yield_gil
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status
from mlmonitor.status.status import EarlierVersion, Status
from mlmonitor.verdict.verdict_tracker import VerdictTracker

if TYPE_CHECKING:
    from mlmonitor.challenge.challenge_set import ChallengeSet
    from mlmonitor.challenge.challenge_status import ChallengeStatus

MOST_EARLIER = 2
"""Replaced versions that are kept for the labels of their predictions; older ones are dropped."""

_KEPT_GAUGES = frozenset(
    {catalog.PERFORMANCE.name, catalog.ERROR_SIGNED.name, catalog.ACTUAL.name}
    | {catalog.MATURITY.name}
)
"""Gauges that late labels still change; the others describe traffic, which has ended."""


class ProcessCounts(NamedTuple):
    """Counts that belong to the process and not to a version, at one moment."""

    dropped: int = 0
    internal_errors: int = 0
    dropped_labels: int = 0
    outcomes: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    events: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def read(cls, snapshot: ModelSnapshot) -> "ProcessCounts":
        """Read the counts that a snapshot holds."""
        return cls(
            snapshot.health.dropped,
            snapshot.health.internal_errors,
            snapshot.labels.counts.get("dropped", 0),
            {name: dict(export.outcomes) for name, export in snapshot.destinations.items()},
            {} if snapshot.events is None else snapshot.events.outcomes,
        )

    def within(self, snapshot: ModelSnapshot, until: "ProcessCounts | None") -> ModelSnapshot:
        """Return the snapshot with its counts limited to those from this moment to `until`."""
        total = ProcessCounts.read(snapshot) if until is None else until
        health = replace(
            snapshot.health,
            dropped=total.dropped - self.dropped,
            internal_errors=total.internal_errors - self.internal_errors,
        )
        labels = {
            **snapshot.labels.counts,
            "dropped": total.dropped_labels - self.dropped_labels,
        }
        return replace(
            snapshot,
            health=health,
            events=self._subtract_events(snapshot.events, total),
            labels=replace(snapshot.labels, counts=MappingProxyType(labels)),
            destinations=MappingProxyType(
                {
                    name: self._subtract_export(name, export, total)
                    for name, export in snapshot.destinations.items()
                }
            ),
        )

    def _subtract_events(
        self, events: EventStatus | None, total: "ProcessCounts"
    ) -> EventStatus | None:
        if events is None:
            return None
        counts = {
            outcome: count - self.events.get(outcome, 0) for outcome, count in total.events.items()
        }
        return replace(
            events,
            delivered=counts.get("delivered", 0),
            dropped=counts.get("dropped", 0),
            refused=counts.get("refused", 0),
        )

    def _subtract_export(
        self, name: str, export: ExportStatus, total: "ProcessCounts"
    ) -> ExportStatus:
        before, after = self.outcomes.get(name, {}), total.outcomes.get(name, {})
        outcomes = {outcome: count - before.get(outcome, 0) for outcome, count in after.items()}
        return replace(export, outcomes=outcomes)


@dataclass(eq=False)
class ModelVersion:
    """The aggregates, the series and the verdict of one version.

    challenges: comparisons with challengers. before: the counts of the process when this version
    began. after: the counts when it was replaced; None while it is in use.
    """

    identity: Identity
    state: ModelState
    describer: Describer
    judged: VerdictTracker
    challenges: "ChallengeSet | None"
    before: ProcessCounts = field(default_factory=ProcessCounts)
    after: ProcessCounts | None = None
    began_at: float = 0.0
    resources: ResourceFigures | None = None

    @classmethod
    def begin(
        cls,
        config: Config,
        identity: Identity,
        reference: Reference | None,
        deliveries: Sequence[Delivery],
        *,
        now: float,
        keeps_rows: bool = False,
    ) -> "ModelVersion":
        """Begin a version at `now`, with all counts at zero; an event log needs `keeps_rows`."""
        describer = Describer(
            identity.attributes,
            has_segments=bool(identity.declared.segments),
            deviations=config.outlier_deviations,
            max_series=config.max_series,
        )
        state = ModelState(
            config,
            reference,
            declared=identity.declared,
            started_at=now,
            keeps_rows=keeps_rows,
        )
        if any(delivery.wants_fine_durations for delivery in deliveries):
            state.calls.fine = ExponentialSketch()
        has_resources = config.enabled and config.resources
        resources = ResourceFigures(identity.attributes) if has_resources else None
        challenges = _begin_challenges(identity, reference)
        judged = VerdictTracker(config)
        return cls(
            identity, state, describer, judged, challenges, began_at=now, resources=resources
        )

    @property
    def name(self) -> str:
        """The version's label."""
        return self.identity.version

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes, which depends on the configuration and the reference alone."""
        own = 0 if self.challenges is None else self.challenges.memory_bytes
        return self.state.memory_bytes + own

    def snapshot(
        self,
        inbox: Inbox,
        destinations: Mapping[str, ExportStatus],
        *,
        now: float,
        with_history: bool = False,
    ) -> ModelSnapshot:
        """Build the snapshot of this version; `with_history` adds the slices of its windows."""
        named = self.identity.model, self.identity.version
        snapshot = build_snapshot(
            named, self.state, inbox, destinations, now=now, with_history=with_history
        )
        yield_gil()
        return replace(snapshot, memory_bytes=self.memory_bytes) if self.challenges else snapshot

    def status(self, snapshot: ModelSnapshot) -> Status:
        """Build the status of this version from its snapshot."""
        status = build_status(snapshot, self.judged.verdict)
        if self.challenges is None:
            return status
        return replace(status, challenges=self.challenges.statuses())

    def drain_decided(self) -> "list[ChallengeStatus]":
        """Return the challenges that were decided since the last call."""
        return [] if self.challenges is None else self.challenges.drain_decided()

    def describe(self, snapshot: ModelSnapshot) -> list[Family]:
        """Describe this version's snapshot as series; counters start at zero with the version."""
        own = self.before.within(snapshot, self.after)
        challenges = {} if self.challenges is None else self.challenges.statuses()
        families = self.describer.describe(own, self.judged.verdict, challenges)
        if self.after is None:
            return families
        return [
            family
            for family in families
            if family.metric.kind != "gauge" or family.metric.name in _KEPT_GAUGES
        ]

    def describe_resources(self, guard: Guard) -> list[Family]:
        """Read the resource figures of the process now, if they are enabled.

        An exception is counted by `guard`; the series of the model are then sent without them.
        """
        families: list[Family] = []
        with guard:
            families += [] if self.resources is None else self.resources.families()
        return families

    def claim(self, entries: Sequence[LabelEntry], *, now: float) -> list[LabelEntry]:
        """Match the labels of this version's predictions; return the others."""
        self.state.pending.expire(now=now)
        if self.challenges is not None:
            self.challenges.ingest_labels(entries)
        own, others = split_labels(entries, self.state)
        if own and self.state.labels is not None:
            self.state.labels.match(own, now=now)
        return others

    def summarise(self, *, now: float) -> EarlierVersion:
        """Return the counts and the performance of this version, for people to read."""
        labels = self.state.labels
        tracker = None if labels is None else labels.tracker
        counts = {status.value: count for status, count in self.state.pending.counts.items()}
        estimated = estimates_by_period(self.state.traffic.estimator)
        return EarlierVersion(
            version=self.name,
            predictions=self.state.calls.predictions,
            labels={name: count for name, count in counts.items() if count},
            performance=None if tracker is None else tracker.performance() or None,
            cohorts=() if tracker is None else tracker.cohorts(now=now, estimated=estimated),
        )


def _begin_challenges(identity: Identity, reference: Reference | None) -> "ChallengeSet | None":
    """Begin the declared challenges; without any, return None and import nothing."""
    challengers = identity.declared.challengers
    if not challengers:
        return None
    with hold_forks():
        from mlmonitor.challenge.challenge_set import ChallengeSet

    groups = find_group_column(reference, identity.declared.groups)
    return ChallengeSet(challengers, champion=identity.version, groups=groups, reference=reference)


def split_labels(
    entries: Sequence[LabelEntry], state: ModelState
) -> tuple[list[LabelEntry], list[LabelEntry]]:
    """Split labels into those of predictions that a state holds, and all others."""
    own, others = [], []
    for entry in entries:
        is_own = state.pending.find(entry.ids)
        if is_own.all():
            own.append(entry)
        elif not is_own.any():
            others.append(entry)
        else:
            own.append(entry.rows(np.flatnonzero(is_own)))
            others.append(entry.rows(np.flatnonzero(~is_own)))
    return own, others


def was_predicted_before(outcomes: OutcomeEntry | RankingEntry, moment: float) -> bool:
    """Whether all pairs have a prediction time, and all times are before this moment."""
    times = outcomes.predicted_at
    return bool(len(times)) and bool((times < moment).all())
