"""Evidence of drift in seasonal traffic: each season has a null of its own."""

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.eprocess import (
    CONCENTRATIONS,
    PRIOR,
    ChangeSegment,
    Evaluation,
    least_belief,
    log_beta,
    log_stake,
    slot_for_restart,
)

_ALTERNATIVES = len(CONCENTRATIONS) + 1


class SeasonalEProcess:
    """As `EProcess`, where the law of the rows depends on their season.

    A *visit* is a run of rows in one season. Its null: the rows are drawn as those of the same
    season were, in the reference and in earlier visits. Its alternatives: Dirichlet laws around the
    season's shares *tilted* by what has been seen since a restart, bin by bin the ratio of observed
    to expected counts of the visits before this one. So a change that is common to all hours
    carries over from one hour to the next.

    Promise: while rows are exchangeable within each season with the reference's, the chance that
        `log_e` *ever* exceeds `ln(1 / alpha)` is at most `alpha`. For, given everything before a
        visit, both its laws are fixed, and so the ratio of their probabilities of the visit's rows
        so far has expectation 1 under the null, visit after visit; mixtures of such products over
        alternatives and restarts, and what is dropped of them, keep that (Ville).
    reference: counts `[fields, seasons, bins]`; present: which of the bins each field has. prior:
    as of `EProcess`, of which what is more than half a count is believed.
    Price: `8 * bins * (seasons + 3 * kept) + 8 * seasons * kept` bytes a field and a little: 36 KiB
        of ten bins and the hours of a week, 9 KiB for those of a day; twice the time of `EProcess`.
    Source: Lindon and Malek, NeurIPS 2022, season by season; the tilt is a predictable plug-in, as
        in Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024.
    """

    __slots__ = (
        "_before",
        "_begun",
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
    ) -> None:
        fields, seasons, width = reference.shape
        self._present, self._reference = present, reference
        self._restart_rows, self._season = restart_rows, 0
        # Half a count a bin; of a bin that no season has, half a count in all, as in `EProcess`.
        is_met = reference.sum(axis=1) > 0
        self._least: Floats = least_belief(prior, present)
        self._prior: Floats = np.where(is_met, self._least, self._least / seasons)
        # What is believed beyond that, in counts of the whole, falls to each season by its rows.
        more = np.zeros((fields, width)) if prior is None else np.maximum(prior - PRIOR, 0.0)
        self._more: Floats = np.where(present, more, 0.0)
        rows = reference.sum(axis=2)
        self._share: Floats = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
        self._known: Counts = reference.copy()  # and what has been seen, but for the visit
        self._visit: Counts = np.zeros((fields, width), np.int64)
        self._season_rows: Counts = np.zeros((fields, seasons), np.int64)
        self._fresh: Counts = np.zeros(fields, np.int64)  # rows since the newest restart
        self._begun: Counts = np.zeros(fields, np.int64)
        # Of each restart kept: which one it is, what the visit held when it began, what has been
        # seen and was to be expected since, in visits that are over, and what was gained in these.
        self._order: Counts = np.full((kept, fields), -1, np.int64)
        self._from: Counts = np.zeros((kept, fields, width), np.int64)
        self._observed: Counts = np.zeros((kept, fields, width), np.int64)
        self._expected: Floats = np.zeros((kept, fields, width))
        self._season_from: Counts = np.zeros((kept, fields, seasons), np.int64)
        self._wealth: Floats = np.zeros((_ALTERNATIVES, kept, fields))
        self._before: Floats = np.zeros((_ALTERNATIVES + 1, kept, fields))
        self._start(np.arange(fields), np.zeros(fields, np.int64))

    def begin_season(self, season: int) -> None:
        """Count later rows in this season."""
        if season == self._season:
            return
        counts = self._visit[None] - self._from
        self._wealth += self._gains(counts)
        # Not the null's shares, which lean to the even by half a count a bin: where a season has
        # few rows that is a bias, much the same in seasons that are alike, and no change.
        met = self._known[:, self._season] + self._from
        self._observed += counts
        # A season that was never met before has nothing to expect: it says nothing of a tilt.
        is_known = met.sum(axis=-1, keepdims=True) > 0
        self._expected += np.where(
            is_known, _shares(met) * counts.sum(axis=-1, keepdims=True), counts
        )
        self._known[:, self._season] += self._visit
        self._visit[:] = 0
        self._from[:] = 0
        self._season = season
        self._before = self._normalisers()

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`, all of the season that has begun."""
        rows = counts.sum(axis=1)
        self._visit += counts
        self._season_rows[:, self._season] += rows
        self._fresh += rows
        due = np.flatnonzero(self._fresh >= self._restart_rows)
        if due.size:
            self._begun[due] += 1
            self._start(due, slot_for_restart(self._order[:, due]))

    def log_e(self) -> Floats:
        """The logarithm of each field's e-value, as of now."""
        return self.evaluate().log_e

    def evaluate(self) -> Evaluation:
        """The e-values, and the rows since the restart that gains most."""
        terms = self._terms()
        unstaked = -np.log(self._begun + 2.0)
        log_e: Floats = np.logaddexp(np.logaddexp.reduce(terms, axis=0), unstaked)
        at = np.argmax(terms, axis=0), np.arange(len(self._visit))
        counts = self._observed[at] + self._visit - self._from[at]
        seasons = self._season_rows - self._season_from[at]
        return Evaluation(log_e, ChangeSegment(counts, counts.sum(axis=1), seasons))

    def reset(self, fields: NDArray[np.bool_]) -> None:
        """Start again for some fields, as after an alert that was cleared."""
        at = np.flatnonzero(fields)
        self._known[at] = self._reference[at]
        self._visit[at] = 0
        self._begun[at] = 0
        self._order[:, at] = -1
        self._from[:, at] = 0
        self._start(at, np.zeros(at.size, np.int64))

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays; the reference's own is its owner's."""
        shared = ("_reference", "_present", "_season", "_restart_rows")
        held = (getattr(self, name) for name in self.__slots__ if name not in shared)
        return sum(array.nbytes for array in held)

    def _start(self, fields: Counts, slots: Counts) -> None:
        self._order[slots, fields] = self._begun[fields]
        self._from[slots, fields] = self._visit[fields]
        self._season_from[slots, fields] = self._season_rows[fields]
        self._observed[slots, fields] = 0
        self._expected[slots, fields] = 0
        self._wealth[:, slots, fields] = 0
        self._fresh[fields] = 0
        if fields.size:
            self._before = self._normalisers()

    def _laws(self) -> list[Floats]:
        """The null of the visit's rows, then its alternatives, `[kept, fields, bins]` each."""
        believed = self._prior + self._more * self._share[:, self._season, None]
        null = self._known[:, self._season] + self._from + believed
        share, known = _shares(null), null.sum(axis=-1, keepdims=True)
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
            # Sure of neither the tilt nor the season's shares: the doubts add up.
            sure = 1 / (1 / (concentration + seen) + 1 / np.maximum(known, PRIOR))
            laws.append(sure * _shares(share * ratio))
        return [*laws, self._least + np.zeros_like(null)]

    def _normalisers(self) -> Floats:
        return np.array([log_beta(law, self._present) for law in self._laws()])

    def _gains(self, counts: Counts) -> Floats:
        """What each alternative has gained on the null in this visit, `[alternatives, ...]`."""
        now = [log_beta(law + counts, self._present) for law in self._laws()]
        likelihoods = np.array(now) - self._before
        gains: Floats = likelihoods[1:] - likelihoods[0]
        return gains

    def _terms(self) -> Floats:
        """Each restart's gain, weighted by its share of the stake, `[kept, fields]`."""
        gains = self._wealth + self._gains(self._visit[None] - self._from)
        mixed = np.logaddexp.reduce(gains, axis=0) - np.log(_ALTERNATIVES)
        terms: Floats = mixed + log_stake(self._order)
        return terms


def _shares(counts: Counts | Floats) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    return shares
