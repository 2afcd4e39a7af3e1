"""What all watches of objectives share: the protocol of a watch, and the breach of a bound."""

from typing import Final, NamedTuple, Protocol

import numpy as np

from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.records import Objective

NAN: Final = float("nan")


class Breach(NamedTuple):
    """The measure that broke a bound: its value, the rows behind it, and the evidence.

    current: the measure over the newest rows.
    """

    value: float
    current: float
    rows: int
    log10_e_value: float


class BoundWatch(Protocol):
    """Watches the measure of one objective."""

    @property
    def objective(self) -> Objective:
        """The bounds."""

    def evaluate(self, *, now: float) -> tuple[bool, bool]:
        """Evaluate the rows so far; return whether the alert fired, and whether it resolved."""

    def breach(self, *, now: float) -> Breach:
        """Return the measure behind a firing alert."""

    def status(self, *, now: float) -> ObjectiveStatus:
        """Return the current status of the objective."""


def broken_bound(objective: Objective, value: float) -> float:
    """Return the bound that a value breaks; if it breaks none, the nearest one."""
    bounds = [bound for bound in (objective.minimum, objective.maximum) if bound is not None]
    if objective.minimum is not None and value < objective.minimum:
        return objective.minimum
    if objective.maximum is not None and value > objective.maximum:
        return objective.maximum
    return min(bounds, key=lambda bound: abs(value - bound))


def distance_beyond(objective: Objective, value: float) -> float:
    """Return how far a value is beyond a bound; zero or negative if it is within both."""
    below = -np.inf if objective.minimum is None else objective.minimum - value
    above = -np.inf if objective.maximum is None else value - objective.maximum
    return float(max(below, above))
