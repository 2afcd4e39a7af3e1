"""Design effects of groups of rows on each measure, to widen its interval."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from mlmonitor.aggregate.outcomes.group_sums import GroupSums
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.compare.performance.clusters.group_terms import (
    influence_weights,
    measure_terms,
    pinball_weights,
    term_names,
)
from mlmonitor.compare.performance.estimate import (
    NAN,
    TWO_SIDED_95,
    Estimate,
    clip_interval,
    estimate_proportion,
)

_PROPORTIONS = {
    "binary": frozenset({"accuracy", "precision", "recall", "specificity"}),
    "multiclass": frozenset({"accuracy"}),
}


class GroupEffects:
    """Widens intervals by the ratio of the cluster-robust variance to that of independent rows.

    The areas under curves, the calibration error and the means over several classes have no effect
    of their own and get the largest effect of the other measures.
    Price: 32 KiB for each of about ten terms of a row.
    """

    def __init__(self, plan: OutcomePlan, sums: GroupSums | None = None) -> None:
        self.plan: OutcomePlan = plan
        self._names = term_names(plan)
        self.sums: GroupSums = GroupSums(len(self._names)) if sums is None else sums

    def update(self, block: OutcomeBlock, groups: Hashes) -> None:
        """Add rows and the hashes of their groups."""
        self.sums.update(measure_terms(self.plan, block), groups)

    def copy(self) -> "GroupEffects":
        """Return an independent copy."""
        return GroupEffects(self.plan, self.sums.copy())

    def design_effects(self) -> dict[str, float]:
        """Return the design effect of each measure: how many rows count as one; at least 1.

        All rows count as one if they belong to fewer than two groups.
        """
        rows = max(float(self.sums.totals[0]), 1.0)
        effects = self.copy()._effects  # noqa: SLF001 - of this class; cached in the copy
        return {n: rows if np.isnan(e) else max(float(e), 1.0) for n, e in effects.items()}

    def widen(self, estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
        """Return the estimates with cluster-robust intervals; they may cover only some rows."""
        return {
            name: self._widen(name, e, self._find_effect(name)) for name, e in estimates.items()
        }

    def widen_pinball(self, estimate: Estimate, quantile: float) -> Estimate:
        """Return the pinball loss of a quantile with its cluster-robust interval."""
        weights = pinball_weights(self._totals, quantile)
        return self._widen("pinball", estimate, self._compute_effect(weights))

    def _find_effect(self, measure: str) -> float:
        own = self._effects.get(measure)
        if own is not None:
            return own
        measured = [effect for effect in self._effects.values() if not np.isnan(effect)]
        return max(measured, default=NAN)

    @cached_property
    def _totals(self) -> dict[str, np.float64]:
        return dict(zip(self._names, self.sums.totals, strict=True))

    @cached_property
    def _effects(self) -> dict[str, float]:
        """The design effect on each measure; cached, so read it only from a copy of the sums."""
        totals = dict(self._totals)
        for name in self.plan.mean_names:  # a mean may cover fewer rows than other measures
            place = self._names.index(f"count.{name}")
            for term in (f"count.{name}", f"value.{name}"):
                totals[term] = self.sums.products[place, self._names.index(term)]
        weights = influence_weights(self.plan, totals)
        return {name: self._compute_effect(weight) for name, weight in weights.items()}

    def _compute_effect(self, weights: Mapping[str, float]) -> float:
        effect = self.sums.effect(np.array([weights.get(name, 0.0) for name in self._names]))
        rows, size = float(self.sums.totals[0]), self.sums.mean_size()
        if size <= 1:
            return effect
        groups = rows / size
        if groups < 2:
            return NAN
        few = groups / (groups - 1) * (rows - 1) / rows
        return (
            effect
            * few
            * (_find_student_quantile(groups - 1) / _find_student_quantile(rows - 1)) ** 2
        )

    def _widen(self, measure: str, estimate: Estimate, effect: float) -> Estimate:
        if effect <= 1 or not estimate.count:
            return estimate
        if np.isnan(effect):
            return estimate._replace(low=NAN, high=NAN)
        if measure in _PROPORTIONS.get(self.plan.task, ()):
            rows = estimate.count / effect
            wilson = estimate_proportion(estimate.value * rows, rows)
            low, high = min(wilson.low, estimate.value), max(wilson.high, estimate.value)
            return estimate._replace(low=low, high=high)  # rounding never excludes the value
        factor = float(np.sqrt(effect))
        low = estimate.value - factor * (estimate.value - estimate.low)
        high = estimate.value + factor * (estimate.high - estimate.value)
        return clip_interval(estimate._replace(low=low, high=high), measure, self.plan.task)


def _find_student_quantile(freedom: float) -> float:
    """Return the two-sided 5% critical value of Student's distribution, for 1 degree or more.

    Source: Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.5; within 1% from
    four degrees on.
    """
    z, v = TWO_SIDED_95, max(freedom, 1.0)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / v ** (power + 1) for power, term in enumerate(terms)))
