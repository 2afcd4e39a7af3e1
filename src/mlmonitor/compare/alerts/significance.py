"""Thresholds that decide when a change fires an alert. The only place that divides `alpha`."""

from typing import NamedTuple

import numpy as np

DRIFT_PART, QUALITY_PART, SERVICE_PART = 0.8, 0.16, 0.04
"""Parts of `alpha` for drift, quality and the service: the more glaring a change, the smaller."""

STREAMS_PER_FIELD = 7
"""The most streams of quality a field has: five defects, constant, vanished."""

SERVICE_STREAMS = 2
"""Failures and latency."""

NAMES = 64
"""How many names that the reference does not know are evaluated one by one."""


class Significance(NamedTuple):
    """What a change needs to fire an alert.

    alpha: the chance that any stream ever fires although nothing changes. fields: how many share
    it, in all populations of a model. tolerance: a PSI too small to matter. min_rows: fewer never
    fire. quality_tolerance: a growth of the share of defective values too small to matter.
    """

    alpha: float
    fields: int
    tolerance: float
    min_rows: int = 0
    quality_tolerance: float = 0.001

    @property
    def drift_threshold(self) -> float:
        """The `log_e` of drift that fires; each field has one stream of it."""
        return self._threshold(self.fields, DRIFT_PART)

    @property
    def quality_threshold(self) -> float:
        """The `log_e` of a quality stream that fires."""
        return self._threshold(STREAMS_PER_FIELD * self.fields + NAMES, QUALITY_PART)

    @property
    def service_threshold(self) -> float:
        """The `log_e` of a stream of the service that fires."""
        return self._threshold(SERVICE_STREAMS, SERVICE_PART)

    def _threshold(self, streams: int, part: float) -> float:
        # The chances of all streams add up, however they depend on each other (union bound).
        return float(np.log(max(streams, 1) / (part * self.alpha)))
