"""The slices of a window one by one, which pages and reports plot over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlmonitor.aggregate.profile import COUNTS
from mlmonitor.aggregate.sketches.codec import Array
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.records import Counts, Floats


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Counts and moments of each slice of a window, the oldest first; the last one is still open.

    starts: when each slice began, in seconds since 1970. rows: `[slices]`. counts: the counts of
    `FieldProfile` by name, each `[slices, ...]`. mean, stddev, valid: statistics of the numeric
    fields, `[slices, numeric fields]`; `valid` is the number of values.
    """

    starts: Floats
    rows: Counts
    counts: Mapping[str, Counts]
    mean: Floats
    stddev: Floats
    valid: Counts

    @classmethod
    def from_arrays(cls, starts: Floats, rows: Counts, arrays: Mapping[str, Array]) -> "History":
        """Copy the arrays of consecutive slices, beginning with the first slice that has rows."""
        first = int(np.argmax(rows > 0)) if rows.any() else len(rows) - 1
        moments = {n: arrays[f"moments.{n}"][first:] for n in Moments.__slots__}
        shape = moments["mean"].shape
        flat = Moments.from_arrays({n: array.reshape(-1) for n, array in moments.items()})
        return cls(
            starts=starts[first:].copy(),
            rows=rows[first:].copy(),
            counts={name: arrays[name][first:].astype(np.int64) for name in COUNTS},
            mean=moments["mean"].astype(np.float64),
            stddev=flat.stddev.reshape(shape),
            valid=moments["count"].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def group(self, points: int) -> "History":
        """Merge neighbouring slices so that at most `points` slices remain."""
        size = -(-len(self) // points)
        if size <= 1:
            return self
        places = np.arange(0, len(self), size)
        valid = _add_neighbours(self.valid, size)
        weights = np.maximum(valid, 1)
        mean = np.add.reduceat(self.valid * self.mean, places) / weights
        between = (self.mean - np.repeat(mean, size, axis=0)[: len(self)]) ** 2
        squares = np.add.reduceat(self.valid * (np.nan_to_num(self.stddev) ** 2 + between), places)
        return History(
            starts=self.starts[places],
            rows=_add_neighbours(self.rows, size),
            counts={name: _add_neighbours(array, size) for name, array in self.counts.items()},
            mean=mean,
            stddev=np.sqrt(squares / weights),
            valid=valid,
        )


def _add_neighbours(counts: Counts, size: int) -> Counts:
    """Sum every `size` neighbours along the first axis; the last sum may cover fewer.

    Price: a tenth of `np.add.reduceat`, which adds one number at a time.
    """
    parts = -(-len(counts) // size)
    padded = np.zeros((parts * size, *counts.shape[1:]), np.int64)
    padded[: len(counts)] = counts
    added: Counts = padded.reshape(parts, size, *counts.shape[1:]).sum(axis=1)
    return added
