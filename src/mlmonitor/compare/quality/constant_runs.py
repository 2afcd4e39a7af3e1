"""Detects fields that no longer vary or arrive: runs of equal or of missing values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.compare.count_table import entry_counts, possible_bins, profile_counts
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Counts, Floats, Mask, Quality
from mlmonitor.reference.disclosure import LEAST_ROWS
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.evidence.dirichlet import PRIOR
from mlmonitor.stats.special import log_gamma

_MISSING = QUALITIES.index(Quality.MISSING)


class RunEvidence(NamedTuple):
    """Log evidence, log probability and rows `[streams]`: constant streams, then vanished ones."""

    log_e: Floats
    log_chance: Floats
    rows: Counts


class RunDetector:
    """Evidence that the newest rows of a field have a single value, or none.

    If the reference varied, the probability of `n` equal values is at most that of all falling into
    one bin: the sum over bins of their Dirichlet-multinomial probability. A bin that stands for
    many categories adds the probability of one such category, times the number of them that fit
    into the bin; each is assumed to be as frequent as the most frequent listed one. A run begins
    with an evaluation whose rows are all equal; a run that begins with evaluation `j` has the prior
    weight of a restart, `1 / ((j + 1)(j + 2))`.
    Promise: the probability that a stream's evidence ever exceeds `ln(1 / a)` without a change is
        at most `a` (union bound over all possible starts).
    Price: three small arrays per evaluation. dependence: dependent rows count as fewer.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        dependence: DesignEffects | None = None,
    ) -> None:
        self._dependence = dependence
        self._numeric = len(plan.schema.numeric)
        reference, is_bin = entry_counts(entries, plan), possible_bins(plan)
        self._belief: Floats = np.where(is_bin, reference + PRIOR, 0.0)
        varied = np.array([_has_varied(entry) for entry in entries], np.bool_)
        # In bins that stand for many categories, only names show whether all values are equal.
        self._is_value = is_bin[:, :-1].copy()
        self._single: Floats = self._belief[:, :-1].copy()
        for place, dictionary in enumerate(plan.dictionaries, start=self._numeric):
            top = dictionary.listed
            self._is_value[place, top:] = False
            # A withheld category had too few rows to be listed, even if no category is listed.
            least = PRIOR if dictionary.is_closed else LEAST_ROWS + PRIOR
            most = self._belief[place, :top].max(initial=least)
            self._single[place, top:] = np.minimum(self._single[place, top:], most)
        # Rising factorials are convex in the belief, so the worst case is that all categories are
        # as frequent as the most frequent one.
        self._log_many: Floats = np.log(
            np.maximum(self._belief[:, :-1], PRIOR) / np.maximum(self._single, PRIOR)
        )
        self._can_run = np.concatenate([varied, reference[:, -1] < reference.sum(axis=1)])
        self._evaluations = 0
        self._seen: Counts = np.zeros_like(reference)
        self._seen_missing: Counts = np.zeros(len(entries), np.int64)
        self._value: Floats = np.full(2 * len(entries), np.nan)
        self._rows: Counts = np.zeros(2 * len(entries), np.int64)
        self._stake: Floats = np.zeros(2 * len(entries))

    def skip(self, total: FieldProfile) -> None:
        """Exclude everything so far, because rows that became the reference are not evidence."""
        self._seen, self._seen_missing = profile_counts(total), total.quality[:, _MISSING].copy()

    def evaluate(
        self, total: FieldProfile, extremes: tuple[Floats, Floats]
    ) -> tuple[RunEvidence, Mask]:
        """Return the current run of each stream, and a mask of the streams that have varied.

        total: the profile since the start. extremes: the smallest and the largest new value of each
        field.
        """
        counts, missing = profile_counts(total), total.quality[:, _MISSING]
        new, new_missing = counts - self._seen, missing - self._seen_missing
        self._seen, self._seen_missing = counts, missing.copy()
        values, valid = self._find_common_value(new[:, :-1], extremes), new[:, :-1].sum(axis=1)
        is_none = (new_missing > 0) & (new_missing == new.sum(axis=1))
        self._extend(
            np.concatenate([values, np.where(is_none, 0.0, np.nan)]),
            np.concatenate([valid, new_missing]),
            np.concatenate([valid > 0, new.sum(axis=1) > 0]),
        )
        runs = ~np.isnan(self._value) & self._can_run
        log_chance = np.zeros(len(runs))
        if runs.any():
            log_chance = np.where(runs, self._log_chance(self._rows), 0.0)
        log_e = np.where(runs, -log_chance - self._stake, -np.inf)
        has_varied = np.concatenate([(valid > 0) & np.isnan(values), valid > 0])
        return RunEvidence(log_e, log_chance, self._rows.copy()), has_varied

    def _find_common_value(self, new: Counts, extremes: tuple[Floats, Floats]) -> Floats:
        """The common value of all new values, or the code of its category; NaN if they vary."""
        low, high = extremes
        is_one = np.count_nonzero(new, axis=1) == 1
        only = np.argmax(new, axis=1)
        by_extremes = ~self._is_value[np.arange(len(new)), only]
        by_extremes[: self._numeric] = True
        is_one &= ~by_extremes | (low == high)
        value = np.where(by_extremes, low, only)
        return np.where(is_one, value, np.nan)

    def _extend(self, values: Floats, rows: Counts, has_rows: Mask) -> None:
        """Extend runs whose value is repeated, begin runs of new values, end all others."""
        self._evaluations += 1
        is_same = values == self._value
        begins = has_rows & ~is_same
        self._rows = np.where(is_same, self._rows + rows, np.where(begins, rows, self._rows))
        stake = np.log((self._evaluations + 1.0) * (self._evaluations + 2.0))
        self._stake = np.where(begins, stake, self._stake)
        self._value = np.where(has_rows, values, self._value)

    def _log_chance(self, rows: Counts) -> Floats:
        fields = len(self._belief)
        values, gone = self._belief[:, :-1], self._belief[:, -1]
        n = rows.astype(np.float64)
        if self._dependence is not None:
            n = n / self._dependence.at(rows.reshape(2, fields)).ravel()
        whole = np.maximum(values.sum(axis=1), PRIOR)
        single = np.maximum(self._single, PRIOR)
        of_bins = _log_all(single, whole[:, None], n[:fields, None]) + self._log_many
        of_bins = np.where(values > 0, of_bins, -np.inf)
        constant = np.logaddexp.reduce(of_bins, axis=1, initial=-np.inf)
        vanished = _log_all(gone, self._belief.sum(axis=1), n[fields:])
        log_chance: Floats = np.minimum(np.concatenate([constant, vanished]), 0.0)
        return log_chance

    def shares(self, recent: FieldProfile) -> Floats:
        """The share of equal or absent values since the run of each stream began, `[streams]`.

        It is 1 while the run lasts. Afterwards it is 0 for constant streams, and for vanished
        streams the share of missing values in the window, `recent`. NaN if the window has no
        values.
        """
        constant = len(self._belief)
        valid, rows = profile_counts(recent)[:, :-1].sum(axis=1), recent.quality.sum(axis=1)
        missing = recent.quality[:, _MISSING] / np.maximum(rows, 1)
        ended = np.concatenate([np.zeros(constant), missing])
        sizes = np.concatenate([valid, rows])
        shares = np.where(np.isnan(self._value), ended, 1.0)
        return np.where(sizes > 0, shares, np.nan)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return (
            self._belief.nbytes
            + self._single.nbytes
            + self._log_many.nbytes
            + self._is_value.nbytes
            + self._seen.nbytes
            + 56 * len(self._belief)
        )


def _has_varied(entry: CountedEntry) -> bool:
    """Whether the reference had more than one value."""
    if isinstance(entry, NumericReference):
        return bool(entry.stddev)
    is_varied_elsewhere = entry.id_like or entry.once + entry.twice > 1
    return is_varied_elsewhere or sum(count > 0 for count in entry.counts) > 1


def _log_all(belief: Floats, whole: Floats, n: Floats) -> Floats:
    """Log probability that `n` values all fall into bins with `belief` of the `whole` counts."""
    log_chance: Floats = (
        log_gamma(belief + n) - log_gamma(belief) - log_gamma(whole + n) + log_gamma(whole)
    )
    return log_chance
