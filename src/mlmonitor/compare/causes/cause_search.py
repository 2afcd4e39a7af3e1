"""Search for the common cause of alerts, in the alerts themselves and in the changed rows."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.alert_causes import (
    blame_performance,
    blame_service,
    find_lost_or_stuck,
    find_unreadable,
)
from mlmonitor.compare.causes.category_causes import (
    find_recategorised,
    find_renamed,
    find_respelt,
)
from mlmonitor.compare.causes.change_sample import ShownRows
from mlmonitor.compare.causes.common_cause import UNKNOWN_ADVICE, CommonCause, join_fields
from mlmonitor.compare.causes.lone_segment import LEAST_ROWS, find_lone_segment
from mlmonitor.compare.causes.numbers.number_causes import describe_moved, find_number_cause
from mlmonitor.compare.drift.drift import PSI
from mlmonitor.compare.population import Population
from mlmonitor.compare.traffic import Traffic
from mlmonitor.formatting import signed
from mlmonitor.records import Quality, Role

_LEAST_COPIED = 0.1  # share of copied rows beyond that in the reference
_MULTIPLIED = {PSI, Quality.OUT_OF_RANGE.value}  # measures that copies of rows change
_DRIFTED = 2.0  # times the PSI threshold: exceeded by one window in 3,700, even with two bins

FindFault = Callable[[Sequence[Alert]], CommonCause | None]
"""Returns the label fault that explains alerts on performance; None if there is none."""

Show = Callable[[Population], ShownRows]
"""Returns the rows of a population that show what has changed."""


def find_cause(
    alerts: Sequence[Alert],
    traffic: Traffic,
    find_fault: FindFault | None = None,
    *,
    is_sampled: bool = False,
) -> CommonCause:
    """Return the first recognised cause of some alerts, or `unknown` with the fields' names.

    If only one segment has changed, its own rows are searched. is_sampled: whether to search the
    rows since the incident opened; otherwise the window.
    """
    fault = None if find_fault is None else find_fault(alerts)
    if fault is not None:
        return fault
    population = traffic.population
    rows = max((alert.rows for alert in alerts), default=0)
    show = cache(_show_sample if is_sampled else partial(_show_window, changed_rows=rows))
    shown = None if population is None else show(population)
    cause = (
        blame_service(alerts)
        or find_lost_or_stuck(alerts, population, shown)
        or find_unreadable(alerts, population, shown)
    )
    return cause or _find_in_rows(alerts, traffic, show)


def _find_in_rows(alerts: Sequence[Alert], traffic: Traffic, show: Show) -> CommonCause:
    """Search for the cause in the rows of the only segment that has changed, or in all rows."""
    population, segmentation = traffic.population, traffic.segmentation
    segments = () if segmentation is None else segmentation.split.populations
    lone = find_lone_segment(alerts, segments, show)
    changed = lone or population
    cause = None
    if population is not None and changed is not None:
        cause = _find_repeated(alerts, traffic, show(population))
        cause = cause or _recognise_in(alerts, changed, show(changed))
    unknown = CommonCause(f"{join_fields(alerts)} changed", "unknown", UNKNOWN_ADVICE)
    if lone is not None:
        cause = cause or unknown
        return cause._replace(title=f"only in {lone.segment}: {cause.title}")
    return cause or blame_performance(alerts) or unknown


def _show_window(population: Population, *, changed_rows: int) -> ShownRows:
    return ShownRows(*population.window.view(), changed_rows)


def _show_sample(population: Population) -> ShownRows:
    """Return the sample of a population, or its window while the sample has too few rows."""
    sample = population.sample
    if sample is None or sample.rows < LEAST_ROWS:
        view = population.window.view()
        return ShownRows(*view, view.profile.rows)
    return sample.shown()


def _recognise_in(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Return the first cause that the rows of a population show; None if they show none."""
    for recognise in (
        find_respelt,
        find_renamed,
        find_recategorised,
        find_number_cause,
        _blame_inputs,
        describe_moved,
    ):
        cause = recognise(alerts, population, shown)
        if cause is not None:
            return cause
    return None


def _find_repeated(
    alerts: Sequence[Alert], traffic: Traffic, shown: ShownRows
) -> CommonCause | None:
    """Detect repeated rows: more copies than in the reference, while only distributions changed.

    Alerts on values out of range are allowed too, because copies multiply such values as well. The
    number of copies is a lower bound: a copy of a row that arrived before the shown rows counts as
    new. None if rows are not repeated.
    """
    reference, measures = traffic.reference, {alert.measure for alert in alerts}
    if reference is None or PSI not in measures or not measures <= _MULTIPLIED:
        return None
    copied = shown.copied_rows / max(shown.profile.rows, 1)
    if copied < _LEAST_COPIED + reference.copied_rows / max(reference.rows, 1):
        return None
    title = f"rows repeated: at least {copied:.0%} of them are copies of earlier ones"
    advice = "ask who sends rows more than once: a client that retries, or a queue"
    return CommonCause(title, "repeated", advice)


def _blame_inputs(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect a shift of the prediction together with features that have changed themselves.

    Features with an alert are named first, even those whose effect is unknown because the model
    extrapolated. Other features are named if they have drifted and explain a part. A feature
    without drift is not named, even if its effect is significant. None if there are no features to
    name.
    """
    decomposition, drift = population.decomposition, population.drift
    shift = None if decomposition is None else decomposition.explain(shown.profile)
    if shift is None or drift is None or all(a.role is not Role.PREDICTION for a in alerts):
        return None
    alerting = {alert.field for alert in alerts if alert.role is Role.FEATURE}
    has_drifted = drift.window.exceed_chance(shown.profile, times=_DRIFTED)
    drifted = {
        field.name
        for field, is_drifted in zip(population.plan.schema.fields, has_drifted, strict=True)
        if is_drifted and field.role is Role.FEATURE
    }
    parts = [part for part in shift.contributions if part.field in alerting | drifted]
    beyond = [p.field for p in parts if p.is_extrapolated and p.field in alerting]
    explaining = [part.field for part in parts if part.is_beyond_chance]
    explaining.sort(key=lambda name: name not in alerting)  # keeps the order of their effects
    reasons = [f"{', '.join(beyond[:3])} left the range of training"] if beyond else []
    reasons += [f"explained by {', '.join(explaining[:3])}"] if explaining else []
    if not reasons:
        return None
    title = f"{shift.prediction} moved by {signed(shift.shift)}; {'; '.join(reasons)}"
    return CommonCause(title, "inputs", "look at these features first, in this order")
