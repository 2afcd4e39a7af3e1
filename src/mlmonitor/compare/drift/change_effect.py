"""Whether a change is large enough to matter, judged for every restart that shows it."""

from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.baseline import Baseline
from mlmonitor.compare.drift.row_dependence import EffectiveCounts
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import Table
from mlmonitor.stats.evidence.effect_bounds import bin_excess, psi_lower_sequence
from mlmonitor.stats.evidence.evidence_process import ChangeSegment, EvidenceProcess


class JudgedChange(NamedTuple):
    """By how much the change of each field exceeds what is tolerated, and the rows that show it."""

    excess: Floats
    change: ChangeSegment


class ChangeEffect:
    """Compares the size of changes with what is tolerated.

    A change matters if its PSI, or the relative change of a rare bin, is beyond the tolerance with
    confidence (`effect_bounds`). It is judged for the restart with the most evidence, and for every
    other one whose own staked evidence passes. Otherwise a small lasting change would hide a later
    large one, because the oldest restart would have the most evidence forever.
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
        """Judge the fields whose evidence passes; the excess of the others is 0."""
        excess = np.zeros(len(log_e))
        places = np.flatnonzero(log_e >= self._threshold)
        if not places.size:
            return JudgedChange(excess, change)
        restarts = evidence.restarts(places)
        passes = restarts.log_e >= self._threshold
        passes[np.argmax(restarts.log_e, axis=0), np.arange(places.size)] = True
        counts, seasons = change.counts.copy(), change.seasons.copy()
        rows, best = change.rows.copy(), np.full(places.size, -np.inf)
        chosen_counts, chosen_seasons = counts[places], seasons[places]
        for restart in np.flatnonzero(passes.any(axis=1)).tolist():
            counts[places], seasons[places] = restarts.counts[restart], restarts.seasons[restart]
            gains = self.excess(counts, seasons)[places]
            yield_gil()
            is_usable = passes[restart] & (counts[places].sum(axis=1) >= self._min_rows)
            gains = np.where(is_usable, gains, -np.inf)
            is_better = gains > best
            best = np.where(is_better, gains, best)
            chosen_counts[is_better] = counts[places][is_better]
            chosen_seasons[is_better] = seasons[places][is_better]
        is_judged = best > 0
        excess[places] = np.maximum(best, 0.0)
        places, chosen_counts = places[is_judged], chosen_counts[is_judged]
        counts, seasons = change.counts.copy(), change.seasons.copy()
        counts[places], seasons[places] = chosen_counts, chosen_seasons[is_judged]
        rows[places] = chosen_counts.sum(axis=1)
        return JudgedChange(excess, ChangeSegment(counts, rows, seasons))

    def excess(self, counts: Counts, seasons: Counts) -> Floats:
        """The excess of the counts of all fields, given their rows by season."""
        expected = self._effective.expected(self._baseline.for_rows(seasons))
        return self.excess_over(expected, self._effective.current(counts))

    def excess_over(self, expected: Table, counts: Table) -> Floats:
        """By how much a change of effective counts exceeds what matters; 0 if it does not."""
        beyond = np.maximum(psi_lower_sequence(expected, counts) - self._tolerance, 0.0)
        of_bins = bin_excess(expected, counts, self._tolerance, self._least)
        larger: Floats = np.maximum(beyond, of_bins)
        return larger
