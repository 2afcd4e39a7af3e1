"""When a change is an alert, and how the populations of a model are looked at."""

from typing import NamedTuple

import numpy as np

DRIFT_PART, QUALITY_PART = 0.8, 0.2
"""What drift and quality may use up of `alpha`: changes of quality are the more glaring ones."""

STREAMS_PER_FIELD = 7
"""Streams of quality a field has at most: five kinds of bad values, constant, vanished."""

NAMES = 64
"""So many names that the reference does not know are judged one by one."""


class Significance(NamedTuple):
    """When a change is an alert. Here alone it is worked out what each stream may use of `alpha`.

    alpha: the chance that any stream ever alerts though nothing changes. fields: how many share it,
    in all populations of a model. tolerance: a PSI too small to matter. min_rows: fewer never
    alert. quality_tolerance: a growth of a share of bad values too small to matter.
    """

    alpha: float
    fields: int
    tolerance: float
    min_rows: int = 0
    quality_tolerance: float = 0.001

    @property
    def drift_threshold(self) -> float:
        """What `log_e` of drift has to reach, which each field has one stream of."""
        return self._threshold(self.fields, DRIFT_PART)

    @property
    def quality_threshold(self) -> float:
        """What `log_e` of bad quality has to reach in each stream there is."""
        return self._threshold(STREAMS_PER_FIELD * self.fields + NAMES, QUALITY_PART)

    def _threshold(self, streams: int, part: float) -> float:
        # The chances of all streams add up, whatever they have to do with each other (union bound).
        return float(np.log(max(streams, 1) / (part * self.alpha)))
