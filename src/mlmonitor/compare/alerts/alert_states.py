"""Alert states: alerts fire with evidence of a large enough effect, and resolve on recovery."""

import numpy as np

from mlmonitor.compare.alerts.open_alerts import Transitions
from mlmonitor.records import Floats, Mask


class AlertStates:
    """The alert state of each stream of evidence, such as the drift of one field.

    An alert fires when the natural logarithm of the stream's e-value reaches `threshold` and the
    lower confidence bound of its effect exceeds `tolerance`, because a powerful test also detects
    harmless shifts. It resolves after enough consecutive rows without a significant change.
    Promise: with a threshold of `ln(streams / alpha)`, the probability that *any* stream ever fires
        without drift is at most `alpha`, for any dependence between streams and any number of
        evaluations: each stream fires with probability `alpha / streams` at most (Ville), and the
        probabilities add up.
    Source: the union bound; "Carefree multiple testing with e-processes", arXiv 2501.19360, shows
        that running maxima must not be ranked (e-BH).
    """

    __slots__ = ("_min_rows", "_threshold", "_tolerance", "is_firing", "started_at")

    def __init__(
        self, streams: int, *, threshold: float, tolerance: float, min_rows: int = 0
    ) -> None:
        self._threshold, self._tolerance, self._min_rows = threshold, tolerance, min_rows
        self.is_firing: Mask = np.zeros(streams, np.bool_)
        self.started_at: Floats = np.full(streams, np.nan)

    def continue_from(self, other: "AlertStates", kept: Mask) -> None:
        """Take over the firing alerts of `other` at the indices marked in `kept`."""
        self.is_firing = other.is_firing & kept
        self.started_at = np.where(self.is_firing, other.started_at, np.nan)

    def evaluate(
        self, log_e: Floats, effect: Floats, rows: Floats, *, has_recovered: Mask, now: float
    ) -> Transitions:
        """Decide which alerts fire and which resolve at `now`, in seconds since 1970.

        All arrays are `[streams]`.

        log_e: the natural logarithm of the e-value.
        effect: the lower bound of the effect.
        rows: the number of rows behind both.
        has_recovered: whether enough of the newest rows show no change.
        """
        is_significant = (log_e >= self._threshold) & (effect > self._tolerance)
        fired = is_significant & (rows >= self._min_rows) & ~self.is_firing
        resolved = self.is_firing & has_recovered & ~fired
        self.is_firing = (self.is_firing | fired) & ~resolved
        self.started_at = np.where(fired, now, np.where(resolved, np.nan, self.started_at))
        return Transitions(fired, resolved)
