"""Causes that alerts show by themselves: the service, lost fields, types, performance."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import (
    ESTIMATED_FIELD,
    OBJECTIVE_FIELD,
    PERFORMANCE_FIELD,
    PROJECTED_FIELD,
    Alert,
)
from mlmonitor.compare.causes.change_sample import ShownRows
from mlmonitor.compare.causes.common_cause import CommonCause, join_fields
from mlmonitor.compare.causes.numbers.number_causes import locate_fields
from mlmonitor.compare.population import Population
from mlmonitor.compare.service.service_alerts import SERVICE_FIELD
from mlmonitor.records import QUALITIES, Quality

_LOST = 0.95  # smallest share of missing values in a field that counts as lost
_MOST_READABLE = 0.1  # largest share of unreadable values in a field that counts as readable

_UNREADABLE: Final = {
    Quality.WRONG_TYPE: (
        "of the wrong type",
        "look at their format upstream, such as a decimal comma or a unit in the text",
    ),
    Quality.NONFINITE: ("not finite", "look for divisions by zero and overflows upstream"),
}


def blame_performance(alerts: Sequence[Alert]) -> CommonCause | None:
    """Name the measure that got worse; None if any alert is not about performance."""
    worse = [alert for alert in alerts if alert.field in (PERFORMANCE_FIELD, PROJECTED_FIELD)]
    expected = [alert for alert in alerts if alert.field == ESTIMATED_FIELD]
    broken = [alert for alert in alerts if alert.field == OBJECTIVE_FIELD]
    if len(worse) + len(broken) + len(expected) < len(alerts) or not alerts:
        return None
    if expected and not worse:
        title = f"the model is expected to do worse: {expected[0].measure} {expected[0].reason}"
        advice = "look at which rows have become more frequent; labels will show whether it does"
        return CommonCause(title, "performance", advice)
    if worse:
        title = f"the model does worse: {worse[0].measure} {worse[0].reason}"
        advice = "ask what changed in the world, or in how labels are made, when it began"
        return CommonCause(title, "performance", advice)
    title = f"objective broken: {broken[0].reason}"
    advice = "look at what else changed when it began; the objective itself may be too strict"
    return CommonCause(title, "objective", advice)


def blame_service(alerts: Sequence[Alert]) -> CommonCause | None:
    """Describe what is wrong with the calls; None if no alert is about them."""
    changed = {alert.measure: alert for alert in alerts if alert.field == SERVICE_FIELD}
    if not changed:
        return None
    traffic = changed.get("traffic")
    if traffic is not None and len(changed) == 1:
        title = "traffic is gone" if traffic.value < traffic.threshold else "traffic has grown"
        return CommonCause(title, "service", "look at the callers of the service, and its routes")
    title = "calls fail" if "error_rate" in changed else "calls are slow"
    return CommonCause(title, "service", "look at the service's logs and its dependencies")


def find_lost_or_stuck(
    alerts: Sequence[Alert], population: Population | None, shown: ShownRows | None
) -> CommonCause | None:
    """Name fields whose values are missing, at least in part, or all equal; None if none are."""
    lost = [alert for alert in alerts if alert.measure in ("vanished", "missing")]
    if lost:
        advice = "its name or its source may have changed: ask who fills it"
        share = _measure_invalid_share(lost, Quality.MISSING, population, shown)
        how = "lost" if share > _LOST else f"missing in about {share:.0%} of rows"
        return CommonCause(f"{join_fields(lost)} {how}", "lost", advice)
    stuck = [alert for alert in alerts if alert.measure == "constant"]
    if stuck:
        advice = "it may be filled with a default upstream, or its source may hang"
        return CommonCause(f"{join_fields(stuck)} stuck at one value", "stuck", advice)
    return None


def find_unreadable(
    alerts: Sequence[Alert], population: Population | None, shown: ShownRows | None
) -> CommonCause | None:
    """Name fields with many values of the wrong type, or not finite; None if there are none."""
    for quality, (words, advice) in _UNREADABLE.items():
        wrong = [alert for alert in alerts if alert.measure == quality.value]
        share = _measure_invalid_share(wrong, quality, population, shown) if wrong else 0.0
        if share > _MOST_READABLE:
            title = f"{join_fields(wrong)} unreadable: {share:.0%} of values {words}"
            return CommonCause(title, "unreadable", advice)
    return None


def _measure_invalid_share(
    alerts: Sequence[Alert],
    quality: Quality,
    population: Population | None,
    shown: ShownRows | None,
) -> float:
    """Return the largest share of invalid values since the change, or else in the alerts."""
    if any(alert.measure == "vanished" for alert in alerts):
        return 1.0
    of_all = [alert for alert in alerts if alert.segment == ALL]
    places = () if population is None else locate_fields(of_all, population)
    if shown is None or not places:
        return max(alert.value for alert in alerts)
    counts = shown.profile.quality[places]
    since = np.maximum(np.minimum(shown.changed_rows, counts.sum(axis=1)), 1)
    return min(float((counts[:, QUALITIES.index(quality)] / since).max()), 1.0)
