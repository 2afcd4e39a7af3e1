"""Evidence of drift that is valid at any time, from counts alone."""

from typing import NamedTuple, Protocol

import numpy as np

from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.special import log_gamma

PRIOR = 0.5
"""Half a count a bin, Jeffreys' prior of a multinomial."""

CONCENTRATIONS = (50.0, 300.0)
"""How near the null the alternatives lie: in rows' worth of belief in the null's shares."""


class ChangeSegment(NamedTuple):
    """The rows since the restart with the most evidence.

    counts: `[fields, bins]`; rows: `[fields]`.
    seasons: the rows by season, `[fields, seasons]`; no columns without seasons.
    """

    counts: Counts
    rows: Counts
    seasons: Counts


class Evaluation(NamedTuple):
    """The logarithm of each field's e-value, and the change that it shows most clearly."""

    log_e: Floats
    change: ChangeSegment


class EvidenceProcess(Protocol):
    """Evidence of each field that stays valid whenever it is evaluated."""

    def begin_season(self, season: int) -> None:
        """Count later rows in this season."""

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`."""

    def log_e(self) -> Floats:
        """The logarithm of each field's e-value."""

    def evaluate(self) -> Evaluation:
        """The e-values, and the change that each field shows most clearly."""

    def reset(self, fields: Mask) -> None:
        """Start again for some fields."""

    @property
    def nbytes(self) -> int:
        """Memory held."""


_ALL = slice(None)
_BATCH_FIELDS = 64  # fields: more would take memory that is no longer in the cache


class EProcess:
    """An e-process for each field: how well "its bins have changed" explains its counts.

    The null says that the counts are drawn as the reference's were: their predictive law is
    Dirichlet-multinomial with the reference's counts and half a count a bin, so that a small
    reference is not taken for the truth. The alternative mixes Dirichlet laws around the null,
    near and far but no surer than it, and a flat one. Because a change may be late, the process
    restarts with the first update after `restart_rows` rows, each restart with a share of the
    stake; rows before a restart belong to its null.

    Promise: while rows are exchangeable with the reference's, the chance that `log_e` *ever*
        exceeds `ln(1 / alpha)` is at most `alpha`, however often it is looked at. By Ville's
        inequality on average over laws as Jeffreys' prior has them, for a ratio of predictive laws
        is a martingale under their mixture; of each single law that was tried, by simulation
        (`pytest -m '' tests/statistical`).
    reference: counts `[fields, bins]`; present: which of the bins each field has. prior: what is
    believed of each bin before the reference, in counts, where it is not half a count.
    Price: `8 * bins * (kept + 4)` bytes a field, and 2 MB for the moment of a look at most; about
        10 us a field and look. Constant: `kept` restarts remain, spaced geometrically over the
        past (`slot_for_restart`); dropping others can only lower the evidence.
    Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022,
        whose null is one law, not a sample's. Restarts as in Shin, Ramdas and Rinaldo,
        "E-detectors", NEJSDS 2023; but those are summed, which bounds how often alerts fire, and
        these share one stake, which bounds whether any ever fires.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_evaluation",
        "_least",
        "_order",
        "_present",
        "_reference",
        "_restart_rows",
        "_starts",
        "_total",
    )

    def __init__(
        self,
        reference: Counts,
        present: Mask,
        *,
        prior: Floats | None = None,
        restart_rows: int = 1_000,
        kept: int = 12,
    ) -> None:
        fields, width = reference.shape
        believed = reference + (PRIOR if prior is None else prior)
        self._present = present
        self._reference: Floats = np.where(self._present, believed, 0.0)
        self._least: Floats = least_belief(prior, present)
        self._restart_rows = restart_rows
        self._total: Counts = np.zeros((fields, width), np.int64)
        self._starts: Counts = np.zeros((kept, fields, width), np.int64)
        self._begun: Counts = np.zeros(fields, np.int64)
        # Which restart a slot holds; -1 while it holds none.
        self._order: Counts = np.full((kept, fields), -1, np.int64)
        # Each law's normaliser, computed once a restart.
        self._before: Floats = np.zeros((len(CONCENTRATIONS) + 2, kept, fields))
        self._start(np.arange(fields), np.zeros(fields, np.int64))
        self._evaluation: Evaluation | None = None  # of all fields, until rows are added

    def begin_season(self, season: int) -> None:
        """Change nothing: all seasons share one null here."""

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`; a restart follows where it is due."""
        if not counts.any():
            return
        self._evaluation = None
        self._total += counts
        newest = np.argmax(self._order, axis=0)
        rows = (self._total - self._starts[newest, np.arange(len(newest))]).sum(axis=1)
        due = np.flatnonzero(rows >= self._restart_rows)
        if due.size:
            self._begun[due] += 1
            self._start(due, slot_for_restart(self._order[:, due]))

    def log_e(self) -> Floats:
        """The logarithm of each field's e-value, as of now."""
        return self.evaluate().log_e

    def evaluate(self, fields: Counts | slice = _ALL) -> Evaluation:
        """The e-values, and the rows since the restart that gains most.

        fields: the places of those to evaluate, if not all. Price: cached until rows are added.
        """
        if fields is not _ALL:
            return self._evaluate(fields)
        if self._evaluation is None:
            self._evaluation = self._evaluate(fields)
        return self._evaluation

    def _evaluate(self, fields: Counts | slice) -> Evaluation:
        at = np.arange(len(self._total))[fields]
        parts = []
        for start in range(0, max(at.size, 1), _BATCH_FIELDS):
            parts.append(self._evaluate_batch(at[start : start + _BATCH_FIELDS]))
            yield_gil()
        log_e, changes = zip(*parts, strict=True)
        joined = (np.concatenate(each) for each in zip(*changes, strict=True))
        return Evaluation(np.concatenate(log_e), ChangeSegment(*joined))

    def _evaluate_batch(self, fields: Counts) -> Evaluation:
        terms = self._gain(fields) + self._stake(fields)
        begun, total = self._begun[fields], self._total[fields]
        # What is staked on later restarts keeps its value.
        log_e: Floats = np.logaddexp(np.logaddexp.reduce(terms, axis=0), -np.log(begun + 2.0))
        loudest = np.argmax(terms, axis=0)
        counts = total - self._starts[:, fields][loudest, np.arange(len(loudest))]
        seasons = np.zeros((len(counts), 0), np.int64)
        return Evaluation(log_e, ChangeSegment(counts, counts.sum(axis=1), seasons))

    def reset(self, fields: Mask) -> None:
        """Start again for some fields, as after an alert that was cleared."""
        at = np.flatnonzero(fields)
        if at.size == 0:
            return
        self._evaluation = None
        self._total[at] = 0
        self._starts[:, at] = 0
        self._begun[at] = 0
        self._order[:, at] = -1
        self._start(at, np.zeros(at.size, np.int64))

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays."""
        held = (
            self._reference,
            self._least,
            self._total,
            self._starts,
            self._begun,
            self._order,
            self._before,
        )
        return sum(array.nbytes for array in held)

    def _start(self, fields: Counts, slots: Counts) -> None:
        self._starts[slots, fields] = self._total[fields]
        self._order[slots, fields] = self._begun[fields]
        present = self._present[fields]
        self._before[:, slots, fields] = log_beta(self._laws(self._total[fields], fields), present)

    def _laws(self, start: Counts, fields: Counts) -> Floats:
        """The null, then its alternatives, for rows after `start`: `[laws, ...]`."""
        null = self._reference[fields] + start
        known = np.maximum(null.sum(axis=-1, keepdims=True), PRIOR)
        flat = self._least[fields]
        laws = np.empty((len(CONCENTRATIONS) + 2, *null.shape))
        laws[0], laws[-1] = null, flat
        # No surer of the null's shares than the null is, and no surer that a bin stays empty: else
        # it would be evidence that a small reference, or one of empty bins, is not typical.
        for law, concentration in zip(laws[1:-1], CONCENTRATIONS, strict=True):
            np.maximum(null * (concentration / (known + concentration)), flat, out=law)
        return laws

    def _gain(self, fields: Counts) -> Floats:
        """Log likelihood ratio of each restart's bet, `[kept, fields]`."""
        used = self._used
        starts, present = self._starts[:used, fields], self._present[fields]
        laws = self._laws(starts, fields)
        laws += self._total[fields] - starts
        found = log_beta(laws, present)
        found -= self._before[:, :used, fields]
        gain: Floats = np.logaddexp.reduce(found[1:], axis=0) - np.log(len(found) - 1) - found[0]
        return gain

    @property
    def _used(self) -> int:
        """How many slots hold a restart, of the field that has most."""
        return min(int(self._begun.max(initial=0)) + 1, len(self._order))

    def _stake(self, fields: Counts) -> Floats:
        return log_stake(self._order[: self._used, fields])


def least_belief(prior: Floats | None, present: Mask) -> Floats:
    """What every law believes of each bin at least: half a count, or less where `prior` is less."""
    if prior is None:
        return np.where(present, PRIOR, 0.0)
    is_less = present & (prior > 0)
    return np.where(is_less, np.minimum(prior, PRIOR), np.where(present, PRIOR, 0.0))


def slot_for_restart(order: Counts) -> Counts:
    """Which slot of each field the next restart takes, `[fields]`.

    order: `[kept, fields]`, the number of the restart in each slot, -1 where it is free. Once all
    are taken, the first restart stays, and of the others the one goes whose neighbours are closest
    in the ratio of their ages: so those kept are spaced geometrically over the past.
    """
    fields = order.shape[1]
    by_age = np.argsort(order, axis=0, kind="stable")  # free slots first, then the oldest
    ordered = np.take_along_axis(order, by_age, axis=0)
    newest = ordered[-1]
    ages = np.vstack([newest - ordered + 1, np.zeros(fields, np.int64)]) + 1.0
    ratios = ages[:-2] / ages[2:]
    closest = 1 + np.argmin(ratios, axis=0)
    place = np.where(ordered[0] < 0, 0, closest)
    slots: Counts = by_age[place, np.arange(fields)]
    return slots


def log_stake(order: Counts) -> Floats:
    """What each restart may bet, by its number from 0: all of them together 1. None at -1."""
    begun = np.maximum(order, 0)
    shares: Floats = -np.log((begun + 1.0) * (begun + 2.0))
    return np.where(order >= 0, shares, -np.inf)


def log_beta(a: Floats, present: Mask) -> Floats:
    """The normaliser of Dirichlet laws, whose parameters `a` are on the last axis.

    present: which of them there are; all others are 0.
    """
    parameters = np.empty((*a.shape[:-1], a.shape[-1] + 1))  # and their sum, in one go with them
    np.maximum(a.sum(axis=-1), PRIOR, out=parameters[..., -1])
    parameters[..., :-1] = np.where(present, a, 1.0)  # log_gamma(1) is 0: as if it were not there
    found = log_gamma(parameters)
    normaliser: Floats = found[..., :-1].sum(axis=-1) - found[..., -1]
    return normaliser
