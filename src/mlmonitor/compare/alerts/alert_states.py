"""When evidence and effect agree, alerts fire; they stay until the stream has recovered."""

import numpy as np

from mlmonitor.compare.alerts.open_alerts import Transitions
from mlmonitor.records import Floats, Mask


class AlertStates:
    """Whether the alert of each stream of a population is firing, for all streams together.

    An alert fires when the logarithm of the stream's e-value reaches `threshold` and the lower
    confidence bound of its effect exceeds `tolerance`: a powerful test finds harmless shifts, too.
    It resolves when enough rows in succession show nothing beyond chance.

    Promise: with a threshold of `ln(streams / alpha)`, the chance that *any* of the streams ever
        fires although nothing drifts is at most `alpha`, however they depend on each other and
        however often they are evaluated: each passes with chance `alpha / streams` at most (Ville),
        and the chances add up.
    Source: the union bound; that running maxima must not be ranked (e-BH) is shown by "Carefree
        multiple testing with e-processes", arXiv 2501.19360.
    """

    __slots__ = ("_min_rows", "_threshold", "_tolerance", "is_firing", "started_at")

    def __init__(
        self, streams: int, *, threshold: float, tolerance: float, min_rows: int = 0
    ) -> None:
        self._threshold, self._tolerance, self._min_rows = threshold, tolerance, min_rows
        self.is_firing: Mask = np.zeros(streams, np.bool_)
        self.started_at: Floats = np.full(streams, np.nan)

    def evaluate(
        self, log_e: Floats, effect: Floats, rows: Floats, *, has_recovered: Mask, now: float
    ) -> Transitions:
        """Decide which alerts fire and which resolve at `now`, in seconds.

        log_e: the evidence of each stream. effect: the lower bound of its effect. rows: how many
        rows are behind both. has_recovered: whether its newest rows, enough of them, show nothing.
        """
        is_significant = (log_e >= self._threshold) & (effect > self._tolerance)
        fired = is_significant & (rows >= self._min_rows) & ~self.is_firing
        resolved = self.is_firing & has_recovered & ~fired
        self.is_firing = (self.is_firing | fired) & ~resolved
        self.started_at = np.where(fired, now, np.where(resolved, np.nan, self.started_at))
        return Transitions(fired, resolved)
