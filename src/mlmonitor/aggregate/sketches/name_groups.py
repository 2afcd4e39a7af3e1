"""Groups of categories that may not be named, so that they can still be compared."""

from collections.abc import Collection
from zlib import crc32

import numpy as np

MOST_GROUPS = 16
LEAST_NAMES = 5
"""A smaller group could reveal information about single names."""

_PREFIX, _SUFFIX = "__other_", "__"


def group_of(name: str, groups: int) -> int:
    """Return the group of a name, which is the same in every process and version."""
    return crc32(name.encode("utf-8", "surrogatepass")) % groups


def group_names(groups: int) -> list[str]:
    """Return the names of groups in references and metrics: `__other_1__` and so on."""
    return [f"{_PREFIX}{place + 1}{_SUFFIX}" for place in range(groups)]


def count_groups(names: Collection[str]) -> int:
    """Return the number of groups that these names are divided into, or 0 if there are too few.

    It is the largest number with which every group has at least five names.
    """
    for groups in range(min(MOST_GROUPS, len(names) // LEAST_NAMES), 1, -1):
        sizes = np.bincount([group_of(name, groups) for name in names], minlength=groups)
        if sizes.min() >= LEAST_NAMES:
            return groups
    return 0
