"""Anytime-valid evidence of drift, from counts alone."""

import numpy as np

from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.evidence.dirichlet import (
    PRIOR,
    effective_reference,
    least_pseudo_counts,
    log_beta,
)
from mlmonitor.stats.evidence.evidence_process import (
    ChangeSegment,
    Evaluation,
    RestartSegments,
)
from mlmonitor.stats.evidence.restarts import log_stake, slot_for_restart
from mlmonitor.stats.evidence.tilts import TILTS

CONCENTRATIONS = (50.0, 300.0)
"""Concentrations of the alternatives around the null's shares, in rows."""


_ALL = slice(None)
_BATCH_FIELDS = 64  # fields; more would not fit into the CPU cache


class EProcess:
    """An e-process for each field: the evidence that the distribution over its bins has changed.

    Under the null, counts are drawn like those of the reference: their predictive law is
    Dirichlet-multinomial with the reference's counts plus half a count a bin, which accounts for
    the size of the reference. The alternative mixes a flat Dirichlet law with laws around the null
    that are no more concentrated than the null. For ordered fields, half of the mixture consists of
    laws in which the whole field has moved or a heavy tail has grown, because a single shift costs
    less evidence than bins that change separately.
    Because a change may begin late, the process restarts with the first update after every
    `restart_rows` rows. Each restart has a share of the stake, and rows before a restart belong to
    its null.

    Promise: while rows are exchangeable with the reference's, the probability that `log_e` *ever*
        exceeds `ln(1 / alpha)` is at most `alpha`, regardless of the number of evaluations. This
        holds by Ville's inequality on average over laws drawn from Jeffreys' prior, because a ratio
        of predictive laws is a martingale under their mixture. For single laws it is checked by
        simulation (`pytest -m '' tests/statistical`).
    reference: counts `[fields, bins]`; present: the bins that each field has. prior: pseudo-counts
    of each bin, by default half a count. tilts: see `tilt_factors`; None for no tilts. dependence:
    the counts of the reference, and of the rows since each restart, are divided by their design
    effects; the promise is then an approximation, see docs/algorithms/dependence.md.
    Price: `8 * bins * (kept + 9)` bytes a field, and at most 2 MB during an evaluation; about 10 us
        a field and evaluation, 20 us with tilts. Constant: `kept` restarts remain, spaced
        geometrically over the past (`slot_for_restart`); dropping others can only lower the
        evidence.
    Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022,
        whose null is a known law instead of a sample. Restarts follow Shin, Ramdas and Rinaldo,
        "E-detectors", NEJSDS 2023. They sum restarts, which bounds the frequency of alerts; sharing
        one stake bounds the probability of any alert.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_dependence",
        "_evaluation",
        "_least",
        "_log_weights",
        "_order",
        "_past_scale",
        "_present",
        "_reference",
        "_restart_rows",
        "_starts",
        "_tilts",
        "_total",
    )

    def __init__(  # noqa: PLR0913 - all but two by keyword
        self,
        reference: Counts,
        present: Mask,
        *,
        prior: Floats | None = None,
        restart_rows: int = 1_000,
        kept: int = 12,
        tilts: Floats | None = None,
        dependence: DesignEffects | None = None,
    ) -> None:
        fields, width = reference.shape
        self._tilts: Floats | None = tilts
        self._log_weights: Floats = _log_weights(fields, tilts)
        self._dependence = dependence
        pseudo_counts = effective_reference(reference, dependence) + (
            PRIOR if prior is None else prior
        )
        self._present = present
        self._reference: Floats = np.where(self._present, pseudo_counts, 0.0)
        self._least: Floats = least_pseudo_counts(prior, present)
        self._restart_rows = restart_rows
        self._total: Counts = np.zeros((fields, width), np.int64)
        self._starts: Counts = np.zeros((kept, fields, width), np.int64)
        self._begun: Counts = np.zeros(fields, np.int64)
        # The number of the restart in each slot; -1 if the slot is free.
        self._order: Counts = np.full((kept, fields), -1, np.int64)
        # By restart: the weight in its null of each row that arrived before it.
        self._past_scale: Floats = np.ones((kept, fields))
        # The normaliser of each law, computed once for each restart.
        self._before: Floats = np.zeros((1 + len(self._log_weights), kept, fields))
        self._start(np.arange(fields), np.zeros(fields, np.int64))
        self._evaluation: Evaluation | None = None  # cached for all fields until rows are added

    def begin_season(self, season: int) -> None:
        """Do nothing: all seasons share one null."""

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`; restart if one is due."""
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
        """Return the logarithm of each field's e-value."""
        return self.evaluate().log_e

    def evaluate(self, fields: Counts | slice = _ALL) -> Evaluation:
        """Return the e-values, and the rows since the restart with the highest gain.

        fields: indices of the fields to evaluate, by default all. Price: cached until rows arrive.
        """
        if fields is not _ALL:
            return self._evaluate(fields)
        if self._evaluation is None:
            self._evaluation = self._evaluate(fields)
        return self._evaluation

    def _evaluate(self, fields: Counts | slice) -> Evaluation:
        places = np.arange(len(self._total))[fields]
        parts = []
        for start in range(0, max(places.size, 1), _BATCH_FIELDS):
            parts.append(self._evaluate_batch(places[start : start + _BATCH_FIELDS]))
            yield_gil()
        log_e, changes = zip(*parts, strict=True)
        joined = (np.concatenate(pieces) for pieces in zip(*changes, strict=True))
        return Evaluation(np.concatenate(log_e), ChangeSegment(*joined))

    def _evaluate_batch(self, fields: Counts) -> Evaluation:
        gain = self._compute_gain(fields)
        yield_gil()
        terms = gain + self._stake(fields)
        begun, total = self._begun[fields], self._total[fields]
        # The stake reserved for future restarts keeps its value.
        log_e: Floats = np.logaddexp(np.logaddexp.reduce(terms, axis=0), -np.log(begun + 2.0))
        loudest = np.argmax(terms, axis=0)
        counts = total - self._starts[:, fields][loudest, np.arange(len(loudest))]
        seasons = np.zeros((len(counts), 0), np.int64)
        return Evaluation(log_e, ChangeSegment(counts, counts.sum(axis=1), seasons))

    def restarts(self, fields: Counts) -> RestartSegments:
        """Return all stored restarts of the fields at these indices."""
        log_e = self._compute_gain(fields) + self._stake(fields)
        counts = self._total[fields] - self._starts[: self._used, fields]
        return RestartSegments(log_e, counts, np.zeros((*log_e.shape, 0), np.int64))

    def reset(self, fields: Mask) -> None:
        """Discard all evidence of these fields, as after a resolved alert."""
        places = np.flatnonzero(fields)
        if places.size == 0:
            return
        self._evaluation = None
        self._total[places] = 0
        self._starts[:, places] = 0
        self._begun[places] = 0
        self._order[:, places] = -1
        self._start(places, np.zeros(places.size, np.int64))

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes."""
        arrays = (
            self._reference,
            self._least,
            self._total,
            self._starts,
            self._begun,
            self._order,
            self._before,
            self._past_scale,
            self._log_weights,
            *(() if self._tilts is None else (self._tilts,)),
        )
        return sum(array.nbytes for array in arrays)

    def _start(self, fields: Counts, slots: Counts) -> None:
        self._starts[slots, fields] = self._total[fields]
        self._order[slots, fields] = self._begun[fields]
        present = self._present[fields]
        past: Counts | Floats = self._total[fields]
        if self._dependence is not None:
            effects = self._dependence.at(self._total.sum(axis=1))[fields]
            self._past_scale[slots, fields] = 1 / effects
            past = past / effects[:, None]
        self._before[:, slots, fields] = log_beta(self._list_laws(past, fields), present)

    def _list_laws(self, start: Counts | Floats, fields: Counts | slice) -> Floats:
        """Return the null, then its alternatives, for rows after `start`: `[laws, ...]`."""
        null = self._reference[fields] + start
        total = np.maximum(null.sum(axis=-1, keepdims=True), PRIOR)
        flat = self._least[fields]
        laws = np.empty((1 + len(self._log_weights), *null.shape))
        laws[0], laws[1] = null, flat
        # No alternative is more concentrated than the null, in total or in an empty bin. Otherwise
        # a small reference, or one with empty bins, would itself count as evidence.
        tilted = 2 + len(CONCENTRATIONS)
        for law, concentration in zip(laws[2:tilted], CONCENTRATIONS, strict=True):
            np.maximum(null * (concentration / (total + concentration)), flat, out=law)
        if self._tilts is not None:
            moved, factors = laws[tilted:], self._tilts[:, fields]
            np.multiply(null, factors if null.ndim < factors.ndim else factors[:, None], out=moved)
            moved *= total / np.maximum(moved.sum(axis=-1, keepdims=True), PRIOR)
            np.maximum(moved, flat, out=moved)
        return laws

    def _compute_gain(self, fields: Counts) -> Floats:
        """Return the log likelihood ratio of each restart, `[kept, fields]`."""
        used = self._used
        starts, present = self._starts[:used, fields], self._present[fields]
        since: Counts | Floats = self._total[fields] - starts
        past: Counts | Floats = starts
        if self._dependence is not None:
            past = starts * self._past_scale[:used, fields][:, :, None]
            rows = (self._total - self._starts[:used]).sum(axis=-1)
            since = since / self._dependence.at(rows)[:, fields, None]
        laws = self._list_laws(past, fields)
        laws += since
        yield_gil()
        likelihoods = log_beta(laws, present)
        yield_gil()
        likelihoods -= self._before[:, :used, fields]
        weighted = likelihoods[1:] + self._log_weights[:, None, fields]
        gain: Floats = np.logaddexp.reduce(weighted, axis=0) - likelihoods[0]
        return gain

    @property
    def _used(self) -> int:
        """The largest number of stored restarts of any field."""
        return min(int(self._begun.max(initial=0)) + 1, len(self._order))

    def _stake(self, fields: Counts) -> Floats:
        return log_stake(self._order[: self._used, fields])


def _log_weights(fields: int, tilts: Floats | None) -> Floats:
    """Return the log weight of each alternative, `[alternatives, fields]`."""
    around = np.full((1 + len(CONCENTRATIONS), fields), -np.log(1 + len(CONCENTRATIONS)))
    if tilts is None:
        return around
    is_ordered = (tilts != 1).any(axis=(0, 2))
    tilted = np.where(is_ordered, -np.log(2 * len(TILTS)), -np.inf)
    around -= np.where(is_ordered, np.log(2), 0.0)
    return np.vstack([around, np.tile(tilted, (len(TILTS), 1))])
