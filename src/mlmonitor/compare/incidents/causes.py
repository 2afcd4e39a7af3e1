"""The common cause of alerts, where the counts and quantiles of the window show one."""

from collections.abc import Callable, Sequence

import numpy as np

from mlmonitor.aggregate.window import View
from mlmonitor.compare.alerts.alert import (
    ESTIMATED_FIELD,
    OBJECTIVE_FIELD,
    PERFORMANCE_FIELD,
    Alert,
)
from mlmonitor.compare.incidents.category_changes import are_exchanged, are_merged
from mlmonitor.compare.incidents.common_cause import CommonCause
from mlmonitor.compare.incidents.lone_segment import find_lone_segment
from mlmonitor.compare.incidents.number_causes import find_number_cause, locate_fields
from mlmonitor.compare.incidents.spelling import describe_spelling
from mlmonitor.compare.population import Population
from mlmonitor.compare.service.service_alerts import SERVICE_FIELD
from mlmonitor.compare.traffic import Traffic
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.formatting import signed
from mlmonitor.records import Role

_SAME_SHARE = 0.3  # relative: a new category may be a renamed one
_LEAST_SHARE = 0.02
_MOST_READABLE = 0.1  # share of values of the wrong type that leaves a field readable


FindFault = Callable[[Sequence[Alert]], CommonCause | None]
"""Returns the fault of labels that explains alerts on performance, if one does."""


def find_cause(
    alerts: Sequence[Alert], traffic: Traffic, find_fault: FindFault | None = None
) -> CommonCause:
    """Return the first known cause that an alert shows; otherwise the number of changed fields.

    If one segment alone has changed, the cause is looked for in its own window.
    """
    fault = None if find_fault is None else find_fault(alerts)
    if fault is not None:
        return fault
    for recognise in (_blame_service, _find_lost_or_stuck, _find_unreadable):
        cause = recognise(alerts)
        if cause is not None:
            return cause
    population, segmentation = traffic.population, traffic.segmentation
    segments = () if segmentation is None else segmentation.split.populations
    lone = find_lone_segment(alerts, segments)
    cause = None if population is None else _recognise_in(alerts, lone or population)
    unknown = CommonCause(
        f"{_join_fields(alerts)} changed",
        "unknown",
        "ask what was deployed or changed upstream when it began",
    )
    if lone is not None:
        cause = cause or unknown
        return cause._replace(title=f"only in {lone.segment}: {cause.title}")
    return cause or _blame_performance(alerts) or unknown


def _recognise_in(alerts: Sequence[Alert], population: Population) -> CommonCause | None:
    """Return the first cause that the window of a population shows."""
    view = population.window.view()
    for recognise in (
        _find_respelt,
        _find_renamed,
        _find_recategorised,
        find_number_cause,
        _blame_inputs,
    ):
        cause = recognise(alerts, population, view)
        if cause is not None:
            return cause
    return None


def _blame_performance(alerts: Sequence[Alert]) -> CommonCause | None:
    """Name the measure that fell, if nothing but performance and objectives alert."""
    worse = [alert for alert in alerts if alert.field == PERFORMANCE_FIELD]
    expected = [alert for alert in alerts if alert.field == ESTIMATED_FIELD]
    broken = [alert for alert in alerts if alert.field == OBJECTIVE_FIELD]
    if len(worse) + len(broken) + len(expected) < len(alerts) or not alerts:
        return None
    if expected and not worse:
        title = f"the model is expected to do worse: {expected[0].measure} {expected[0].reason}"
        advice = "look at which rows have become more frequent; labels will show whether it is so"
        return CommonCause(title, "performance", advice)
    if worse:
        title = f"the model does worse: {worse[0].measure} {worse[0].reason}"
        advice = "ask what changed in the world, or in how labels are made, when it began"
        return CommonCause(title, "performance", advice)
    title = f"objective broken: {broken[0].reason}"
    advice = "look at what else changed when it began; the objective itself may be too strict"
    return CommonCause(title, "objective", advice)


def _blame_service(alerts: Sequence[Alert]) -> CommonCause | None:
    changed = {alert.measure: alert for alert in alerts if alert.field == SERVICE_FIELD}
    if not changed:
        return None
    traffic = changed.get("traffic")
    if traffic is not None and len(changed) == 1:
        title = "traffic is gone" if traffic.value < traffic.threshold else "traffic has grown"
        return CommonCause(title, "service", "look at the callers of the service, and its routes")
    title = "calls fail" if "error_rate" in changed else "calls are slow"
    return CommonCause(title, "service", "look at the service's logs and its dependencies")


def _find_lost_or_stuck(alerts: Sequence[Alert]) -> CommonCause | None:
    lost = [alert for alert in alerts if alert.measure in ("vanished", "missing")]
    if lost:
        advice = "its name or its source may have changed: ask who fills it"
        return CommonCause(f"{_join_fields(lost)} lost", "lost", advice)
    stuck = [alert for alert in alerts if alert.measure == "constant"]
    if stuck:
        advice = "it may be filled with a default upstream, or its source may hang"
        return CommonCause(f"{_join_fields(stuck)} stuck at one value", "stuck", advice)
    return None


def _find_unreadable(alerts: Sequence[Alert]) -> CommonCause | None:
    """Name fields most of whose values have the wrong type, such as texts instead of numbers."""
    wrong = [a for a in alerts if a.measure == "wrong_type" and a.value > _MOST_READABLE]
    if not wrong:
        return None
    title = f"{_join_fields(wrong)} unreadable: {wrong[0].value:.0%} of values of the wrong type"
    advice = "look at their format upstream, such as a decimal comma or a unit in the text"
    return CommonCause(title, "unreadable", advice)


def _find_respelt(
    alerts: Sequence[Alert], population: Population, view: View
) -> CommonCause | None:
    """Detect new names that are known ones in another spelling. They are not named."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if not isinstance(entry, CategoricalReference):
            continue
        hitters = view.shapes.hitters[place - numeric].top()
        description = describe_spelling(entry.names, {h.name: h.count - h.error for h in hitters})
        counts = view.profile.categories[place - numeric]
        new, rows = int(counts[len(entry.categories) + 1]), int(counts.sum())
        if description is not None and new >= _LEAST_SHARE * rows:
            title = f"names of {entry.name} {description}: {new / rows:.0%} of rows"
            return CommonCause(title, "respelt", "write the names upstream as at training")
    return None


def _find_renamed(
    alerts: Sequence[Alert], population: Population, view: View
) -> CommonCause | None:
    """Detect a category that is gone while new values have about its share. It is not named."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        if place < numeric or not population.plan.dictionaries[place - numeric].is_closed:
            continue
        dictionary = population.plan.dictionaries[place - numeric]
        counts = view.profile.categories[place - numeric]
        before = np.array(population.entries[place].counts[: len(dictionary.top)], np.float64)
        before /= max(float(sum(population.entries[place].counts)), 1.0)
        now = counts / max(int(counts.sum()), 1)
        new = float(now[len(dictionary.top) + 1])
        gone = np.flatnonzero((now[: before.size] == 0) & (before >= _LEAST_SHARE))
        for category in gone.tolist():
            if abs(new - before[category]) <= _SAME_SHARE * before[category]:
                field = population.plan.schema.fields[place].name
                title = f"a category of {field} renamed: {before[category]:.0%} of rows"
                advice = "map the new name to the old one upstream, or fit a new reference"
                return CommonCause(title, "renamed", advice)
    return None


def _find_recategorised(
    alerts: Sequence[Alert], population: Population, view: View
) -> CommonCause | None:
    """Detect categories that were merged or exchanged. They are not named."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if not isinstance(entry, CategoricalReference) or not sum(entry.counts):
            continue
        size = len(entry.categories)
        now = view.profile.categories[place - numeric][:size]
        before = np.array(entry.counts[:size], np.float64) / sum(entry.counts)
        if are_merged(before, now):
            title = f"two categories of {entry.name} merged into one"
            return CommonCause(title, "merged", "ask upstream since when they are one")
        if are_exchanged(before, now):
            title = f"categories of {entry.name} exchanged: the same shares under other names"
            return CommonCause(title, "exchanged", "look at how codes are turned into names")
    return None


def _blame_inputs(
    alerts: Sequence[Alert], population: Population, view: View
) -> CommonCause | None:
    """Detect a shift of the prediction that some features explain in part."""
    decomposition = population.decomposition
    shift = None if decomposition is None else decomposition.explain(view.profile)
    if shift is None or not any(alert.role is Role.PREDICTION for alert in alerts):
        return None
    parts = [part.field for part in shift.contributions if part.is_beyond_chance]
    if not parts:
        return None
    fields = ", ".join(parts[:3])
    title = f"{shift.prediction} moved by {signed(shift.shift)}; explained by {fields}"
    return CommonCause(title, "inputs", "look at these features first, in this order")


def _join_fields(alerts: Sequence[Alert]) -> str:
    names = list(dict.fromkeys(alert.field for alert in alerts))
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more fields"
