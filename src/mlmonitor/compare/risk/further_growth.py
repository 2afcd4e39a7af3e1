"""Evidence that a loss whose alert is firing has grown once more."""

from typing import Final

import numpy as np

from mlmonitor.records import Floats
from mlmonitor.stats.sequential.risk_process import RiskEvidence, RiskProcess

FURTHER_TOLERANCE: Final = 0.1
"""Growth by a tenth beyond the level of a firing alert is not reported."""

LEVEL_ROWS: Final = 200
"""The first losses after an alert show the level that later ones are compared with."""


class FurtherGrowth:
    """Compares the losses since an alert fired with the first of them.

    Those that fired it would understate the level, because some of them are from before the change.
    Price: nothing until an alert fires; then that of a `RiskProcess`.
    """

    def __init__(self, values: Floats, *, threshold: float, min_rows: int) -> None:
        self._values, self._threshold, self._min_rows = values, threshold, min_rows
        self._is_watching = False
        self._process: RiskProcess | None = None
        self._totals: Floats = np.zeros(values.size + 1)

    def begin(self) -> None:
        """Watch later losses: an alert has fired, or grown once more."""
        self._is_watching, self._process = True, None
        self._totals = np.zeros(self._values.size + 1)

    def end(self) -> None:
        """Watch nothing any more: the alert has resolved."""
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
        """Return the evidence of further growth, and begin again; None if there is none."""
        if self._process is None:
            return None
        evidence = self._process.evaluate(self._totals, design_effect=design_effect)
        if evidence.log_e < self._threshold or evidence.rows < self._min_rows:
            return None
        self.begin()
        return evidence
