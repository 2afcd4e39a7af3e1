"""Anytime-valid evidence of drift in seasonal traffic, with a null for each season."""

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.eprocess import CONCENTRATIONS
from mlmonitor.stats.evidence.dirichlet import PRIOR, least_pseudo_counts, log_beta
from mlmonitor.stats.evidence.evidence_process import ChangeSegment, Evaluation, RestartSegments
from mlmonitor.stats.evidence.restarts import log_stake, slot_for_restart

_ALTERNATIVES = len(CONCENTRATIONS) + 1


class SeasonalEProcess:
    """Like `EProcess`, for rows whose distribution depends on their season.

    A *visit* is a run of rows in one season. Under its null, rows are drawn like those of the same
    season in the reference and in earlier visits. Its alternatives are Dirichlet laws around the
    season's shares, *tilted* bin by bin by the ratio of observed to expected counts in earlier
    visits since a restart. So evidence of a change in all hours carries over from hour to hour.

    Promise: while rows are exchangeable within each season with the reference's, the probability
        that `log_e` *ever* exceeds `ln(1 / alpha)` is at most `alpha`. Given everything before a
        visit, both laws are fixed, so their likelihood ratio has expectation 1 under the null.
        Products over visits and mixtures over alternatives and restarts preserve this, so
        Ville's inequality applies.
    reference: counts `[fields, seasons, bins]`; present: the bins that each field has. prior: as in
    `EProcess`; pseudo-counts above one half are divided among the seasons in proportion to rows.
    dependence: as in `EProcess`, but with one design effect for all rows so far.
    Price: about `8 * bins * (seasons + 3 * kept) + 8 * seasons * kept` bytes a field: 36 KiB for
        ten bins and hours of the week, 9 KiB for hours of the day; twice the time of `EProcess`.
    Source: Lindon and Malek, NeurIPS 2022, for each season; the tilt is a predictable plug-in as in
        Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_dependence",
        "_expected",
        "_fresh",
        "_from",
        "_known",
        "_least",
        "_more",
        "_observed",
        "_order",
        "_present",
        "_prior",
        "_reference",
        "_restart_rows",
        "_season",
        "_season_from",
        "_season_rows",
        "_share",
        "_visit",
        "_wealth",
    )

    def __init__(
        self,
        reference: Counts,
        present: NDArray[np.bool_],
        *,
        prior: Floats | None = None,
        restart_rows: int = 1_000,
        kept: int = 12,
        dependence: DesignEffects | None = None,
    ) -> None:
        fields, seasons, width = reference.shape
        rows = reference.sum(axis=2)
        self._dependence = dependence
        effects = 1.0 if dependence is None else dependence.at_reference(rows.sum(axis=1))
        self._present, self._reference = present, (reference.T / effects).T
        self._restart_rows, self._season = restart_rows, 0
        # Half a count a bin; a bin without rows in any season has half a count in all seasons
        # together, as in `EProcess`.
        has_rows = reference.sum(axis=1) > 0
        self._least: Floats = least_pseudo_counts(prior, present)
        self._prior: Floats = np.where(has_rows, self._least, self._least / seasons)
        # Pseudo-counts beyond that are divided among the seasons in proportion to their rows.
        more = np.zeros((fields, width)) if prior is None else np.maximum(prior - PRIOR, 0.0)
        self._more: Floats = np.where(present, more, 0.0)
        self._share: Floats = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
        self._known: Floats = self._reference.copy()  # plus the rows before this visit
        self._visit: Floats = np.zeros((fields, width))
        self._season_rows: Counts = np.zeros((fields, seasons), np.int64)
        self._fresh: Counts = np.zeros(fields, np.int64)  # rows since the newest restart
        self._begun: Counts = np.zeros(fields, np.int64)
        # For each restart: its number, the visit's counts when it began, the observed and expected
        # counts of completed visits since then, and the gain in those visits.
        self._order: Counts = np.full((kept, fields), -1, np.int64)
        self._from, self._observed, self._expected = np.zeros((3, kept, fields, width))
        self._season_from: Counts = np.zeros((kept, fields, seasons), np.int64)
        self._wealth: Floats = np.zeros((_ALTERNATIVES, kept, fields))
        self._before: Floats = np.zeros((_ALTERNATIVES + 1, kept, fields))
        self._start(np.arange(fields), np.zeros(fields, np.int64))

    def begin_season(self, season: int) -> None:
        """Count later rows in this season."""
        if season == self._season:
            return
        counts = self._visit[None] - self._from
        self._wealth += self._compute_gains(counts)
        # Without the null's pseudo-counts: in a season with few rows they bias the shares towards
        # uniform, and the same bias in similar seasons would look like a change.
        seen = self._known[:, self._season] + self._from
        self._observed += counts
        # A season without earlier rows has no expected counts, so it does not affect the tilt.
        has_rows = seen.sum(axis=-1, keepdims=True) > 0
        self._expected += np.where(
            has_rows, _compute_shares(seen) * counts.sum(axis=-1, keepdims=True), counts
        )
        self._known[:, self._season] += self._visit
        self._visit[:] = 0
        self._from[:] = 0
        self._season = season
        self._before = self._compute_normalisers()

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`, all in the current season."""
        rows = counts.sum(axis=1)
        if self._dependence is None:
            self._visit += counts
        else:
            # The design effect is that of all rows so far, because visits are not stored.
            effects = self._dependence.at(self._season_rows.sum(axis=1) + rows)
            self._visit += counts / effects[:, None]
        self._season_rows[:, self._season] += rows
        self._fresh += rows
        due = np.flatnonzero(self._fresh >= self._restart_rows)
        if due.size:
            self._begun[due] += 1
            self._start(due, slot_for_restart(self._order[:, due]))

    def log_e(self) -> Floats:
        """Return the logarithm of each field's e-value."""
        return self.evaluate().log_e

    def evaluate(self) -> Evaluation:
        """Return the e-values, and the rows since the restart with the highest gain."""
        terms = self._weigh_gains()
        unstaked = -np.log(self._begun + 2.0)
        log_e: Floats = np.logaddexp(np.logaddexp.reduce(terms, axis=0), unstaked)
        best = np.argmax(terms, axis=0), np.arange(len(self._visit))
        counts = self._observed[best] + self._visit - self._from[best]
        seasons = self._season_rows - self._season_from[best]
        rows = seasons.sum(axis=1)
        scale = rows / np.maximum(counts.sum(axis=1), 1e-300)
        of_all_rows = np.rint(counts * scale[:, None]).astype(np.int64)
        return Evaluation(log_e, ChangeSegment(of_all_rows, rows, seasons))

    def restarts(self, fields: Counts) -> RestartSegments:
        """Return all stored restarts of the fields at these indices."""
        counts = (self._observed + self._visit - self._from)[:, fields]
        seasons = (self._season_rows - self._season_from)[:, fields]
        scale = seasons.sum(axis=-1) / np.maximum(counts.sum(axis=-1), 1e-300)
        of_all_rows = np.rint(counts * scale[..., None]).astype(np.int64)
        return RestartSegments(self._weigh_gains()[:, fields], of_all_rows, seasons)

    def reset(self, fields: NDArray[np.bool_]) -> None:
        """Discard all evidence of these fields, as after a resolved alert."""
        places = np.flatnonzero(fields)
        self._known[places] = self._reference[places]
        self._visit[places] = 0
        self._begun[places] = 0
        self._order[:, places] = -1
        self._from[:, places] = 0
        self._start(places, np.zeros(places.size, np.int64))

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes, without the reference."""
        shared = ("_dependence", "_reference", "_present", "_season", "_restart_rows")
        arrays = (getattr(self, name) for name in self.__slots__ if name not in shared)
        return sum(array.nbytes for array in arrays)

    def _start(self, fields: Counts, slots: Counts) -> None:
        self._order[slots, fields] = self._begun[fields]
        self._from[slots, fields] = self._visit[fields]
        self._season_from[slots, fields] = self._season_rows[fields]
        self._observed[slots, fields] = 0
        self._expected[slots, fields] = 0
        self._wealth[:, slots, fields] = 0
        self._fresh[fields] = 0
        if fields.size:
            self._before = self._compute_normalisers()

    def _list_laws(self) -> list[Floats]:
        """Return the null of this visit, then its alternatives, `[kept, fields, bins]` each."""
        pseudo_counts = self._prior + self._more * self._share[:, self._season, None]
        null = self._known[:, self._season] + self._from + pseudo_counts
        share, total = _compute_shares(null), null.sum(axis=-1, keepdims=True)
        seen = self._observed.sum(axis=-1, keepdims=True)
        laws = [null]
        for concentration in CONCENTRATIONS:
            belief = concentration * share
            ratio = np.divide(
                self._observed + belief,
                self._expected + belief,
                out=np.zeros_like(share),
                where=share > 0,
            )
            # Both the tilt and the season's shares are uncertain: add their variances.
            sure = 1 / (1 / (concentration + seen) + 1 / np.maximum(total, PRIOR))
            laws.append(sure * _compute_shares(share * ratio))
        return [*laws, self._least + np.zeros_like(null)]

    def _compute_normalisers(self) -> Floats:
        return np.array([log_beta(law, self._present) for law in self._list_laws()])

    def _compute_gains(self, counts: Floats) -> Floats:
        """Return the log likelihood ratios in this visit, `[alternatives, ...]`."""
        now = [log_beta(law + counts, self._present) for law in self._list_laws()]
        likelihoods = np.array(now) - self._before
        gains: Floats = likelihoods[1:] - likelihoods[0]
        return gains

    def _weigh_gains(self) -> Floats:
        """Return each restart's gain, weighted by its stake, `[kept, fields]`."""
        gains = self._wealth + self._compute_gains(self._visit[None] - self._from)
        mixed = np.logaddexp.reduce(gains, axis=0) - np.log(_ALTERNATIVES)
        terms: Floats = mixed + log_stake(self._order)
        return terms


def _compute_shares(counts: Floats) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    return shares
