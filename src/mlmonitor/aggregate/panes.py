"""The closed panes of a window, in one array for each statistic."""

from typing import Any

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import COUNTS, Profile
from mlmonitor.aggregate.sketches.codec import Array
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.records import Counts

_MOST_ROWS = (1 << 31) - 1


class Panes:
    """A ring of the last `size` profiles; what is pushed out is forgotten.

    Price: two thirds of the bytes of `size` profiles, for their counts are kept in 32 bits, and a
        hundred for each statistic, where as many objects would cost 2 kB each; a merge of all takes
        as long as that of six. From the first pane of 2**31 rows on, which no process fills within
        an hour, counts are kept in 64 bits and it is the bytes of as many profiles.
    """

    __slots__ = ("_arrays", "_next", "_plan", "_rows", "size")

    def __init__(self, plan: Plan, size: int) -> None:
        self.size: int = size
        self._plan, self._next = plan, 0
        empty = Profile(plan).arrays()
        self._rows: Counts = np.zeros(size, np.int64)
        self._arrays: dict[str, Array] = {
            name: np.repeat(array[None].astype(_narrow(array)), size, axis=0)
            for name, array in empty.items()
        }

    def append(self, profile: Profile) -> None:
        """Keep a copy of `profile` in the place of the oldest."""
        if self.size == 0:
            return
        if profile.rows > _MOST_ROWS:
            self._arrays = {name: _wide(array) for name, array in self._arrays.items()}
        at, self._next = self._next, (self._next + 1) % self.size
        self._rows[at] = profile.rows
        for name, array in profile.arrays().items():
            self._arrays[name][at] = array

    def merged(self) -> Profile:
        """All of them as one."""
        found = Profile(self._plan)
        found.rows = int(self._rows.sum())
        if found.rows == 0:
            return found
        used = np.flatnonzero(self._rows)
        stacks = {name: _wide(array[used]) for name, array in self._arrays.items()}
        found.moments = _merged(
            {name: stacks[f"moments.{name}"] for name in Moments.__slots__}, len(used)
        )
        for name in COUNTS:
            setattr(found, name, stacks[name].sum(axis=0))
        with np.errstate(over="ignore", invalid="ignore"):
            found.sums = stacks["sums"].sum(axis=0)
        found.kernels = stacks["kernels"].sum(axis=0)
        return found

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays."""
        return self._rows.nbytes + sum(array.nbytes for array in self._arrays.values())


def _narrow(array: Array) -> np.dtype[Any]:
    """What whole numbers are kept in."""
    return np.dtype(np.int32) if array.dtype == np.int64 else array.dtype


def _wide(array: Array) -> Array:
    """The same as it is anywhere else."""
    return array.astype(np.int64) if array.dtype == np.int32 else array


def _merged(stacks: dict[str, Array], panes: int) -> Moments:
    """Moments of all panes: the later half into the earlier, until one is left."""
    while panes > 1:
        half = (panes + 1) // 2
        early = Moments.from_arrays({name: each[: panes - half] for name, each in stacks.items()})
        early.merge(Moments.from_arrays({name: each[half:] for name, each in stacks.items()}))
        middle = slice(panes - half, half)  # has no partner where the number is odd
        stacks = {
            name: np.concatenate([getattr(early, name).reshape(panes - half, -1), each[middle]])
            for name, each in stacks.items()
        }
        panes = half
    return Moments.from_arrays(stacks)
