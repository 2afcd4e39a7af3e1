"""The status of a model: what was observed, and how the monitoring fares, put side by side."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.traffic import Traffic
from mlmonitor.status.field_status import field_statuses
from mlmonitor.status.reference_warning import mismatch_of
from mlmonitor.status.segment_status import SegmentStatus
from mlmonitor.status.status import ExportStatus, State, Status

LATENCY_QUANTILES = (0.5, 0.95, 0.99)


class Titled(NamedTuple):
    """The model's name and version."""

    model: str
    version: str


def status_of(
    title: Titled,
    observed: ModelState,
    inbox: Inbox,
    *,
    exports: Mapping[str, ExportStatus],
    now: float,
) -> Status:
    """Everything there is to tell at `now`; `exports` tells of each destination."""
    compared = [population.compared(now=now) for population in observed.whole(now=now)]
    watched = observed.watched
    reference, learner = watched.reference, watched.learner
    labels = observed.labels
    return Status(
        model=title.model,
        version=title.version,
        state=_state(watched),
        predictions=observed.calls.predictions,
        errors=dict(observed.calls.errors),
        dropped=inbox.calls.dropped_rows() + inbox.figures.dropped,
        internal_errors=inbox.guard.internal_errors,
        last_error=inbox.guard.last,
        window_rows=compared[0].view.profile.rows if watched.population else 0,
        reference_rows=reference.rows if reference is not None else 0,
        is_reference_learned=reference is not None and reference.is_learned,
        learned_rows=learner.learned if learner is not None else 0,
        baseline_rows=watched.baseline_rows,
        latency_seconds=_latency(observed, now=now),
        fields=tuple(status for each in compared for status in field_statuses(each)),
        unknown_fields=observed.unknown(),
        labels=label_counts(observed, inbox) | {"waiting": waiting_labels(observed, inbox)},
        performance=labels.errors.performance() if labels is not None else None,
        training_metrics={} if reference is None else reference.content.training_metrics,
        exports={name: each.outcomes for name, each in exports.items()},
        destinations=exports,
        memory_bytes=observed.memory_bytes,
        alerts=tuple(observed.alerts(now=now)),
        violations=_violations(watched),
        unmatched_rules=_misfits(watched),
        unused_ignores=watched.never_came,
        season=_season(watched, now),
        reference_warning=None if watched.population is None else mismatch_of(watched),
        why=compared[0].shift if watched.population else None,
        segments=segment_statuses(observed, now=now),
    )


def segment_statuses(observed: ModelState, *, now: float) -> dict[str, SegmentStatus]:
    """Each segment by its name, the rest last."""
    reference, segmented = observed.watched.reference, observed.watched.segmented
    if reference is None or segmented is None:
        return {}
    tally, labels = segmented.tally, observed.labels
    rows = [segment.rows for segment in reference.content.segments]
    found = {}
    for place, name in enumerate(tally.names):
        populations = list(observed.segment(place))
        compared = [population.compared(now=now) for population in populations]
        errors = None if labels is None else labels.segment_errors[place]
        found[name] = SegmentStatus(
            name=name,
            predictions=int(tally.predictions[place]),
            failed=int(tally.failed[place]),
            window_rows=compared[0].view.profile.rows,
            reference_rows=rows[place] if place < len(rows) else 0,
            fields=tuple(status for each in compared for status in field_statuses(each)),
            performance=None if errors is None else errors.performance(),
            alerts=sum(len(population.alerts) for population in populations),
        )
    return found


def label_counts(observed: ModelState, inbox: Inbox) -> dict[str, int]:
    """Labels by what became of them."""
    counts = {status.value: count for status, count in observed.pending.counts.items()}
    return counts | {"dropped": inbox.labels.dropped + inbox.late.dropped}


def waiting_labels(observed: ModelState, inbox: Inbox) -> int:
    """Labels for their second try; while a reference is learned all of them, for it."""
    return observed.pending.waiting + (len(inbox.labels) if observed.labels is None else 0)


def _latency(observed: ModelState, *, now: float) -> dict[float, float]:
    """Quantiles of the window's calls that had any."""
    observed.calls.latency.advance(now)
    digests = observed.calls.latency.view().shapes.digests
    found = digests.quantile(np.array(LATENCY_QUANTILES))[0].tolist()
    pairs = zip(LATENCY_QUANTILES, found, strict=True)
    return {q: seconds for q, seconds in pairs if not np.isnan(seconds)}


def _violations(watched: Traffic) -> dict[str, int]:
    rules = None if watched.population is None else watched.population.rules
    if rules is None:
        return {}
    return {f"{rule.field.name} {rule.constraint}": count for rule, count, _ in rules.told()}


def _season(watched: Traffic, now: float) -> str | None:
    """The season in use, counted from 0 as in a metric's attribute."""
    season = None if watched.reference is None else watched.reference.season
    if season is None:
        return None
    name = season.name.replace("_", " ")
    return f"compared by {name}, {season.at(now)} of {season.count} now ({season.timezone})"


def _misfits(watched: Traffic) -> tuple[str, ...]:
    rules = None if watched.population is None else watched.population.rules
    return () if rules is None else rules.unmatched_rules


def _state(watched: Traffic) -> State:
    if watched.learner is None:
        return "watching"
    return "learning" if watched.learner.rows else "waiting"
