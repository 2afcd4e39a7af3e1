"""The evidence that alerts need. Only this module divides `alpha` among streams."""

from typing import NamedTuple

import numpy as np

DRIFT_PART, QUALITY_PART, SERVICE_PART = 0.76, 0.16, 0.04
PERFORMANCE_PART, OBJECTIVES_PART = 0.02, 0.02
"""Shares of `alpha` by what is compared; smaller where changes are obvious anyway."""

STREAMS_PER_FIELD = 7
"""Maximum number of quality streams per field: five defects, constant, vanished."""

SERVICE_STREAMS = 2
"""Failures and latency."""

PERFORMANCE_STREAMS = 6
"""Maximum number of performance streams: the risks of one task's measures, and one estimate."""

NAMES = 64
"""Maximum number of names outside the reference that are evaluated individually."""


class Significance(NamedTuple):
    """The conditions under which a change fires an alert.

    Thresholds are natural logarithms of e-values.

    alpha: the probability that any stream ever fires without a change.
    fields: the number of fields that share `alpha`, over all populations of a model.
    tolerance: the largest PSI that is ignored.
    min_rows: changes shown by fewer rows never fire.
    quality_tolerance: the largest increase of the share of defective values that is ignored.
    """

    alpha: float
    fields: int
    tolerance: float
    min_rows: int = 0
    quality_tolerance: float = 0.001

    @property
    def drift_threshold(self) -> float:
        """The evidence at which drift of one field fires an alert."""
        return self._compute_threshold(self.fields, DRIFT_PART)

    @property
    def quality_threshold(self) -> float:
        """The evidence at which one kind of defect in one field fires an alert."""
        return self._compute_threshold(STREAMS_PER_FIELD * self.fields + NAMES, QUALITY_PART)

    @property
    def service_threshold(self) -> float:
        """The evidence at which failures, or latency, fire an alert."""
        return self._compute_threshold(SERVICE_STREAMS, SERVICE_PART)

    @property
    def performance_threshold(self) -> float:
        """The evidence at which the risk of one measure fires an alert."""
        return self._compute_threshold(PERFORMANCE_STREAMS, PERFORMANCE_PART)

    def objective_threshold(self, objectives: int) -> float:
        """Return the evidence at which one of this many declared objectives fires an alert."""
        return self._compute_threshold(objectives, OBJECTIVES_PART)

    def _compute_threshold(self, streams: int, part: float) -> float:
        # The probabilities of all streams add up under any dependence (union bound).
        return float(np.log(max(streams, 1) / (part * self.alpha)))
