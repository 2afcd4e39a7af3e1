"""The status of a model, built from its snapshot."""

from collections.abc import Iterable, Mapping

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.snapshot import ModelSnapshot, SeasonInfo, SegmentSnapshot
from mlmonitor.status.field_status import FieldStatus, field_statuses
from mlmonitor.status.figures.figure_status import attribution_status, kpi_statuses, order_alerts
from mlmonitor.status.reference_warning import reference_warning
from mlmonitor.status.segment_status import SegmentStatus
from mlmonitor.status.status import Status
from mlmonitor.verdict.verdict import Verdict

_SEARCHED = {
    "not_found": "no season in the reference",
    "too_short": "the reference is too short to see a weekly season",
}

_NOTABLE = 0.75  # the same without groups: the estimated design effect is often above 1 by chance
_INDEPENDENT = 0.95
"""Dependence is not reported if the effective number of rows exceeds this share of all rows."""


def build_status(snapshot: ModelSnapshot, verdict: Verdict | None = None) -> Status:
    """Build the status at the time of a snapshot."""
    reference, traffic, labels = snapshot.reference, snapshot.traffic, snapshot.labels
    return Status(
        model=snapshot.model,
        version=snapshot.version,
        state=snapshot.learning.phase,
        predictions=snapshot.calls.predictions,
        errors=dict(snapshot.calls.errors),
        dropped=snapshot.health.dropped,
        internal_errors=snapshot.health.internal_errors,
        last_error=snapshot.health.last_error,
        window_rows=0 if traffic is None else traffic.view.profile.rows,
        reference_rows=0 if reference is None else reference.rows,
        is_reference_learned=reference is not None and reference.is_learned,
        learned_rows=snapshot.learning.learned_rows,
        baseline_rows=snapshot.learning.baseline_rows,
        latency_seconds=dict(snapshot.calls.latency_quantiles),
        fields=_build_fields(snapshot.whole),
        unknown_fields=dict(snapshot.unknown_fields),
        labels={**labels.counts, "waiting": labels.waiting, "evicted": labels.evicted},
        performance=labels.performance or None,
        estimated=labels.estimated,
        cohorts=labels.cohorts,
        selection=labels.selection,
        risks=labels.risks,
        objectives=snapshot.objectives,
        trained_at=None if reference is None else reference.trained_at,
        training=None if reference is None else reference.training,
        training_metrics={} if reference is None else dict(reference.training_metrics),
        exports={name: export.outcomes for name, export in snapshot.destinations.items()},
        destinations=dict(snapshot.destinations),
        events=snapshot.events,
        memory_bytes=snapshot.memory_bytes,
        alerts=order_alerts(snapshot.alerts, snapshot),
        incidents=snapshot.incidents,
        verdict=verdict,
        kpis=kpi_statuses(snapshot),
        attributions=attribution_status(snapshot),
        violations=_count_violations(traffic),
        unmatched_rules=snapshot.unmatched_rules,
        unused_ignores=snapshot.unused_ignores,
        absent_columns=snapshot.absent_columns,
        dependence=_describe_dependence(snapshot),
        season=None
        if reference is None
        else _describe_season(reference.season, reference.season_search),
        reference_warning=reference_warning(snapshot),
        why=None if traffic is None else traffic.shift,
        segments={segment.name: segment_status(segment) for segment in snapshot.segments},
    )


def segment_status(segment: SegmentSnapshot) -> SegmentStatus:
    """Build the status of one segment."""
    return SegmentStatus(
        name=segment.name,
        predictions=segment.predictions,
        failed=segment.failed,
        window_rows=segment.populations[0].view.profile.rows,
        reference_rows=segment.reference_rows,
        fields=_build_fields(segment.populations),
        performance=segment.performance,
        alerts=sum(len(population.alerts) for population in segment.populations),
    )


def _build_fields(populations: Iterable[PopulationSnapshot]) -> tuple[FieldStatus, ...]:
    return tuple(status for p in populations for status in field_statuses(p))


def _count_violations(traffic: PopulationSnapshot | None) -> Mapping[str, int]:
    """Return the number of violations of each rule, keyed by field name and constraint."""
    if traffic is None:
        return {}
    return {
        f"{result.rule.field.name} {result.rule.constraint}": result.violations
        for result in traffic.rules
    }


def _describe_season(season: SeasonInfo | None, search: str | None) -> str | None:
    if season is None:
        return None if search is None else _SEARCHED[search]
    name = season.name.replace("_", " ")
    text = f"compared by {name}, {season.current} of {season.count} now ({season.timezone})"
    return f"{text}, found at fit" if search == "found" else text


def _describe_dependence(snapshot: ModelSnapshot) -> str | None:
    """Describe what dependent rows are worth, and problems with declared groups, if any."""
    worth = None if snapshot.traffic is None else _describe_worth(snapshot.traffic)
    texts = [*([] if worth is None else [worth]), *snapshot.group_hints]
    return "; ".join(texts) or None


def _describe_worth(traffic: PopulationSnapshot) -> str | None:
    """Say how many independent rows 1,000 rows of the window are worth; None if about 1,000."""
    rows = traffic.view.profile.quality.sum(axis=1)
    limit = _INDEPENDENT if traffic.has_groups else _NOTABLE
    worth = {
        field.name: 1_000 * effective / count
        for field, effective, count in zip(
            traffic.plan.schema.fields, traffic.effective_rows.tolist(), rows.tolist(), strict=True
        )
        if count and effective < limit * count
    }
    if not worth:
        return None
    least = min(worth, key=lambda name: worth[name])
    typical = float(np.median(list(worth.values())))
    what = "come in groups" if traffic.has_groups else "depend on each other"
    text = f"rows {what}: 1,000 count as {max(round(typical), 1):,}"
    fewest = max(round(worth[least]), 1)
    return text if fewest == max(round(typical), 1) else f"{text}, in {least} as {fewest:,}"
