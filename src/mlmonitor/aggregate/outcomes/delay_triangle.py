"""Losses by cohort and by the delay of their labels."""

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS, chain_ladder
from mlmonitor.records import Counts, Floats


class DelayTriangle:
    """The number and sum of losses of each measure, by cohort and by the delay of their label.

    Cohorts and delays are those of `CohortTable`. Price: 58 kB a measure.
    """

    __slots__ = ("counts", "sums")

    def __init__(self, measures: int) -> None:
        self.counts: Counts = np.zeros((measures, MOST_COHORTS, MOST_COHORTS), np.int64)
        self.sums: Floats = np.zeros((measures, MOST_COHORTS, MOST_COHORTS))

    def update(self, measure: int, losses: Floats, cohorts: Counts, delays: Counts) -> None:
        """Add losses, except those that are not finite or belong to no cohort (-1)."""
        is_counted = np.isfinite(losses) & (cohorts >= 0)
        cells = cohorts[is_counted] * MOST_COHORTS + delays[is_counted]
        shape, size = self.counts.shape[1:], MOST_COHORTS**2
        self.counts[measure] += np.bincount(cells, minlength=size).reshape(shape)
        self.sums[measure] += np.bincount(cells, losses[is_counted], size).reshape(shape)

    def reset(self, cohort: int) -> None:
        """Forget one cohort, because a newer one takes its place."""
        self.counts[:, cohort] = 0
        self.sums[:, cohort] = 0.0

    def growth_by_age(self, measure: int, order: list[int], ages: Counts) -> Floats:
        """Return the final mean loss of a cohort divided by its mean loss so far, by its age.

        It is the ratio of two chain ladders, for the number and for the sum of losses. NaN for ages
        that no cohort has reached.
        """
        parts = [
            chain_ladder(np.cumsum(table[measure][order], axis=1), ages)
            for table in (self.counts, self.sums)
        ]
        with np.errstate(all="ignore"):
            growth: Floats = parts[0] / parts[1]
        return growth

    def spread_by_age(self, measure: int, order: list[int], ages: Counts, age: int) -> float:
        """Return how much the growth of mean losses after `age` varies among older cohorts.

        The growth is the final mean loss divided by that at `age`. The result is its standard
        deviation; NaN with fewer than three older cohorts, whose newest mean counts as final.
        """
        with np.errstate(all="ignore"):
            means = np.cumsum(self.sums[measure][order], axis=1) / np.cumsum(
                self.counts[measure][order], axis=1
            )
            older = np.flatnonzero(ages > age + 1)
            newest = np.minimum(ages[older] - 1, MOST_COHORTS - 1)
            ratios = means[older, newest] / means[older, age]
        ratios = ratios[np.isfinite(ratios)]
        return float(ratios.std(ddof=1)) if ratios.size >= 3 else float("nan")

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.counts.nbytes + self.sums.nbytes
