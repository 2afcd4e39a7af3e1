"""When evidence and effect agree: alerts that are raised once, stay, and are cleared."""

from typing import NamedTuple

import numpy as np

from mlmonitor.records import Floats, Mask


class Transitions(NamedTuple):
    """What one look changed: the fields whose alert was raised, and those that were cleared."""

    raised: Mask
    cleared: Mask


class AlertStates:
    """One alert a field, over all fields of a population together.

    An alert is raised when the logarithm of the field's e-value reaches `threshold` and the lower
    confidence bound of its effect passes `tolerance`: a powerful test finds harmless shifts, too.
    It stays until a stretch of rows long enough to tell shows nothing beyond chance.

    Promise: with a threshold of `ln(fields / alpha)`, the chance that *any* of the fields ever
        alerts though nothing drifts is at most `alpha`, however they depend on each other and
        however often one looks: each passes with chance `alpha / fields` at most (Ville), and the
        chances add up.
    Source: the union bound; that running maxima must not be ranked (e-BH) is shown by "Carefree
        multiple testing with e-processes", arXiv 2501.19360.
    """

    __slots__ = ("_min_rows", "_threshold", "_tolerance", "raised", "since")

    def __init__(
        self, fields: int, *, threshold: float, tolerance: float, min_rows: int = 0
    ) -> None:
        self._threshold, self._tolerance, self._min_rows = threshold, tolerance, min_rows
        self.raised: Mask = np.zeros(fields, np.bool_)
        self.since: Floats = np.full(fields, np.nan)

    def look(
        self, log_e: Floats, effect: Floats, rows: Floats, *, is_calm: Mask, now: float
    ) -> Transitions:
        """Take in what is known at `now`.

        log_e: the evidence of each field. effect: the lower bound of its effect. rows: behind
        both. is_calm: whether the newest rows, enough of them to tell, show nothing.
        """
        enough = rows >= self._min_rows
        holds = (log_e >= self._threshold) & (effect > self._tolerance) & enough
        raised = holds & ~self.raised
        cleared = self.raised & is_calm & ~raised
        self.raised = (self.raised | raised) & ~cleared
        self.since = np.where(raised, now, np.where(cleared, np.nan, self.since))
        return Transitions(raised, cleared)
