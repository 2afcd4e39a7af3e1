"""Evidence that a loss has grown further while its alert is firing."""

from typing import Final

import numpy as np

from mlmonitor.records import Floats
from mlmonitor.stats.sequential.risk_process import RiskEvidence, RiskProcess

FURTHER_TOLERANCE: Final = 0.1
"""Further growth up to this share of a firing alert's loss is not reported."""

LEVEL_ROWS: Final = 200
"""The number of losses after an alert with which later losses are compared."""


class FurtherGrowth:
    """Compares later losses with the first losses after an alert has fired.

    Losses from before the alert are not used, because some precede the change and would make the
    level too low.
    Price: nothing until an alert fires; then that of a `RiskProcess`.
    """

    def __init__(self, values: Floats, *, threshold: float, min_rows: int) -> None:
        self._values, self._threshold, self._min_rows = values, threshold, min_rows
        self._is_watching = False
        self._process: RiskProcess | None = None
        self._totals: Floats = np.zeros(values.size + 1)

    def begin(self) -> None:
        """Start to watch later losses: an alert has fired, or the loss behind it has grown."""
        self._is_watching, self._process = True, None
        self._totals = np.zeros(self._values.size + 1)

    def end(self) -> None:
        """Stop watching, because the alert has resolved."""
        self._is_watching, self._process = False, None

    def ingest(self, totals: Floats) -> None:
        """Add counts by bin, and the sum of the losses."""
        if not self._is_watching:
            return
        self._totals += totals
        if self._process is not None:
            self._process.restart(self._totals)
        elif self._totals[:-1].sum() >= LEVEL_ROWS:
            level = np.rint(self._totals[:-1]).astype(np.int64)
            self._process = RiskProcess(self._values, level, tolerance=FURTHER_TOLERANCE)
            self._totals = np.zeros(self._values.size + 1)

    def evaluate(self, *, design_effect: float = 1.0) -> RiskEvidence | None:
        """Return the evidence of further growth, and start again; None if it does not suffice."""
        if self._process is None:
            return None
        evidence = self._process.evaluate(self._totals, design_effect=design_effect)
        if evidence.log_e < self._threshold or evidence.rows < self._min_rows:
            return None
        self.begin()
        return evidence
