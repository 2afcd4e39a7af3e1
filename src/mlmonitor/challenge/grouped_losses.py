"""What losses of rows that depend on each other are worth."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.group_sums import GroupSums
from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.records import Floats

PAIRED: Final = 2
"""The place of the differences, after those of the champion and of the challenger."""


class GroupedLosses:
    """How much more the mean losses vary because rows of one group are alike.

    Price: 192 KiB, once a group is named.
    """

    def __init__(self) -> None:
        self._sums: tuple[GroupSums, ...] = ()

    def begin(self) -> None:
        """Count groups from now on."""
        if not self._sums:
            self._sums = tuple(GroupSums(2) for _ in range(PAIRED + 1))

    def update(self, place: int, values: Floats, groups: Hashes) -> None:
        """Add the losses of one model, or their differences, and the groups of the rows."""
        if self._sums:
            is_present = np.isfinite(values)
            terms = np.stack([is_present * 1.0, np.where(is_present, values, 0.0)])
            self._sums[place].update(terms, groups)

    def effect(self, place: int, mean: float) -> float:
        """Return how many rows count as one for the variance of a mean; at least 1."""
        if not self._sums or not np.isfinite(mean):
            return 1.0
        effect = self._sums[place].effect(np.array([-mean, 1.0]))
        return max(effect, 1.0) if np.isfinite(effect) else 1.0
