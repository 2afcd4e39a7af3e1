"""Whether a change is large enough to matter, judged for each restart of the evidence."""

from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.baseline import Baseline
from mlmonitor.compare.drift.row_dependence import EffectiveCounts
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.distance import Table
from mlmonitor.stats.evidence.effect_bounds import bin_excess, psi_lower_sequence
from mlmonitor.stats.evidence.evidence_process import (
    ChangeSegment,
    EvidenceProcess,
    RestartSegments,
)

_PAIRS_AT_ONCE = 2_000  # pairs of a restart and a field; few enough not to hold the GIL for long


class JudgedChange(NamedTuple):
    """By how much the change of each field exceeds the tolerance, and the rows that show it."""

    excess: Floats
    change: ChangeSegment


class ChangeEffect:
    """Compares the size of changes with the tolerance.

    A change matters if its PSI, or the relative change of a rare bin, is beyond the tolerance with
    confidence (`effect_bounds`). The evidence restarts regularly, and each restart covers the rows
    since then. The change is judged for the restart with the most evidence, and for all others
    whose own evidence reaches the threshold. Otherwise a small lasting change would hide a later
    large one, because the oldest restart would always have the most evidence.
    """

    def __init__(
        self, baseline: Baseline, effective: EffectiveCounts, significance: Significance
    ) -> None:
        self._baseline, self._effective = baseline, effective
        self._threshold, self._tolerance = significance.drift_threshold, significance.tolerance
        self._least, self._min_rows = significance.quality_tolerance, significance.min_rows

    def judge(
        self, evidence: EvidenceProcess, log_e: Floats, change: ChangeSegment
    ) -> JudgedChange:
        """Judge the fields whose evidence reaches the threshold; the excess of all others is 0."""
        excess = np.zeros(len(log_e))
        places = np.flatnonzero(log_e >= self._threshold)
        if not places.size:
            return JudgedChange(excess, change)
        restarts = evidence.restarts(places)
        passes = restarts.log_e >= self._threshold
        passes[np.argmax(restarts.log_e, axis=0), np.arange(places.size)] = True
        best, counts, seasons = self._choose(places, restarts, passes)
        excess[places] = np.maximum(best, 0.0)
        is_judged = best > 0
        judged = ChangeSegment(change.counts.copy(), change.rows.copy(), change.seasons.copy())
        places = places[is_judged]
        judged.counts[places], judged.seasons[places] = counts[is_judged], seasons[is_judged]
        judged.rows[places] = counts[is_judged].sum(axis=1)
        return JudgedChange(excess, judged)

    def _choose(
        self, places: Counts, restarts: RestartSegments, passes: Mask
    ) -> tuple[Floats, Counts, Counts]:
        """Return the largest excess of each field, with the counts and seasons that show it.

        passes: a mask `[restarts, fields]` of the restarts to judge, at least one for each field.
        """
        best = np.full(places.size, -np.inf)
        counts, seasons = restarts.counts[0].copy(), restarts.seasons[0].copy()
        pairs = np.argwhere(passes)
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            restart, column = pairs[start : start + _PAIRS_AT_ONCE].T
            pair_counts = restarts.counts[restart, column]
            pair_seasons = restarts.seasons[restart, column]
            gains = self._compute_gains(places[column], pair_counts, pair_seasons)
            yield_gil()
            order = np.argsort(-gains, kind="stable")
            top = order[np.unique(column[order], return_index=True)[1]]  # one pair of each field
            top = top[gains[top] > best[column[top]]]
            at = column[top]
            best[at], counts[at], seasons[at] = gains[top], pair_counts[top], pair_seasons[top]
        return best, counts, seasons

    def _compute_gains(self, fields: Counts, counts: Counts, seasons: Counts) -> Floats:
        """Return how far changes of some fields exceed the tolerance; -inf if of too few rows."""
        baseline, effective = self._baseline.select(fields), self._effective.select(fields)
        expected = effective.expected(baseline.for_rows(seasons))
        gains = self.excess_over(expected, effective.current(counts))
        return np.where(counts.sum(axis=1) >= self._min_rows, gains, -np.inf)

    def excess(self, counts: Counts, seasons: Counts) -> Floats:
        """Return how far changes of all fields exceed the tolerance, given the rows by season."""
        expected = self._effective.expected(self._baseline.for_rows(seasons))
        return self.excess_over(expected, self._effective.current(counts))

    def excess_over(self, expected: Table, counts: Table) -> Floats:
        """Return how far changes of effective counts exceed the tolerance; 0 if they do not."""
        beyond = np.maximum(psi_lower_sequence(expected, counts) - self._tolerance, 0.0)
        of_bins = bin_excess(expected, counts, self._tolerance, self._least)
        larger: Floats = np.maximum(beyond, of_bins)
        return larger
