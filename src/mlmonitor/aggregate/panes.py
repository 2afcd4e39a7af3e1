"""The closed slices (panes) of a window, with one array for each statistic."""

from typing import Any

import numpy as np

from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import COUNTS, FieldProfile
from mlmonitor.aggregate.sketches.codec import Array
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.records import Counts, Floats

_MOST_ROWS = (1 << 31) - 1


class Panes:
    """A ring buffer of the last `size` profiles.

    Price: two thirds of the bytes of `size` profiles, because counts are stored in 32 bits, plus a
        hundred bytes for each statistic, where separate profiles would add 2 kB each. Merging all
        slices takes as long as merging six profiles. Once a slice has 2**31 rows, counts are stored
        in 64 bits; no process fills such a slice within an hour.
    """

    __slots__ = ("_arrays", "_next", "_plan", "_rows", "_starts", "_used", "size")

    def __init__(self, plan: Plan, size: int) -> None:
        self.size: int = size
        self._plan, self._next, self._used = plan, 0, 0
        empty = FieldProfile(plan).arrays()
        self._rows: Counts = np.zeros(size, np.int64)
        self._starts: Floats = np.zeros(size)
        self._arrays: dict[str, Array] = {
            name: np.repeat(array[None].astype(_narrow(array)), size, axis=0)
            for name, array in empty.items()
        }

    def append(self, profile: FieldProfile, started_at: float = 0.0) -> None:
        """Replace the oldest profile by a copy of `profile`, whose slice began at `started_at`."""
        if self.size == 0:
            return
        if profile.rows > _MOST_ROWS:
            self._arrays = {name: _widen(array) for name, array in self._arrays.items()}
        slot, self._next = self._next, (self._next + 1) % self.size
        self._used = min(self._used + 1, self.size)
        self._rows[slot], self._starts[slot] = profile.rows, started_at
        for name, array in profile.arrays().items():
            self._arrays[name][slot] = array

    def merged(self) -> FieldProfile:
        """Merge all slices into one profile."""
        whole = FieldProfile(self._plan)
        whole.rows = int(self._rows.sum())
        if whole.rows == 0:
            return whole
        used = np.flatnonzero(self._rows)
        stacks = {name: _widen(array[used]) for name, array in self._arrays.items()}
        whole.moments = _merge_moments(
            {name: stacks[f"moments.{name}"] for name in Moments.__slots__}, len(used)
        )
        for name in COUNTS:
            setattr(whole, name, stacks[name].sum(axis=0))
        with np.errstate(over="ignore", invalid="ignore"):
            whole.sums = stacks["sums"].sum(axis=0)
        whole.kernels = stacks["kernels"].sum(axis=0)
        return whole

    def history(self, last: FieldProfile, started_at: float, seconds: float | None) -> History:
        """Copy all slices in their order, followed by `last`.

        seconds: the length of a slice; slices then follow each other without gaps, and empty ones
        are included. None if slices are defined by rows.
        """
        order = (self._next - self._used + np.arange(self._used)) % max(self.size, 1)
        rows = np.append(self._rows[order], last.rows)
        starts = np.append(self._starts[order], started_at)
        arrays = {
            name: np.concatenate([_widen(self._arrays[name][order]), array[None]])
            for name, array in last.arrays().items()
        }
        if seconds is not None:
            starts = started_at - seconds * np.arange(len(order), -1, -1)
        elif not rows.all() and rows.any():
            used = np.flatnonzero(rows)
            rows, starts = rows[used], starts[used]
            arrays = {name: array[used] for name, array in arrays.items()}
        return History.from_arrays(starts, rows, arrays)

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes."""
        return (
            self._rows.nbytes
            + self._starts.nbytes
            + sum(array.nbytes for array in self._arrays.values())
        )


def _narrow(array: Array) -> np.dtype[Any]:
    """Return the dtype in which an array is stored: 32 bits for counts."""
    return np.dtype(np.int32) if array.dtype == np.int64 else array.dtype


def _widen(array: Array) -> Array:
    """Convert stored counts back to 64 bits."""
    return array.astype(np.int64) if array.dtype == np.int32 else array


def _merge_moments(stacks: dict[str, Array], panes: int) -> Moments:
    """Merge the moments of all slices: the later half into the earlier half, until one remains."""
    while panes > 1:
        half = (panes + 1) // 2
        early = Moments.from_arrays({name: stack[: panes - half] for name, stack in stacks.items()})
        early.merge(Moments.from_arrays({name: stack[half:] for name, stack in stacks.items()}))
        middle = slice(panes - half, half)  # of an odd number, the middle pane has no partner
        stacks = {
            name: np.concatenate([getattr(early, name).reshape(panes - half, -1), stack[middle]])
            for name, stack in stacks.items()
        }
        panes = half
    return Moments.from_arrays(stacks)
