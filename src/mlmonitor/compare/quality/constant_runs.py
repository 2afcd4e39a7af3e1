"""Fields that have stopped to vary, or to come: runs of equal or of missing values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.compare.count_table import entry_counts, present, profile_counts
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Counts, Floats, Mask, Quality
from mlmonitor.stats.eprocess import PRIOR
from mlmonitor.stats.special import log_gamma

_MISSING = QUALITIES.index(Quality.MISSING)


class Run(NamedTuple):
    """By stream, first all constant ones, then all vanished: log evidence, log chance, rows."""

    log_e: Floats
    log_chance: Floats
    rows: Counts


class RunDetector:
    """How surely the newest rows of a field have one value only, or none at all.

    Where the reference varied, `n` equal values have at most the chance that all fall into one
    bin: the sum over bins of their Dirichlet-multinomial probability. Of a bin that stands for many
    categories it is the chance of one of them, of which none is more frequent than the most
    frequent that is listed, times how many such fit into the bin. A run begins with a look
    whose rows are all equal; if it begins with look `j` it is staked as a restart is, with
    `1 / ((j + 1)(j + 2))`.
    Promise: the chance that a stream's evidence ever passes `ln(1 / a)` without a change is at most
        `a` (union bound over the beginnings).
    Price: three small arrays a look.
    """

    def __init__(self, plan: Plan, entries: Sequence[CountedEntry]) -> None:
        self._numeric = len(plan.schema.numeric)
        reference, is_bin = entry_counts(entries, plan), present(plan)
        self._belief: Floats = np.where(is_bin, reference + PRIOR, 0.0)
        varied = np.array([_varied(entry) for entry in entries], np.bool_)
        # Bins that stand for many categories: their names tell whether all values are equal.
        self._is_value = is_bin[:, :-1].copy()
        self._single: Floats = self._belief[:, :-1].copy()
        for at, book in enumerate(plan.dictionaries, start=self._numeric):
            top = len(book.top)
            self._is_value[at, top:] = False
            most = self._belief[at, :top].max(initial=PRIOR)
            self._single[at, top:] = np.minimum(self._single[at, top:], most)
        # Rising factorials are convex in what is believed: so many of the most are the worst.
        self._log_many: Floats = np.log(
            np.maximum(self._belief[:, :-1], PRIOR) / np.maximum(self._single, PRIOR)
        )
        self._can = np.concatenate([varied, reference[:, -1] < reference.sum(axis=1)])
        self._looks = 0
        self._seen: Counts = np.zeros_like(reference)
        self._seen_missing: Counts = np.zeros(len(entries), np.int64)
        self._value: Floats = np.full(2 * len(entries), np.nan)
        self._rows: Counts = np.zeros(2 * len(entries), np.int64)
        self._stake: Floats = np.zeros(2 * len(entries))

    def skip(self, total: Profile) -> None:
        """Leave out everything so far."""
        self._seen, self._seen_missing = profile_counts(total), total.quality[:, _MISSING].copy()

    def look(self, total: Profile, extremes: tuple[Floats, Floats]) -> tuple[Run, Mask]:
        """What the newest rows say, and which streams were met as they are to be.

        total: everything since the start; extremes: see `Window.drain_extremes`.
        """
        counts, missing = profile_counts(total), total.quality[:, _MISSING]
        new, new_missing = counts - self._seen, missing - self._seen_missing
        self._seen, self._seen_missing = counts, missing.copy()
        values, valid = self._one_value(new[:, :-1], extremes), new[:, :-1].sum(axis=1)
        is_none = (new_missing > 0) & (new_missing == new.sum(axis=1))
        self._go_on(
            np.concatenate([values, np.where(is_none, 0.0, np.nan)]),
            np.concatenate([valid, new_missing]),
            np.concatenate([valid > 0, new.sum(axis=1) > 0]),
        )
        runs = ~np.isnan(self._value) & self._can
        log_chance = np.zeros(len(runs))
        if runs.any():
            log_chance = np.where(runs, self._log_chance(self._rows), 0.0)
        log_e = np.where(runs, -log_chance - self._stake, -np.inf)
        is_met = np.concatenate([(valid > 0) & np.isnan(values), valid > 0])
        return Run(log_e, log_chance, self._rows.copy()), is_met

    def _one_value(self, new: Counts, extremes: tuple[Floats, Floats]) -> Floats:
        """The value that all new values are, or its category's number; NaN where they vary."""
        low, high = extremes
        is_one = np.count_nonzero(new, axis=1) == 1
        only = np.argmax(new, axis=1)
        by_extremes = ~self._is_value[np.arange(len(new)), only]
        by_extremes[: self._numeric] = True
        is_one &= ~by_extremes | (low == high)
        found = np.where(by_extremes, low, only)
        return np.where(is_one, found, np.nan)

    def _go_on(self, values: Floats, rows: Counts, came: Mask) -> None:
        """Lengthen runs whose value came again, begin those of another, end the others."""
        self._looks += 1
        is_same = values == self._value
        begins = came & ~is_same
        self._rows = np.where(is_same, self._rows + rows, np.where(begins, rows, self._rows))
        stake = np.log((self._looks + 1.0) * (self._looks + 2.0))
        self._stake = np.where(begins, stake, self._stake)
        self._value = np.where(came, values, self._value)

    def _log_chance(self, rows: Counts) -> Floats:
        fields = len(self._belief)
        values, gone = self._belief[:, :-1], self._belief[:, -1]
        n = rows.astype(np.float64)
        whole = np.maximum(values.sum(axis=1), PRIOR)
        single = np.maximum(self._single, PRIOR)
        of_bins = _log_all(single, whole[:, None], n[:fields, None]) + self._log_many
        of_bins = np.where(values > 0, of_bins, -np.inf)
        constant = np.logaddexp.reduce(of_bins, axis=1, initial=-np.inf)
        vanished = _log_all(gone, self._belief.sum(axis=1), n[fields:])
        log_chance: Floats = np.minimum(np.concatenate([constant, vanished]), 0.0)
        return log_chance

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return (
            self._belief.nbytes
            + self._single.nbytes
            + self._log_many.nbytes
            + self._is_value.nbytes
            + self._seen.nbytes
            + 56 * len(self._belief)
        )


def _varied(entry: CountedEntry) -> bool:
    """Whether the reference had more than one value."""
    if isinstance(entry, NumericReference):
        return bool(entry.stddev)
    return sum(count > 0 for count in entry.counts) > 1


def _log_all(belief: Floats, whole: Floats, n: Floats) -> Floats:
    """The logarithm of the chance that `n` values all fall where `belief` of `whole` is."""
    log_chance: Floats = (
        log_gamma(belief + n) - log_gamma(belief) - log_gamma(whole + n) + log_gamma(whole)
    )
    return log_chance
