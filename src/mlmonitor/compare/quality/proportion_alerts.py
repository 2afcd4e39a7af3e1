"""Alerts on growing proportions: evidence over two bins per stream, defective and good."""

from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.open_alerts import Transitions
from mlmonitor.compare.alerts.recovery import Recovery
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.proportions import critical_share, growth_lower_bound

_KEPT = 8  # number of restarts; two bins need fewer than ten bins do


class ProportionEvaluation(NamedTuple):
    """Transitions of one evaluation, and the stretch with the most evidence of each stream.

    log10_e, share, rows: `[streams]`; `share` is that of defective values in the stretch.
    """

    transitions: Transitions
    log10_e: Floats
    share: Floats
    rows: Counts


class _Strongest(NamedTuple):
    """The stretch of each stream with the most evidence, kept while no values arrive."""

    log_e: Floats
    defective: Counts
    rows: Counts


class ProportionAlerts:
    """Detects which of many proportions have grown beyond the reference and a tolerance.

    belief: `[streams, 2]`, counts of defective and good values in the reference, the parameters of
    a beta-binomial distribution. dependence: design effects of the streams. Promise and price are
    those of `EProcess` with two bins. A share that shrinks is evidence as well, but fires no alert
    because its growth is below zero.
    """

    def __init__(
        self,
        belief: Floats,
        *,
        threshold: float,
        tolerance: float,
        min_rows: int,
        dependence: DesignEffects | None = None,
    ) -> None:
        shape, self._dependence = belief.shape, dependence
        if dependence is not None:
            belief = belief / dependence.at_reference(belief.sum(axis=1))[:, None]
        self.belief: Floats = belief
        self._evidence = EProcess(
            np.zeros(shape, np.int64),
            np.ones(shape, np.bool_),
            prior=belief,
            kept=_KEPT,
            dependence=dependence,
        )
        self.states: AlertStates = AlertStates(
            shape[0], threshold=threshold, tolerance=tolerance, min_rows=min_rows
        )
        self._recovery = Recovery(shape)
        self._counts: Counts = np.zeros(shape, np.int64)
        self._strongest: _Strongest | None = None  # until values arrive

    def continue_from(self, other: "ProportionAlerts", kept: Mask) -> None:
        """Take over the firing alerts of `other` at the indices in `kept`."""
        self.states.continue_from(other.states, kept)

    def evaluate(self, new: Counts, *, now: float) -> ProportionEvaluation:
        """Evaluate the counts of new values, `[streams, 2]`."""
        self._evidence.update(new)
        self._counts += new
        if self._strongest is None or new.any():
            self._strongest = self._find_strongest()
        log_e, defective, rows = self._strongest
        transitions = self.states.evaluate(
            log_e,
            self._bound_growth(defective, rows),
            rows.astype(np.float64),
            has_recovered=self._recovery.evaluate(self._counts, self._shows_nothing),
            now=now,
        )
        self._recovery.restart(transitions.fired, self._counts, rows)
        self._evidence.reset(transitions.resolved)
        if transitions.resolved.any():
            self._strongest = None
        share = defective / np.maximum(rows, 1)
        return ProportionEvaluation(transitions, log_e / np.log(10), share, rows)

    def _find_strongest(self) -> "_Strongest":
        """Return log e-value, defective values and rows of each stream's strongest stretch.

        Streams that never had a defective value are skipped: their share cannot have grown.
        """
        size = len(self.belief)
        log_e, defective, rows = np.zeros(size), np.zeros(size, np.int64), np.zeros(size, np.int64)
        active = np.flatnonzero(self._counts[:, 0])
        if active.size:
            evidence = self._evidence.evaluate(active)
            log_e[active], rows[active] = evidence.log_e, evidence.change.rows
            defective[active] = evidence.change.counts[:, 0]
        return _Strongest(log_e, defective, rows)

    def thresholds(self, rows: Counts) -> Floats:
        """The critical value of each share at this many rows."""
        if self._dependence is None:
            return critical_share(self.belief, rows)
        worth = np.ceil(rows / self._dependence.at(rows)).astype(np.int64)
        return critical_share(self.belief, worth)

    @property
    def is_firing(self) -> Mask:
        """Whether the alert of each stream is firing; do not write to the array."""
        return self.states.is_firing

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        statistics = self._evidence.nbytes + self._recovery.nbytes
        strongest = 3 * self.belief[:, 0].nbytes
        return statistics + self._counts.nbytes + self.belief.nbytes + strongest

    def _shows_nothing(self, counts: Counts) -> Mask:
        shows_nothing: Mask = self._bound_growth(counts[:, 0], counts.sum(axis=1)) <= 0
        return shows_nothing

    def _bound_growth(self, defective: Counts, rows: Counts) -> Floats:
        """Return a lower bound of the growth of each share."""
        if self._dependence is None:
            return growth_lower_bound(self.belief, defective, rows)
        effects = self._dependence.at(rows)
        return growth_lower_bound(self.belief, defective / effects, rows / effects)
