"""Alerts on the performance that is estimated while labels are missing."""

from collections.abc import Callable
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.compare.alerts.alert import ESTIMATED_FIELD, Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.estimated.estimator import Estimator
from mlmonitor.compare.estimated.expected_losses import ExpectedLosses
from mlmonitor.compare.risk.risk_baseline import RiskBaseline
from mlmonitor.compare.risk.risk_stream import RiskLimits, RiskStream
from mlmonitor.formatting import short

ESTIMATE_TOLERANCE: Final = 0.1
"""Relative growth of an expected loss that is ignored: the calibration is no more accurate."""

LABELLED_SHARE: Final = 0.5
"""If this share of the newest cohorts' predictions has labels, realised losses are used instead."""

_NEWEST_COHORTS = 3


class EstimateAlerts:
    """Fires alerts if the expected errors of unlabelled predictions exceed those in training.

    The mean absolute error or the accuracy is watched by a running risk, whose evidence is valid at
    any time. Nothing fires while most of the newest predictions are labelled, or while labels
    refute the estimate.
    Price: about 0.3 ms for each evaluation, and the memory of one risk.
    """

    def __init__(  # noqa: PLR0913 - what it reads, and when
        self,
        estimator: Estimator,
        baseline: RiskBaseline,
        significance: Significance,
        table: CohortTable,
        *,
        design_effect: Callable[[int], float],
        row_clock: RowClock,
        now: float,
    ) -> None:
        self.evaluated_at: float = now
        self._estimator, self._table, self._design_effect = estimator, table, design_effect
        self._losses: ExpectedLosses = ExpectedLosses(baseline.bins)
        limits = RiskLimits(
            significance.performance_threshold, ESTIMATE_TOLERANCE, significance.min_rows
        )
        self._begin: Callable[[], RiskStream] = lambda: RiskStream(baseline, limits)
        self._stream = self._begin()
        self._counted = self._losses.totals.copy()
        self._counted_rows = 0
        self._open, self._row_clock = OpenAlerts(), row_clock
        estimator.watch(self._losses)

    @property
    def unevaluated_rows(self) -> int:
        """Predictions since the last evaluation."""
        return self._losses.rows - self._counted_rows

    def evaluate(self, *, now: float) -> list[Alert]:
        """Evaluate the predictions so far; return the alert if it fired or resolved."""
        self.evaluated_at = now
        added = self._losses.totals - self._counted
        self._counted, self._counted_rows = self._losses.totals.copy(), self._losses.rows
        is_refuted = self._stream.baseline.bins.measure in self._estimator.refuted
        if is_refuted or self._is_labelled():
            return self._end()
        self._stream.ingest(added)
        effect = self._design_effect(self._losses.rows)
        fired, resolved = self._stream.evaluate(now=now, design_effect=effect)
        return self._open.apply(Transitions(fired, resolved), self._build)

    def _is_labelled(self) -> bool:
        """Whether enough predictions of the newest cohorts have labels to do without estimates."""
        newest = self._table.order()[-_NEWEST_COHORTS:]
        predicted = int(self._table.predicted[newest].sum())
        return predicted > 0 and self._table.labelled[newest].sum() >= LABELLED_SHARE * predicted

    def _end(self) -> list[Alert]:
        """Discard the evidence and resolve a firing alert, because labels are used instead."""
        if not self._stream.has_losses:
            return []
        self._stream = self._begin()
        resolved = np.array([len(self._open) > 0])
        return self._open.apply(Transitions(np.zeros(1, np.bool_), resolved), self._build)

    def _build(self, _place: int) -> Alert:
        grown = self._stream.grown_loss
        return grown.build_alert(
            ESTIMATED_FIELD,
            started_at=self._row_clock.read(self.evaluated_at),
            reason=f"estimated without labels; {short(grown.value_before)} in the reference, "
            f"{short(grown.value)} expected now, if {self._estimator.assumption}",
        )

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alert, if it is firing, with `current` over the newest predictions."""
        if len(self._open):
            self._open.refresh(np.array([self._stream.current()]))
        return tuple(self._open)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self._stream.nbytes + 2 * self._losses.totals.nbytes
