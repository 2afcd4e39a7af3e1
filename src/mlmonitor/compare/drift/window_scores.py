"""Distances of a window from the reference, and their thresholds."""

from collections.abc import Sequence

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.window import View
from mlmonitor.compare.baseline import Baseline, season_rows
from mlmonitor.compare.count_table import profile_counts
from mlmonitor.compare.drift.row_dependence import EffectiveCounts
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.critical_values import CriticalValues
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    psi,
    wasserstein,
)
from mlmonitor.stats.simulated_values import SIMULATION_BYTES

_OF_EFFECTIVE_ROWS = frozenset({"psi_debiased", "chi2"})
"""Measures that depend on the number of rows; only independent rows count."""


class WindowScores:
    """Every distance of the fields of a window from the reference, and its threshold.

    Thresholds are for the effective number of rows of the window.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        baseline: Baseline,
        effective: EffectiveCounts,
    ) -> None:
        self._baseline, self._effective = baseline, effective
        tables = [entry.critical for entry in entries]
        self._critical = CriticalValues(tables, baseline.counts, entries)
        self._quantiles, self._stddev = _spread(entries[: len(plan.schema.numeric)])

    def compare(
        self, recent: View, percentiles: Floats
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return every measure of the window, and its threshold, as `[fields]` by name.

        percentiles: quantiles of the window's numeric fields, at `WASSERSTEIN_RANKS`.
        NaN where a measure is undefined. Wasserstein is computed from the window's digests, the
        other measures from its counts. A threshold is the value that a measure exceeds once in a
        hundred windows without drift.
        """
        counts = profile_counts(recent.profile)
        expected = self._baseline.for_rows(season_rows(recent.profile))
        effects = self._effective.at(counts)
        worth = self._effective.expected(expected), counts / effects[:, None]
        scores = self._measure(percentiles, (expected, counts), worth)
        yield_gil()
        digest_rows = recent.shapes.digests.count
        digested = digest_rows / effects[: len(digest_rows)]
        thresholds = self._critical.at(worth[1], worth[0], digested=digested)
        for name in ORDERED:
            thresholds[name][len(self._stddev) :] = np.nan
        return scores, thresholds

    def _measure(
        self, percentiles: Floats, tables: tuple[Table, Table], worth: tuple[Table, Table]
    ) -> dict[str, Floats]:
        scores = {
            name: measure(*(worth if name in _OF_EFFECTIVE_ROWS else tables))
            for name, measure in MEASURES.items()
        }
        numeric = len(self._stddev)
        for name in ORDERED:
            scores[name][numeric:] = np.nan
        distance = np.full(len(tables[1]), np.nan)
        if not self._baseline.has_seasons:  # seasons have no quantiles
            distance[:numeric] = wasserstein(self._quantiles, percentiles, self._stddev)
        return {**scores, WASSERSTEIN: distance}

    def thresholds_of(self, counts: Counts, expected: Table) -> dict[str, Floats]:
        """The thresholds of all measures for counts `[fields, bins]`, by name."""
        current, reference = self._effective.current(counts), self._effective.expected(expected)
        return self._critical.at(current, reference)

    def psi_threshold(self, counts: Counts, expected: Table) -> Floats:
        """The threshold of the PSI alone, a tenth as expensive as `thresholds_of`."""
        worth = self._effective.current(counts), self._effective.expected(expected)
        return self._critical.psi_at(*worth)

    def exceed_chance(self, profile: FieldProfile, *, times: float) -> Mask:
        """Whether the PSI of each field is more than `times` its threshold."""
        counts, expected = profile_counts(profile), self._baseline.for_rows(season_rows(profile))
        is_beyond: Mask = psi(expected, counts) > times * self.psi_threshold(counts, expected)
        return is_beyond

    def simulate_next(self) -> bool:
        """Simulate a part of the thresholds of learned fields; return False once all are done."""
        return self._critical.simulate_next()

    @property
    def simulation_nbytes(self) -> int:
        """Bytes needed to simulate one part; parts are simulated one after the other."""
        return SIMULATION_BYTES if self._critical.is_simulating else 0

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self._critical.nbytes


def _spread(entries: Sequence[CountedEntry]) -> tuple[Floats, Floats]:
    """Quantiles `[fields, ranks]` and standard deviations of numeric entries; NaN if unknown."""
    quantiles = np.full((len(entries), WASSERSTEIN_RANKS.size), np.nan)
    stddev = np.full(len(entries), np.nan)
    for place, entry in enumerate(entries):
        if isinstance(entry, NumericReference) and entry.stddev is not None:
            quantiles[place] = entry.quantiles[1:-1]
            stddev[place] = entry.stddev
    return quantiles, stddev
