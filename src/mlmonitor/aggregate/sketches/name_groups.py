"""Groups of categories that may not be named, so that they can still be compared."""

from collections.abc import Collection
from zlib import crc32

import numpy as np

MOST_GROUPS = 16
LEAST_NAMES = 5
"""A group of fewer names would describe the persons behind them."""

_PREFIX, _SUFFIX = "__other_", "__"


def group_of(name: str, groups: int) -> int:
    """Return the group that a name falls into: the same in every process and version."""
    return crc32(name.encode("utf-8", "surrogatepass")) % groups


def group_names(groups: int) -> list[str]:
    """Return what a group is called in references and metrics: `__other_1__` and so on."""
    return [f"{_PREFIX}{place + 1}{_SUFFIX}" for place in range(groups)]


def count_groups(names: Collection[str]) -> int:
    """Return into how many groups these names can be split, each of at least five; 0 if none."""
    for groups in range(min(MOST_GROUPS, len(names) // LEAST_NAMES), 1, -1):
        sizes = np.bincount([group_of(name, groups) for name in names], minlength=groups)
        if sizes.min() >= LEAST_NAMES:
            return groups
    return 0
