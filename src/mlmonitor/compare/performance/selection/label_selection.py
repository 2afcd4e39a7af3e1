"""Selective labels: whether labelled predictions of mature cohorts differ from unlabelled ones."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS, CohortTable
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.records import Counts, Floats, Mask

MATURE: Final = 0.95
"""A cohort is judged once this share of its final labels has arrived."""

LEAST_ROWS: Final = 200
"""Minimum number of labelled predictions, and of unlabelled ones, that are compared."""

LEAST_DIFFERENCE: Final = 0.1
"""The smallest total variation distance that is reported: 10% of the predictions."""

_DEVIATIONS: Final = 3.719  # a standard normal exceeds it once in 10,000 times
_BINS: Final = 12
_FIRST_PREDICTIONS: Final = 500


class LabelSelection(NamedTuple):
    """How the labelled predictions of mature cohorts differ from those that never got a label.

    predicted, labelled: the number of rows of these cohorts, and how many have a label.
    difference: the total variation distance between labelled and unlabelled predictions, from 0 to
        1.
    labelled_mean, unlabelled_mean: their mean predictions; NaN for classes.
    is_selective: whether the difference exceeds chance and is large enough to report.
    """

    predicted: int
    labelled: int
    difference: float
    labelled_mean: float
    unlabelled_mean: float
    is_selective: bool

    def __str__(self) -> str:
        share = f"{self.labelled / self.predicted:.0%}" if self.predicted else "none"
        text = (
            f"labels are selective: {share} of {self.predicted:,} predictions of mature cohorts "
            f"have one, and their distribution differs by {self.difference:.0%} from the others"
        )
        if np.isfinite(self.labelled_mean):
            text += (
                f" (mean prediction {self.labelled_mean:.4g} against {self.unlabelled_mean:.4g})"
            )
        return f"{text}: performance holds only for predictions like the labelled ones"


class SelectionTable:
    """Counts of predictions and labels by cohort and bin of the prediction.

    The bins are classes, or else deciles of the first `_FIRST_PREDICTIONS` numbers.
    Price: 17 KiB; one search for each prediction and label.
    """

    def __init__(self, table: CohortTable) -> None:
        self._table = table
        self.counts: Counts = np.zeros((2, MOST_COHORTS, _BINS), np.int64)
        self.sums: Floats = np.zeros((2, MOST_COHORTS))
        self._edges: Floats | None = None
        self._first: list[tuple[int, Counts, Floats]] = []

    def reset(self, places: list[int]) -> None:
        """Clear the indices that newer cohorts reuse."""
        self.counts[:, places] = 0
        self.sums[:, places] = 0.0

    def reset_labels(self) -> None:
        """Forget all labels."""
        self.counts[1] = 0
        self.sums[1] = 0.0
        self._first = [part for part in self._first if part[0] == 0]

    def update(self, places: Counts, predicted: Column, classes: Column, *, is_label: bool) -> None:
        """Add predictions, or labels, by the index of their cohort; -1 for no cohort."""
        kind, is_class = int(is_label), classes >= 0
        self._count(kind, places, np.minimum(classes, _BINS - 1).astype(np.int64), is_class)
        is_number = ~is_class & np.isfinite(predicted)
        numbers, cohorts = predicted[is_number], places[is_number]
        if not numbers.size:
            return
        if self._edges is None:
            self._first.append((kind, cohorts, numbers))
            predicted_parts = [part for of, _, part in self._first if of == 0]
            if sum(map(len, predicted_parts)) < _FIRST_PREDICTIONS:
                return
            self._edges = np.unique(
                np.quantile(np.concatenate(predicted_parts), np.arange(1, 10) / 10)
            )
            waiting, self._first = self._first, []
        else:
            waiting = [(kind, cohorts, numbers)]
        for of, cohort, values in waiting:
            bins = np.searchsorted(self._edges, values, side="left")
            self._count(of, cohort, bins, np.ones(len(values), np.bool_))
            kept = cohort >= 0
            self.sums[of] += np.bincount(cohort[kept], values[kept], MOST_COHORTS)

    def _count(self, kind: int, places: Counts, bins: Counts, is_counted: Mask) -> None:
        is_counted = is_counted & (places >= 0)
        cells = places[is_counted] * _BINS + bins[is_counted]
        added = np.bincount(cells, minlength=MOST_COHORTS * _BINS)
        self.counts[kind] += added.reshape(MOST_COHORTS, _BINS)

    def judge(self, *, now: float) -> LabelSelection | None:
        """Compare labelled with unlabelled predictions of mature cohorts; None if too few."""
        order = np.array(self._table.order(), np.int64)
        if not order.size:
            return None
        ages = self._table.ages(now, order.tolist()) - 1
        shares = self._table.shares_by_age(now)[np.clip(ages, 0, MOST_COHORTS - 1)]
        mature = order[(ages > 0) & (shares >= MATURE)]
        predicted, labelled = self.counts[:, mature]
        unlabelled = np.maximum(predicted - labelled, 0)
        rows = int(labelled.sum()), int(unlabelled.sum())
        if min(rows) < LEAST_ROWS:
            return None
        first, second = labelled.sum(axis=0), unlabelled.sum(axis=0)
        difference = float(np.abs(first / rows[0] - second / rows[1]).sum() / 2)
        is_certain = _within_cohorts(labelled, unlabelled) > _critical_value(first + second)
        sums = self.sums[:, mature].sum(axis=1)
        means = sums[1] / rows[0], (sums[0] - sums[1]) / rows[1]
        has_means = self._edges is not None
        return LabelSelection(
            predicted=sum(rows),
            labelled=rows[0],
            difference=difference,
            labelled_mean=float(means[0]) if has_means else float("nan"),
            unlabelled_mean=float(means[1]) if has_means else float("nan"),
            is_selective=is_certain and difference >= LEAST_DIFFERENCE,
        )

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self.counts.nbytes + self.sums.nbytes + 16 * _FIRST_PREDICTIONS


def _within_cohorts(labelled: Counts, unlabelled: Counts) -> float:
    """Return the Mantel-Haenszel statistic, which adds up the differences within each cohort.

    Cohorts may differ in their share of labels and in their mix of predictions.
    Source: Landis, Heyman and Koch (1978), general association of a 2 x k table in strata.
    """
    deviation, covariance = np.zeros(_BINS), np.zeros((_BINS, _BINS))
    for own, other in zip(labelled.astype(np.float64), unlabelled.astype(np.float64), strict=True):
        bins, n = own + other, own.sum() + other.sum()
        if n < 2:
            continue
        share = own.sum() / n
        deviation += own - share * bins
        spread = np.diag(bins) - np.outer(bins, bins) / n
        covariance += share * (1 - share) * n / (n - 1) * spread
    return float(deviation @ np.linalg.pinv(covariance) @ deviation)


def _critical_value(counts: Counts) -> float:
    """Return the value that chi-squared exceeds once in 10,000 times (Wilson, Hilferty, 1931)."""
    freedom = max(int(np.count_nonzero(counts)) - 1, 1)
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + _DEVIATIONS * part**0.5) ** 3)
