"""Objectives for measures of performance, judged over stretches of labels."""

from collections.abc import Collection
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.compare.objectives.bound_watch import NAN, Breach, distance_beyond
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.estimate import TWO_SIDED_95, Estimate, clip_interval
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.records import Objective
from mlmonitor.stats.sequential.normal_mixture import log_evidence, widen

STRETCHES: Final = (500, 4_000, 32_000, 256_000)
"""Numbers of labels in a stretch; a new stretch of each length begins when one is full."""

LEAST_LABELS: Final = 100
"""A stretch with fewer labels is not judged, as its estimates are not close to normal."""

RECOVERY_LABELS: Final = 200

_OF_SCORES = frozenset({"roc_auc", "pr_auc", "ece"})


class LabelStretches:
    """The outcomes of stretches of labels, which all objectives share.

    There are two stretches of each length: the last complete one and the current one. They are
    judged together, so that a change in the middle of one is not missed.
    Price: eight tables of the task, with a histogram of scores if an objective needs it.
    """

    def __init__(
        self, plan: OutcomePlan, measures: Collection[str], effects: GroupEffects | None = None
    ) -> None:
        self._effects = effects
        self.plan: OutcomePlan = plan if _OF_SCORES & set(measures) else plan.without_histogram()
        self._under_way = [OutcomeTables(self.plan, 1) for _ in STRETCHES]
        self._complete = [OutcomeTables(self.plan, 1) for _ in STRETCHES]
        self._labels = [0] * len(STRETCHES)
        self.numbers: list[int] = [0] * len(STRETCHES)
        """The number of complete stretches of each length so far."""

    def ingest(self, block: OutcomeBlock) -> None:
        """Add pairs to the current stretches, after replacing those that are full."""
        zeros = np.zeros(block.rows, np.int64)
        for place, length in enumerate(STRETCHES):
            if self._labels[place] >= length:
                self._complete[place] = self._under_way[place]
                self._under_way[place] = OutcomeTables(self.plan, 1)
                self._labels[place] = 0
                self.numbers[place] += 1
            self._under_way[place].update(block, zeros)
            self._labels[place] += block.rows

    def measure(self, measure: str, place: int) -> Estimate | None:
        """Return a measure over the newest two stretches of the length at `place`, or None."""
        tables = self._under_way[place].copy()
        tables.merge(self._complete[place])
        return self.estimate(measure, tables)

    def estimate(self, measure: str, tables: OutcomeTables) -> Estimate | None:
        """Return a measure over a stretch; None if there are no labels that have the measure.

        The interval accounts for dependence within groups.
        """
        effects = None if self._effects is None else self._effects.copy()
        return Performance(tables, effects=effects).get(measure)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return sum(tables.nbytes for tables in (*self._under_way, *self._complete))


class MeasureWatch:
    """Whether a measure of performance breaks its bound, by a normal mixture over its interval.

    The allowed error is divided equally among the lengths of stretches, and further among the
    stretches of each length.
    """

    def __init__(self, objective: Objective, *, threshold: float) -> None:
        self.objective: Objective = objective
        self.is_firing: bool = False
        self._threshold = threshold
        self._stretches: LabelStretches | None = None
        self._breach = Breach(NAN, NAN, 0, 0.0)
        self._ignored = [-2] * len(STRETCHES)  # the last stretch of an earlier alert, by length
        self._recovering = 0  # the number of labels after which recovery is judged
        self._recovery: OutcomeTables | None = None

    def begin(self, stretches: LabelStretches) -> None:
        """Watch the labels of these stretches."""
        self._stretches = stretches

    def ingest(self, block: OutcomeBlock) -> None:
        """Add pairs to the stretch that decides whether a firing alert resolves."""
        if self._recovery is not None:
            self._recovery.update(block, np.zeros(block.rows, np.int64))

    def evaluate(self, *, now: float) -> tuple[bool, bool]:  # noqa: ARG002 - others need the time
        """Evaluate the labels so far; return whether the alert fired, and whether it resolved."""
        if self._stretches is None:
            return False, False
        if self.is_firing:
            return False, self._has_recovered()
        breach = self._find_strongest(self._stretches)
        if breach.log10_e_value * np.log(10) < self._threshold:
            return False, False
        self.is_firing, self._breach = True, breach
        self._begin_recovery(breach.rows)
        return True, False

    def _find_strongest(self, stretches: LabelStretches) -> Breach:
        """Return the stretch with the most evidence that a bound is broken."""
        breaches = [Breach(NAN, NAN, 0, -np.inf)]
        for place, ignored in enumerate(self._ignored):
            if stretches.numbers[place] <= ignored + 1:
                continue
            estimate = stretches.measure(self.objective.measure, place)
            if estimate is not None and estimate.count >= LEAST_LABELS:
                number = stretches.numbers[place]
                stake = np.log((number + 1.0) * (number + 2.0) * len(STRETCHES))
                log_e = self._log_e(estimate) - stake
                value = estimate.value
                breaches.append(Breach(value, value, estimate.count, float(log_e / np.log(10))))
        return max(breaches, key=lambda breach: breach.log10_e_value)

    def _log_e(self, estimate: Estimate) -> float:
        distance = distance_beyond(self.objective, estimate.value)
        error = _compute_half_width(estimate) / TWO_SIDED_95
        return log_evidence(distance, error, estimate.count)

    def _begin_recovery(self, rows: int) -> None:
        if self._stretches is not None:
            self._recovery = OutcomeTables(self._stretches.plan, 1)
            self._recovering = max(rows, RECOVERY_LABELS)

    def _has_recovered(self) -> bool:
        """Whether the measure of enough new labels is within the bounds.

        Enough is the number of labels that fired the alert, at least 200 and at most 5,000.
        """
        if self._recovery is None:
            return False
        estimate = Performance(self._recovery).get(self.objective.measure)
        if estimate is None or estimate.count < min(self._recovering, 5_000):
            return False
        self._recovery.reset(0)
        if distance_beyond(self.objective, estimate.value) > 0:
            return False
        self._recovery, self.is_firing = None, False
        if self._stretches is not None:
            self._ignored = list(self._stretches.numbers)
        return True

    def breach(self, *, now: float) -> Breach:  # noqa: ARG002 - as above
        """Return the measure over the stretch that broke the bound, and over the newest labels."""
        estimate = self._measure_newest()
        return self._breach if estimate is None else self._breach._replace(current=estimate.value)

    def _measure_newest(self) -> Estimate | None:
        if self._stretches is None:
            return None
        return self._stretches.measure(self.objective.measure, 0)

    def status(self, *, now: float) -> ObjectiveStatus:  # noqa: ARG002 - as above
        """Return the measure over the newest labels."""
        estimate = self._measure_newest()
        if estimate is None or not estimate.count:
            return ObjectiveStatus(self.objective, NAN, NAN, NAN, 0, 0.0, None)
        half = widen(_compute_half_width(estimate), estimate.count)
        value, log10_e = estimate.value, 0.0
        clipped = estimate._replace(low=value - half, high=value + half)
        if self._stretches is not None:
            task = self._stretches.plan.task
            clipped = clip_interval(clipped, self.objective.measure, task)
            log10_e = max(self._find_strongest(self._stretches).log10_e_value, 0.0)
        return ObjectiveStatus(
            objective=self.objective,
            value=value,
            low=clipped.low,
            high=clipped.high,
            count=estimate.count,
            log10_e_value=log10_e,
            is_met=not self.is_firing,
        )


def _compute_half_width(estimate: Estimate) -> float:
    """Return half the width of an interval, from the side that is not clipped."""
    return max(estimate.high - estimate.value, estimate.value - estimate.low)
