"""Alerts on shares of bad values: evidence over two bins, bad and good, one row a stream."""

from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert_states import AlertStates, Transitions
from mlmonitor.compare.alerts.recovery import Recovery
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.proportions import critical_share, growth_lower_bound

_KEPT = 5  # restarts: of two bins a change is found with fewer


class Looked(NamedTuple):
    """What a look found, by stream: what turned, and what speaks loudest for a change."""

    turn: Transitions
    log10_e: Floats
    share: Floats
    rows: Counts


class ProportionAlerts:
    """Which of many shares have grown beyond what was believed of them, and beyond tolerance.

    belief: `[streams, 2]`, bad and good values in counts: chance is beta-binomial. Promise and
    price are those of `EProcess` over two bins. Shares that shrink are as much evidence, but no
    alert: their effect is below zero.
    """

    def __init__(
        self, belief: Floats, *, threshold: float, tolerance: float, min_rows: int
    ) -> None:
        self.belief: Floats = belief
        shape = belief.shape
        self._evidence = EProcess(
            np.zeros(shape, np.int64), np.ones(shape, np.bool_), prior=belief, kept=_KEPT
        )
        self._alarms = AlertStates(
            shape[0], threshold=threshold, tolerance=tolerance, min_rows=min_rows
        )
        self._calm = Recovery(shape)
        self._counts: Counts = np.zeros(shape, np.int64)

    def look(self, new: Counts, *, now: float) -> Looked:
        """Take in the counts of new values, `[streams, 2]`."""
        self._evidence.update(new)
        self._counts += new
        log_e, bad, rows = self._evaluate_evidence()
        turn = self._alarms.look(
            log_e,
            growth_lower_bound(self.belief, bad, rows),
            rows.astype(np.float64),
            is_calm=self._calm.look(self._counts, self._is_still),
            now=now,
        )
        self._calm.begin(turn.raised, self._counts, rows)
        self._evidence.reset(turn.cleared)
        return Looked(
            turn,
            log_e / np.log(10),
            bad / np.maximum(rows, 1),
            rows,
        )

    def _evaluate_evidence(self) -> tuple[Floats, Counts, Counts]:
        """Log e-value, bad values and rows of each stream's loudest stretch.

        Of streams that never had a bad value nothing is worked out: they cannot have grown.
        """
        size = len(self.belief)
        log_e, bad, rows = np.zeros(size), np.zeros(size, np.int64), np.zeros(size, np.int64)
        met = np.flatnonzero(self._counts[:, 0])
        if met.size:
            evaluation = self._evidence.evaluate(met)
            log_e[met], rows[met] = evaluation.log_e, evaluation.change.rows
            bad[met] = evaluation.change.counts[:, 0]
        return log_e, bad, rows

    def critical(self, rows: Counts) -> Floats:
        """What each share may be by chance, in so many rows."""
        return critical_share(self.belief, rows)

    @property
    def raised(self) -> Mask:
        """Whose alert holds."""
        return self._alarms.raised

    @property
    def nbytes(self) -> int:
        """Memory held."""
        held = self._evidence.nbytes + self._calm.nbytes
        return held + self._counts.nbytes + self.belief.nbytes

    def _is_still(self, counts: Counts) -> Mask:
        is_still: Mask = growth_lower_bound(self.belief, counts[:, 0], counts.sum(axis=1)) <= 0
        return is_still
