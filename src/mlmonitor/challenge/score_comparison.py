"""Predictions of two models, compared without labels."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.challenge.running_sums import RunningMean, bound_mean, subtract_means
from mlmonitor.challenge.score_bins import ScoreBins
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.records import Floats


class ScoreComparison:
    """How the predictions of a champion (0) and a challenger (1) differ: by row and as a whole.

    The difference of two classes is 0 if they are equal and 1 otherwise.
    """

    def __init__(self) -> None:
        self._pairs = RunningMean()
        self._means = RunningMean(), RunningMean()
        self._bins: ScoreBins | None = None
        self._has_classes = False

    def update(self, predictions: Floats, *, has_classes: bool) -> None:
        """Add rows `[2, rows]`, NaN where a model made no prediction."""
        if self._bins is None:
            self._bins, self._has_classes = ScoreBins(has_classes=has_classes), has_classes
        for side, values in enumerate(predictions):
            self._means[side].update(values)
            self._bins.update(side, values)
        self.pair(predictions)

    def pair(self, predictions: Floats) -> None:
        """Add the differences of rows that both models have predicted."""
        with np.errstate(all="ignore"):
            differences = predictions[1] - predictions[0]
        if self._has_classes:
            differences = np.where(np.isnan(differences), np.nan, differences != 0)
        self._pairs.update(differences)

    @property
    def rows(self) -> Mapping[str, int]:
        """Predictions of each model, and rows with predictions of both."""
        champion, challenger = (mean.count for mean in self._means)
        return {"champion": champion, "challenger": challenger, "both": self._pairs.count}

    def subtract(self, alpha: float) -> Estimate:
        """Return the mean difference, or the share of rows with different predicted classes."""
        if self._pairs.count or self._has_classes:
            return self._pairs.estimate(alpha)
        champion, challenger = self._means
        count = min(champion.count, challenger.count)
        return bound_mean(*subtract_means(challenger, champion), count, alpha)

    def distance(self) -> float | None:
        """Return the PSI between the two distributions; None with too few predictions."""
        return None if self._bins is None else self._bins.distance()
