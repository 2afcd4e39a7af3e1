"""Cohorts by prediction time: predictions, labels, and when the labels arrived."""

import numpy as np

from mlmonitor.records import Counts, Floats

MOST_COHORTS = 60
"""The number of cohorts; newer ones replace the oldest."""

_NONE = -(1 << 62)


class CohortTable:
    """Counts by cohort: predictions made in the same period of `seconds`.

    A cohort has a place, which is its index in the arrays. A new cohort reuses the place of the
    oldest one.
    delays: int64 `[cohorts, delays]`, labels by cohort and by the number of periods after which
    they arrived; the last column also counts all later labels.

    Promise: exact for the newest `MOST_COHORTS` periods; older rows are not counted.
    Price: 30 KB.
    """

    __slots__ = ("delays", "labelled", "periods", "predicted", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds: float = seconds
        self.periods: Counts = np.full(MOST_COHORTS, _NONE)
        """The number of the period in each place, in units of `seconds` since 1970."""
        self.predicted: Counts = np.zeros(MOST_COHORTS, np.int64)
        self.labelled: Counts = np.zeros(MOST_COHORTS, np.int64)
        self.delays: Counts = np.zeros((MOST_COHORTS, MOST_COHORTS), np.int64)

    def places(self, times: Floats) -> tuple[Counts, list[int]]:
        """Return the place of each time's cohort, -1 if too old, and the places of new cohorts."""
        periods = np.floor(np.nan_to_num(times) / self.seconds).astype(np.int64)
        newest = max(int(self.periods.max()), int(periods.max(initial=_NONE)))
        oldest, begun = newest - MOST_COHORTS + 1, []
        counts = np.bincount(periods[periods >= oldest] - oldest)
        for period in (np.flatnonzero(counts) + oldest).tolist():
            place = period % MOST_COHORTS
            if self.periods[place] != period:
                self._reset(place, period)
                begun.append(place)
        is_kept = (periods >= oldest) & ~np.isnan(times)
        return np.where(is_kept, periods % MOST_COHORTS, -1), begun

    def count_predictions(self, places: Counts) -> None:
        """Count predictions by the places of their cohorts."""
        self.predicted += np.bincount(places[places >= 0], minlength=MOST_COHORTS)

    def count_labels(self, places: Counts, labelled_at: Floats) -> None:
        """Count labels by the places of their predictions' cohorts, and by their delay."""
        is_kept = places >= 0
        places, labelled_at = places[is_kept], labelled_at[is_kept]
        self.labelled += np.bincount(places, minlength=MOST_COHORTS)
        delays = self.delays_of(places, labelled_at)
        cells = np.bincount(places * MOST_COHORTS + delays, minlength=MOST_COHORTS**2)
        self.delays += cells.reshape(self.delays.shape)

    def reset_labels(self) -> None:
        """Forget all labels."""
        self.labelled[:] = 0
        self.delays[:] = 0

    def order(self) -> list[int]:
        """Return the places in use, the oldest cohort first."""
        newest = self.periods.max()
        used = np.flatnonzero((self.periods > newest - MOST_COHORTS) & (self.periods != _NONE))
        ordered: list[int] = used[np.argsort(self.periods[used])].tolist()
        return ordered

    def shares_by_age(self, now: float) -> Floats:
        """Estimate the share of a cohort's labels that has arrived, by its age (chain ladder).

        The number of labels is assumed to grow from one age to the next by the factor observed in
        cohorts that are old enough. NaN for ages that no cohort has reached; after the oldest age
        no more labels are expected.
        Source: Mack, "Distribution-free calculation of the standard error of chain ladder" (1993).
        """
        order = self.order()
        return chain_ladder(np.cumsum(self.delays[order], axis=1), self.ages(now, order))

    def ages(self, now: float, order: list[int]) -> Counts:
        """Return how many periods have ended since each cohort in `order` began."""
        ages: Counts = int(np.floor(now / self.seconds)) - self.periods[order]
        return ages

    def delays_of(self, places: Counts, labelled_at: Floats) -> Counts:
        """Return how many periods after its cohort each label arrived, capped at the last delay."""
        delays = np.floor(labelled_at / self.seconds).astype(np.int64) - self.periods[places]
        clipped: Counts = np.clip(delays, 0, MOST_COHORTS - 1)
        return clipped

    def _reset(self, place: int, period: int) -> None:
        self.periods[place] = period
        self.predicted[place] = self.labelled[place] = 0
        self.delays[place] = 0

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.delays.nbytes + 3 * self.predicted.nbytes


def chain_ladder(totals: Counts | Floats, ages: Counts) -> Floats:
    """Return the expected share of a cohort's final total by its age in periods (chain ladder).

    totals: cumulative over delays, `[cohorts, delays]`. ages: see `CohortTable.ages`.
    """
    oldest_age = int(np.clip(ages.max(initial=0), 0, MOST_COHORTS))
    shares = np.full(MOST_COHORTS, np.nan)
    share = 1.0
    for age in range(oldest_age - 1, -1, -1):
        shares[age] = share
        before, after = totals[ages > age, age - 1].sum(), totals[ages > age, age].sum()
        if age and after:
            share *= before / after
    return shares
