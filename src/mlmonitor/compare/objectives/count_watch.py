"""Objectives for counted measures: traffic, and the maturity of labels."""

from collections.abc import Callable

import numpy as np

from mlmonitor.compare.objectives.bound_watch import NAN, Breach, distance_beyond
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.records import Objective

Measured = Callable[[float], tuple[float, int] | None]
"""Takes a time, returns a measure and the number of rows behind it; None if unknown."""


class CountWatch:
    """Whether a counted measure breaks its bound now. `measure` is called at each evaluation."""

    def __init__(self, objective: Objective, measure: Measured, *, min_rows: int = 0) -> None:
        self.objective: Objective = objective
        self.is_firing: bool = False
        self._measure, self._min_rows = measure, min_rows
        self._breach = Breach(NAN, NAN, 0, 0.0)

    def evaluate(self, *, now: float) -> tuple[bool, bool]:
        """Check the current measure; return whether the alert fired, and whether it resolved."""
        measured = self._measure(now)
        if measured is None or measured[1] < self._min_rows:
            return False, False
        value, rows = measured
        is_broken = distance_beyond(self.objective, value) > 0
        fired, resolved = is_broken and not self.is_firing, self.is_firing and not is_broken
        self.is_firing = is_broken
        if fired:
            self._breach = Breach(value, value, rows, np.inf)
        return fired, resolved

    def breach(self, *, now: float) -> Breach:
        """Return the value with which the measure broke its bound, and its present value."""
        measured = self._measure(now)
        return self._breach if measured is None else self._breach._replace(current=measured[0])

    def status(self, *, now: float) -> ObjectiveStatus:
        """Return the current status of the objective; its value is NaN while it is unknown."""
        measured = self._measure(now)
        if measured is None:
            return ObjectiveStatus(self.objective, NAN, NAN, NAN, 0, 0.0, None)
        value, rows = measured
        log10_e = np.inf if self.is_firing else 0.0
        return ObjectiveStatus(self.objective, value, NAN, NAN, rows, log10_e, not self.is_firing)
