"""Build events about a model as a whole: its reference, alerts and verdict."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.performance.task.task_plan import Evidence, infer_plan
from mlmonitor.events.content.event_source import Content, EventSource, format_time
from mlmonitor.events.content.redaction import Disclosure, disclose
from mlmonitor.events.event_options import EventOptions
from mlmonitor.formats.events import clean_text, hash_id
from mlmonitor.formats.reference import (
    CategoricalReference,
    CountedEntry,
    NumericReference,
    compute_reference_id,
)
from mlmonitor.records import Declared, Role
from mlmonitor.reference.plans import numeric_plan
from mlmonitor.reference.reference import Reference
from mlmonitor.verdict.verdict import Verdict

_ROLES = (Role.FEATURE, Role.PREDICTION, Role.ACTUAL, Role.DERIVED)
_QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


def alert_events(
    source: EventSource, alerts: Sequence[Alert | Incident], *, now: float
) -> list[Content]:
    """Build an event for each alert and incident that began or ended."""
    return [
        _build_incident_event(source, changed, now)
        if isinstance(changed, Incident)
        else _build_alert_event(source, changed, now)
        for changed in alerts
    ]


def _build_alert_event(source: EventSource, alert: Alert, now: float) -> Content:
    identity = (
        *("alert", source.model, source.version, source.instance),
        *(alert.role.value, alert.field, alert.segment, alert.measure, repr(alert.started_at)),
    )
    return source.envelope("alert", hash_id((*identity, alert.state)), now) | {
        "alert_id": hash_id(identity),
        "state": alert.state,
        "field": clean_text(alert.field) or "?",
        "role": alert.role.value,
        "segment": clean_text(alert.segment),
        "measure": alert.measure,
        "value": _keep_finite(alert.value),
        "current": _keep_finite(alert.current),
        "threshold": _keep_finite(alert.threshold),
        "log10_e_value": _keep_finite(alert.log10_e_value),
        "rows": max(int(alert.rows), 0),
        "started_at": format_time(alert.started_at),
        "reason": clean_text(alert.reason),
    }


def _build_incident_event(source: EventSource, incident: Incident, now: float) -> Content:
    """Build the event of an incident: an alert with the role `incident`, stored in the same table.

    The incident is identified by its first alert, because its title may change while it is open.
    Each new title gives a new event with the same `alert_id`.
    """
    first = incident.members[0]
    identity = (
        *("incident", source.model, source.version, source.instance),
        *(first.role.value, first.field, first.segment, first.measure, repr(incident.started_at)),
    )
    state = "firing" if incident.state == "open" else "resolved"
    return source.envelope("alert", hash_id((*identity, state, incident.title)), now) | {
        "alert_id": hash_id(identity),
        "state": state,
        "field": incident.cause,
        "role": "incident",
        "segment": ALL,
        "measure": "incident",
        "value": float(len(incident.members)),
        "started_at": format_time(incident.started_at),
        "reason": clean_text(f"{incident.title}; {incident.advice}"),
    }


def verdict_event(source: EventSource, verdict: Verdict, *, now: float) -> Content:
    """Build the event of a verdict that changed."""
    since = format_time(verdict.since.timestamp())
    who = (source.model, source.version, source.instance)
    return source.envelope("verdict", hash_id(("verdict", *who, verdict.action, since)), now) | {
        "action": verdict.action,
        "reasons": [clean_text(str(reason)) for reason in verdict.reasons],
        "since": since,
    }


def reference_events(
    source: EventSource,
    reference: Reference,
    options: EventOptions,
    declared: Declared,
    *,
    deviations: float,
    now: float,
) -> Iterator[Content]:
    """Yield an event for each field of a reference, over all rows and over each segment.

    All processes of a model send the same events with the same ids.
    """
    content = reference.content
    identity = compute_reference_id(content)
    public = {field.name for field in declared.fields if field.public}
    parts = [(ALL, reference.entries(_ROLES))]
    parts += [
        (clean_text(name), reference.entries(_ROLES, segment=place))
        for place, name in enumerate(reference.segment_names)
    ]
    task, positive = _describe_task(reference)
    for segment, entries in parts:
        for entry in entries:
            key = ("reference", source.model, source.version, identity)
            event = source.envelope(
                "reference", hash_id((*key, entry.role, entry.name, segment)), now
            )
            yield event | {
                "reference_id": identity,
                "trained_at": _format_trained_at(reference),
                "reference_rows": reference.rows,
                "task": task,
                "positive_class": positive,
                "fields": len(parts[0][1]),
                "field": clean_text(entry.name) or "?",
                "role": entry.role,
                "kind": entry.kind,
                "segment": segment,
                "rows": entry.rows,
                "missing": entry.expected[-1],
                "importance": content.importances.get(entry.name),
                "training_metrics": dict(content.training_metrics),
                "buckets": list(declared.buckets.get(entry.name, ())),
                **_describe_values(entry, disclose(entry, options, public), options, deviations),
            }


def _describe_task(reference: Reference) -> tuple[str | None, str | None]:
    """Return the task, and the positive class of a binary task; each is None if unknown."""
    actuals = [field for field in reference.fields if field.role is Role.ACTUAL]
    if not actuals:
        return None, None
    prefix = f"{PREDICTION}."
    outputs = [f.name for f in reference.fields if f.role is Role.PREDICTION and f.is_numeric]
    scores = [name.removeprefix(prefix) for name in outputs if name.startswith(prefix)]
    plan = infer_plan(reference, actuals[0], scores, Evidence([], np.empty(0), []))
    if plan is None or plan.task != "binary":
        return None if plan is None else plan.task, None
    return plan.task, clean_text(plan.classes[plan.positive])


def _format_trained_at(reference: Reference) -> str | None:
    at = reference.trained_at
    return None if at is None else format_time(at.timestamp())


def _describe_values(
    entry: CountedEntry, disclosure: Disclosure, options: EventOptions, deviations: float
) -> Mapping[str, Any]:
    """Return the event fields about a field's values, without values if the user redacts it."""
    is_redacted = entry.name in options.redact
    if isinstance(entry, NumericReference):
        if is_redacted:
            return {"withheld": True}
        return _describe_numbers(entry, deviations) | {"withheld": disclosure is Disclosure.NOTHING}
    bins = _describe_categories(entry, options, is_hashed=disclosure is Disclosure.HASHES)
    return {
        "bins": [] if is_redacted else bins,
        "withheld": disclosure is Disclosure.NOTHING,
    }


def _describe_numbers(entry: NumericReference, deviations: float) -> dict[str, Any]:
    plan = numeric_plan(entry, deviations)
    edges = [None, *entry.edges, None]
    last = len(entry.quantiles) - 1
    return {
        "mean": entry.mean,
        "stddev": entry.stddev,
        "min": entry.min,
        "max": entry.max,
        "quantiles": [[p, entry.quantiles[round(p * last)]] for p in _QUANTILES if last > 0],
        "band_low": _keep_finite(plan.band_low),
        "band_high": _keep_finite(plan.band_high),
        "range_low": _keep_finite(plan.low),
        "range_high": _keep_finite(plan.high),
        "bins": [
            {"label": _label_bin(low, high), "lower": low, "upper": high, "count": count}
            for low, high, count in zip(edges, edges[1:], entry.expected[:-1], strict=False)
        ],
    }


def _describe_categories(
    entry: CategoricalReference, options: EventOptions, *, is_hashed: bool
) -> list[dict[str, Any]]:
    names = [clean_text(name) for name in entry.categories]
    if is_hashed:
        names = [options.hash_text(name) for name in entry.categories]
    counts = entry.expected[:-1]
    if len(counts) == len(names) + 1:  # no count of new categories
        counts = [*counts, 0]
    return [
        {"label": label, "count": count}
        for label, count in zip([*names, OTHER, NEW], counts, strict=False)
    ]


def _label_bin(low: float | None, high: float | None) -> str:
    left = "-inf" if low is None else f"{low:.15g}"
    right = "inf)" if high is None else f"{high:.15g}]"
    return f"({left}, {right}"


def _keep_finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
