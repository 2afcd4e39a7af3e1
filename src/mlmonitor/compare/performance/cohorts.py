"""Performance by the time of prediction, with the maturity of each cohort."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS, CohortTable
from mlmonitor.aggregate.outcomes.delay_triangle import DelayTriangle
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.aggregate.outcomes.row_losses import loss_measures, measure_losses, to_measure
from mlmonitor.by_name import ByName
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.estimate import (
    TWO_SIDED_95,
    Estimate,
    bounds_of,
    estimate_on_scale,
)
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.records import Floats

_NOTHING: Final[Mapping[str, Estimate]] = MappingProxyType(ByName(noun="measure"))

EstimatesByPeriod = Mapping[int, Mapping[str, Estimate]]
"""Estimates of each cohort, by its period."""

NO_ESTIMATES: Final[EstimatesByPeriod] = MappingProxyType({})


class Cohort(NamedTuple):
    """Predictions made from `start` until just before `end`.

    labelled: how many of the `predicted` have a label so far.
    maturity: the share of its final labels that have arrived, estimated from earlier cohorts, but
        at least the labelled share; None while no cohort is old enough. `labelled / predicted`
        stays below it if some predictions never get a label.
    projected: each mean loss as expected once all labels have arrived, if later labels change it as
        much as in earlier cohorts. Its interval accounts for the differences between these cohorts,
        and is NaN with fewer than three of them. Selective labels, such as those of only approved
        loans, are not corrected.
    estimated: measures of all its predictions without any label, as in `status.estimated`; empty if
    the reference has no calibration.
    """

    start: datetime
    end: datetime
    predicted: int
    labelled: int
    maturity: float | None
    performance: Performance
    projected: Mapping[str, Estimate] = _NOTHING
    estimated: Mapping[str, Estimate] = _NOTHING


class CohortTracker:
    """The labelled outcomes of each cohort, with the indices of `CohortTable`.

    Price: one bucket of the task, without a histogram of scores, for each of 60 cohorts.
    """

    def __init__(self, table: CohortTable, plan: OutcomePlan) -> None:
        self.table = table
        self.outcomes: OutcomeTables = OutcomeTables(plan.without_histogram(), MOST_COHORTS)
        self._plan, self._measures = plan, loss_measures(plan)
        self.triangle: DelayTriangle = DelayTriangle(len(self._measures))

    def update(self, block: OutcomeBlock, predicted_at: Floats, labelled_at: Floats) -> list[int]:
        """Add pairs by their time of prediction; return the indices of cohorts that they begin."""
        places, begun = self.table.places(predicted_at)
        self.reset(begun)
        self.table.count_labels(places, labelled_at)
        self.outcomes.update(block, places)
        delays = self.table.delays_of(places, labelled_at)
        losses = measure_losses(self._plan, block)
        for row, measure in enumerate(self._measures):
            self.triangle.update(row, losses[measure], places, delays)
        return begun

    def reset(self, places: list[int]) -> None:
        """Reset the sums at indices that newer cohorts reuse."""
        for place in places:
            self.outcomes.reset(place)
            self.triangle.reset(place)

    def cohorts(
        self,
        *,
        now: float,
        effects: GroupEffects | None = None,
        estimated: EstimatesByPeriod = NO_ESTIMATES,
    ) -> tuple[Cohort, ...]:
        """The newest cohorts that have predictions, the oldest first.

        effects: the dependence within groups, for intervals. estimated: the estimates by period.
        """
        table, outcomes = self.table, self.outcomes.copy()
        shares = table.shares_by_age(now)
        project = self._make_projector(now, effects)
        cohorts = []
        for place in table.order():
            period = int(table.periods[place])
            if not table.predicted[place] and not table.labelled[place]:
                continue
            start, end = (
                datetime.fromtimestamp(p * table.seconds, UTC) for p in (period, period + 1)
            )
            age = int(now // table.seconds) - period - 1
            share = shares[min(age, MOST_COHORTS - 1)] if age >= 0 else np.nan
            cohorts.append(
                Cohort(
                    start,
                    end,
                    int(table.predicted[place]),
                    int(table.labelled[place]),
                    _estimate_maturity(
                        float(share), int(table.predicted[place]), int(table.labelled[place])
                    ),
                    Performance(outcomes, place, effects=effects),
                    project(place, age) if age >= 0 else _NOTHING,
                    MappingProxyType(ByName(estimated.get(period, _NOTHING), "measure")),
                )
            )
        return tuple(cohorts)

    def _make_projector(
        self, now: float, effects: GroupEffects | None
    ) -> Callable[[int, int], Mapping[str, Estimate]]:
        """Return a function that projects the losses of a cohort, given its index and its age."""
        order = self.table.order()
        ages = self.table.ages(now, order)
        growth = [
            self.triangle.growth_by_age(row, order, ages) for row in range(len(self._measures))
        ]

        def project(place: int, age: int) -> Mapping[str, Estimate]:
            age = min(age, MOST_COHORTS - 1)
            projected = {}
            for row, measure in enumerate(self._measures):
                # The factor applies to labels up to this age, but not to those of the current
                # period.
                count = int(self.triangle.counts[row, place, : age + 1].sum())
                factor = float(growth[row][age])
                if count and np.isfinite(factor) and factor > 0:
                    spread = self.triangle.spread_by_age(row, order, ages, age)
                    mean = float(self.triangle.sums[row, place, : age + 1].sum()) / count
                    estimate = Performance(self.outcomes, place, effects=effects).get(measure)
                    error = float(
                        np.hypot(_compute_relative_error(estimate, measure, mean), spread / factor)
                    )
                    projected[measure] = self._project_loss(measure, mean * factor, error, count)
            return MappingProxyType(ByName(projected, "measure"))

        return project

    def _project_loss(
        self, measure: str, loss: float, relative_error: float, count: int
    ) -> Estimate:
        """Return a measure with its interval, from a mean loss and its relative standard error."""
        task = self._plan.task
        scale = 2.0 if measure == "brier" and task == "multiclass" else 1.0  # see `measure_losses`
        loss *= scale
        bounds = bounds_of(measure, task)
        estimate = estimate_on_scale(loss, loss * relative_error, count, bounds)
        ends = [to_measure(measure, end) for end in (estimate.low, estimate.high)]
        value = to_measure(measure, estimate.value)
        return Estimate(value, min(ends), max(ends), count, "estimated")

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self.table.nbytes + self.outcomes.nbytes + self.triangle.nbytes


def _estimate_maturity(share: float, predicted: int, labelled: int) -> float | None:
    """Return the estimated share, or the labelled share if that is larger; None for NaN.

    There are at most as many labels as predictions, so the labelled share is a lower bound.
    """
    if np.isnan(share):
        return None
    return min(max(share, labelled / predicted if predicted else 0.0), 1.0)


def _compute_relative_error(estimate: Estimate | None, measure: str, loss: float) -> float:
    """Return the standard error of a mean loss, as a share of it."""
    if estimate is None or not loss > 0:
        return float("nan")
    half = max(estimate.high - estimate.value, estimate.value - estimate.low)
    scale = loss if measure != "brier" else estimate.value
    return half / TWO_SIDED_95 / scale
