"""Builds the snapshot of a model, which everything downstream reads."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.outcomes.row_losses import to_measure
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.estimated.estimator import estimates_by_period
from mlmonitor.compare.figures.attributions import AttributionsSnapshot
from mlmonitor.compare.incidents.incident import DATA_FAULTS, Incident
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.performance.tracker import SEGMENT
from mlmonitor.compare.population import Population
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.risk.risk_alerts import RiskAlerts
from mlmonitor.compare.snapshot import (
    ExportStatus,
    LabelsSnapshot,
    Learning,
    ModelSnapshot,
    MonitoringHealth,
    Phase,
    ReferenceInfo,
    SeasonInfo,
    SegmentSnapshot,
    TrainingInfo,
)
from mlmonitor.compare.traffic import Traffic
from mlmonitor.gil import yield_gil
from mlmonitor.records import Role
from mlmonitor.reference.reference import Reference

_NO_DRIFT = (Role.SERVICE, Role.PERFORMANCE, Role.KPI)


def build_snapshot(
    identity: tuple[str, str],
    state: ModelState,
    inbox: Inbox,
    destinations: Mapping[str, ExportStatus],
    *,
    now: float,
    with_history: bool = False,
) -> ModelSnapshot:
    """Build the snapshot of a model at `now`; `identity` is its name and version.

    with_history: whether populations include each slice of their window, for pages.
    """
    snap = partial(Population.snapshot, now=now, with_history=with_history)
    traffic, population = state.traffic, state.traffic.population
    rules = None if population is None else population.rules
    model, version = identity
    return ModelSnapshot(
        model=model,
        version=version,
        time=now,
        rows_at=traffic.row_clock.read(now),
        learning=_describe_learning(traffic),
        reference=None
        if traffic.reference is None
        else _describe_reference(traffic.reference, now),
        calls=state.service.snapshot(now=now),
        traffic=None if population is None else snap(population),
        actuals=None if state.actuals is None else snap(state.actuals),
        kpis=tuple(map(snap, state.kpis.populations.values())),
        kpi_units=MappingProxyType(dict(state.kpis.units)),
        kpi_failures=MappingProxyType(dict(state.kpis.failures)),
        attributions=_build_attributions(state, snap, now),
        segments=_build_segments(state, snap),
        labels=_build_labels(state, inbox, now),
        unknown_fields=MappingProxyType(traffic.unknown_fields),
        unused_ignores=traffic.unused_ignores,
        group_hints=traffic.group_hints,
        absent_columns=traffic.declared_columns.absent,
        column_warning=traffic.declared_columns.warning(),
        unmatched_rules=() if rules is None else rules.unmatched_rules,
        health=MonitoringHealth(
            dropped=inbox.calls.dropped_rows()
            + sum(q.dropped for q in (inbox.figures, inbox.attributions, inbox.challengers)),
            internal_errors=inbox.guard.internal_errors,
            last_error=inbox.guard.last,
        ),
        destinations=MappingProxyType(dict(destinations)),
        memory_bytes=state.memory_bytes,
        objectives=state.service.objectives.statuses(now=now),
        objective_alerts=state.service.objectives.alerts(now=now),
        incidents=tuple(_with_harm(incident, state.risk) for incident in state.incidents.incidents),
    )


def _build_attributions(
    state: ModelState, snap: Callable[[Population], PopulationSnapshot], now: float
) -> AttributionsSnapshot | None:
    population = state.attributions.population
    return None if population is None else state.attributions.snapshot(snap(population), now=now)


def _describe_learning(traffic: Traffic) -> Learning:
    learner = traffic.learner
    if learner is None:
        return Learning("watching", 0, traffic.baseline_rows)
    phase: Phase = "learning" if learner.rows else "waiting"
    return Learning(phase, learner.learned, traffic.baseline_rows)


def _describe_reference(reference: Reference, now: float) -> ReferenceInfo:
    season, info, content = reference.season, None, reference.content
    if season is not None:
        info = SeasonInfo(season.name, season.at(now), season.count, season.timezone)
    return ReferenceInfo(
        rows=reference.rows,
        is_learned=reference.is_learned,
        trained_at=reference.trained_at,
        training_metrics=MappingProxyType(dict(content.training_metrics)),
        losses=MappingProxyType({e.measure: to_measure(e.measure, e.mean) for e in content.losses}),
        training=TrainingInfo(
            content.training_seconds, content.training_rows, content.parent_version
        ),
        season=info,
        season_search=reference.content.season_search,
        importances=MappingProxyType(dict(reference.content.importances)),
    )


def _build_segments(
    state: ModelState, snap: Callable[[Population], PopulationSnapshot]
) -> tuple[SegmentSnapshot, ...]:
    comparing, labels = state.traffic.comparing, state.labels
    if comparing is None or comparing.segmentation is None:
        return ()
    tally = comparing.segmentation.tally
    rows = [segment.rows for segment in comparing.reference.content.segments]
    tracker = None if labels is None else labels.tracker
    performances = {} if tracker is None else tracker.performance().by(SEGMENT)
    segments = []
    for place, name in enumerate(tally.names):
        segments.append(
            SegmentSnapshot(
                name=name,
                predictions=int(tally.predictions[place]),
                failed=int(tally.failed[place]),
                reference_rows=rows[place] if place < len(rows) else 0,
                populations=tuple(map(snap, state.segment(place))),
                errors=None if labels is None else _copy(labels.segment_errors[place]),
                performance=performances.get(name),
            )
        )
        yield_gil()
    return tuple(segments)


def _build_labels(state: ModelState, inbox: Inbox, now: float) -> LabelsSnapshot:
    """Build the snapshot of labels; those in the inbox of a learning model count as waiting."""
    yield_gil()
    counts = {status.value: count for status, count in state.pending.counts.items()}
    counts["dropped"] = sum(q.dropped for q in (inbox.labels, inbox.late, inbox.outcomes))
    waiting = len(inbox.labels) if state.labels is None else 0
    tracker = None if state.labels is None else state.labels.tracker
    performance = None if tracker is None else tracker.performance()
    fault = None if state.risk is None else state.risk.faults.label_fault
    estimator = state.traffic.estimator
    if estimator is not None:
        estimator.advance(now)
    return LabelsSnapshot(
        counts=MappingProxyType(counts),
        waiting=state.pending.waiting + waiting,
        evicted=state.pending.evicted,
        errors=None if state.labels is None else _copy(state.labels.errors),
        performance=performance,
        estimated=None
        if estimator is None
        else estimator.performance(performance, trusts_labels=fault is None),
        cohorts=()
        if tracker is None
        else tracker.cohorts(now=now, estimated=estimates_by_period(estimator)),
        selection=None if tracker is None else tracker.selection(now=now),
        risks={} if state.risk is None else state.risk.risks,
        fault=fault,
        alerts=tuple(
            alert
            for part in (state.risk, state.estimates)
            if part is not None
            for alert in part.alerts
        ),
    )


def _copy(errors: ErrorSums) -> ErrorSums:
    (copied := ErrorSums(errors.edges)).merge(errors)
    return copied


def _with_harm(incident: Incident, risk: RiskAlerts | None) -> Incident:
    """Return the incident; if it is about drift, add the harm that labels show."""
    is_drift = any(alert.role not in _NO_DRIFT for alert in incident.members)
    if risk is None or not is_drift:
        return incident
    harm, reason = risk.judge_since(incident.started_at)
    if harm == "benign" and incident.cause in DATA_FAULTS:
        return incident
    return replace(incident, harm=harm, harm_reason=reason)
