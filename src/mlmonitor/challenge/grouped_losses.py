"""Design effects of losses whose rows depend on each other."""

from itertools import islice
from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.group_sums import GroupSums
from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.records import Floats

PAIRED: Final = 2
"""The index of the differences; the champion has 0, the challenger 1."""


LEAST_GROUPS: Final = 50
"""With fewer groups, their variance is not known well, and each group counts as one label."""


class GroupedLosses:
    """How much the variance of mean losses grows because rows of a group are alike.

    Promise: fewer than `LEAST_GROUPS` groups are worth at most one label each.
    Price: 192 KiB, once a group is named.
    Source: Cameron and Miller, "A practitioner's guide to cluster-robust inference", 2015, on why
        few groups understate the variance.
    """

    def __init__(self) -> None:
        self._sums: tuple[GroupSums, ...] = ()
        self._first: tuple[set[int], ...] = ()

    def begin(self) -> None:
        """Start collecting sums by group, unless started before."""
        if not self._sums:
            self._sums = tuple(GroupSums(2) for _ in range(PAIRED + 1))
            self._first = tuple(set[int]() for _ in range(PAIRED + 1))

    def update(self, place: int, values: Floats, groups: Hashes) -> None:
        """Add losses with the groups of their rows; does nothing before `begin`.

        place: 0 for the champion, 1 for the challenger, `PAIRED` for differences.
        """
        if self._sums:
            is_present = np.isfinite(values)
            terms = np.stack([is_present * 1.0, np.where(is_present, values, 0.0)])
            self._sums[place].update(terms, groups)
            self._count_groups(place, groups[is_present])

    def _count_groups(self, place: int, groups: Hashes) -> None:
        """Remember the first distinct groups, at most `LEAST_GROUPS`."""
        first = self._first[place]
        if len(first) < LEAST_GROUPS:
            new = (group for group in np.unique(groups).tolist() if group not in first)
            first.update(islice(new, LEAST_GROUPS - len(first)))

    def effect(self, place: int, mean: float) -> float:
        """Return the design effect of a mean: how many rows count as one; at least 1."""
        if not self._sums or not np.isfinite(mean):
            return 1.0
        effect = self._sums[place].effect(np.array([-mean, 1.0]))
        groups = len(self._first[place])
        least = float(self._sums[place].totals[0]) / groups if 0 < groups < LEAST_GROUPS else 1.0
        return max(effect, least, 1.0) if np.isfinite(effect) else max(least, 1.0)
