"""Points about performance: measures, and counts that any backend can add up."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.compare.risk.risk import Risk
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.series.call_points import finite_point
from mlmonitor.reference.disclosure import LEAST_ROWS, disclosable
from mlmonitor.reference.personal_values import is_personal

_SCORE_BINS = 20
_MATURE = 0.95


def performance_points(performance: Performance, identity: Attributes) -> Iterator[Point]:
    """Yield every measure of the task, and the confusion matrix."""
    for measure, estimate in performance.items():
        labels = (*identity, ("measure", measure), ("basis", estimate.basis))
        yield from finite_point(catalog.PERFORMANCE, labels, estimate.value)
    yield from _build_confusion_points(performance, identity)


def estimated_points(estimated: EstimatedPerformance, identity: Attributes) -> Iterator[Point]:
    """Yield every measure that is estimated without labels, with the basis `estimated`."""
    for measure, estimate in estimated.items():
        labels = (*identity, ("measure", measure), ("basis", estimate.basis))
        yield from finite_point(catalog.PERFORMANCE, labels, estimate.value)


def _build_confusion_points(performance: Performance, identity: Attributes) -> Iterator[Point]:
    """Yield the confusion matrix of the classes whose names may be disclosed."""
    confusion = performance.confusion
    rows = {name: sum(row.values()) for name, row in confusion.items()}
    columns = {name: sum(row[name] for row in confusion.values()) for name in confusion}
    may_leave = disclosable({name: max(rows[name], columns[name]) for name in confusion})
    named = [name for name in confusion if name in may_leave]
    for actual in named:
        for predicted in named:
            count = confusion[actual][predicted]
            labels = (*identity, ("actual", actual), ("predicted", predicted))
            yield Point(catalog.CONFUSION, labels, count)


def risk_points(risks: Mapping[str, Risk], identity: Attributes) -> Iterator[Point]:
    """Yield the live and the reference value of each measure, and whether its alert is firing."""
    for measure, risk in risks.items():
        labels = (*identity, ("measure", measure))
        statistics = {
            "current": risk.value,
            "low": risk.low,
            "high": risk.high,
            "reference": risk.reference,
            "limit": risk.limit,
        }
        for name, value in statistics.items():
            own = (*labels, ("statistic", name))
            yield from finite_point(catalog.PERFORMANCE_RISK, own, value)
        yield Point(catalog.PERFORMANCE_ALERT, labels, float(risk.is_firing))


def objective_points(
    objectives: Sequence[ObjectiveStatus], identity: Attributes
) -> Iterator[Point]:
    """Yield each objective's value and bounds, and for each measure whether any is broken."""
    firing: dict[str, bool] = {}
    for status in objectives:
        measure = status.objective.measure
        firing[measure] = firing.get(measure, False) or status.is_met is False
        statistics = {
            "current": status.value,
            "low": status.low,
            "high": status.high,
            "minimum": status.objective.minimum,
            "maximum": status.objective.maximum,
        }
        for name, value in statistics.items():
            own = (*identity, ("measure", measure), ("statistic", name))
            if value is not None:
                yield from finite_point(catalog.OBJECTIVE, own, value)
    for measure, is_firing in firing.items():
        labels = (*identity, ("measure", measure))
        yield Point(catalog.OBJECTIVE_ALERT, labels, float(is_firing))


def additive_points(performance: Performance, identity: Attributes) -> Iterator[Point]:
    """Yield error sums by declared field, and score counts by outcome; both add up over a fleet."""
    for field in performance.declared_fields:
        for bucket, part in performance.by(field).items():
            labels = (*identity, ("field", field), ("bucket", bucket))
            yield Point(catalog.LABELLED, labels, part.count)
            yield from _build_error_points(part, labels)
    yield from _build_score_points(performance, identity)


def _build_error_points(part: Performance, labels: Attributes) -> Iterator[Point]:
    sums = part.error_sums
    if sums is not None:
        yield from finite_point(catalog.ERROR_ABSOLUTE, labels, sums.absolute)
        yield from finite_point(catalog.ERROR_SQUARED, labels, sums.squared)
        yield from finite_point(catalog.ERROR_SIGNED, labels, sums.signed)
        yield from finite_point(catalog.ACTUAL, labels, sums.actual)


def _build_score_points(performance: Performance, identity: Attributes) -> Iterator[Point]:
    """Yield counts in twenty score bins of equal width, for each class that has scores."""
    tops = np.arange(1, _SCORE_BINS + 1) / _SCORE_BINS
    for name, counts in performance.score_counts(tops).items():
        if counts[1].sum() < LEAST_ROWS or is_personal(name):
            continue
        for is_class, row in zip(("false", "true"), counts.tolist(), strict=True):
            for place, count in enumerate(row):
                where = ("bin", str(place)), ("le", f"{tops[place]:.2f}"), ("actual", is_class)
                yield Point(catalog.SCORE_BIN, (*identity, ("class", name), *where), count)


def cohort_points(cohorts: Sequence[Cohort], identity: Attributes) -> Iterator[Point]:
    """Yield predictions and labels of each cohort, and the labelled share of mature cohorts."""
    for cohort in cohorts:
        labels = (*identity, ("cohort", cohort.start.isoformat()))
        yield Point(catalog.COHORT_PREDICTIONS, labels, cohort.predicted)
        yield Point(catalog.COHORT_LABELLED, labels, cohort.labelled)
    mature = [
        cohort for cohort in cohorts if cohort.maturity is not None and cohort.maturity >= _MATURE
    ]
    predicted = sum(cohort.predicted for cohort in mature)
    if predicted:
        share = sum(cohort.labelled for cohort in mature) / predicted
        yield Point(catalog.MATURITY, identity, share)
