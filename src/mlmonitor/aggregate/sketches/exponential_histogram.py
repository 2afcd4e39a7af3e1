"""An exponential histogram: a fixed number of buckets whose width grows with the value."""

from typing import Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.records import Counts, Floats


class ExponentialSketch:
    """Counts over buckets `(base^i, base^(i + 1)]`, where `base` is `2^(2^-scale)`.

    Promise: exact counts in the narrowest `SIZE` buckets that span the observed range, at most of
        scale `MAX_SCALE`. Buckets are 2.2% wide for a range of one decade, 4.4% for two, 9.1%
        for five. Merging sketches of parts gives the sketch of the whole. Price: 1.3 kB, constant.
    Source: OpenTelemetry specification, metrics data model, "ExponentialHistogram". Prometheus'
        native histograms have the same form, with scales from -4 to 8.
    """

    SIZE = 160
    MIN_SCALE, MAX_SCALE = -4, 8

    __slots__ = ("counts", "max", "min", "offset", "scale", "sum", "zeros")

    def __init__(self) -> None:
        self.scale: int = self.MAX_SCALE
        self.offset: int = 0
        """The index of the lowest non-empty bucket, where `counts` begin."""
        self.counts: Counts = np.zeros(self.SIZE, np.int64)
        self.zeros: int = 0
        """The number of values at or below 0."""
        self.sum: float = 0.0
        self.min: float = np.inf
        self.max: float = -np.inf

    @classmethod
    def from_values(cls, values: Floats) -> Self:
        """Build the sketch of one block; values that are not finite are left out."""
        sketch = cls()
        finite = values[np.isfinite(values)]
        positive = finite[finite > 0]
        sketch.zeros = finite.size - positive.size
        if finite.size:
            with np.errstate(over="ignore"):
                sketch.sum = float(finite.sum())
            sketch.min, sketch.max = float(finite.min()), float(finite.max())
        if positive.size:
            places = np.ceil(np.ldexp(np.log2(positive), cls.MAX_SCALE)).astype(np.int64) - 1
            low, high = int(places.min()), int(places.max())
            steps = _count_steps(low, high)
            sketch.scale, sketch.offset = cls.MAX_SCALE - steps, low >> steps
            counts = np.bincount((places >> steps) - sketch.offset, minlength=cls.SIZE)
            sketch.counts = counts.astype(np.int64)
        return sketch

    @property
    def count(self) -> int:
        """The number of values."""
        return self.zeros + int(self.counts.sum())

    @property
    def used(self) -> Counts:
        """The counts up to the last bucket that is not empty."""
        places = np.flatnonzero(self.counts)
        return self.counts[: int(places[-1]) + 1] if places.size else self.counts[:0]

    def update(self, values: Floats) -> None:
        """Add a block of values."""
        self.merge(self.from_values(values))

    def merge(self, other: Self) -> None:
        """Merge in `other`."""
        self.zeros += other.zeros
        self.sum += other.sum
        self.min, self.max = min(self.min, other.min), max(self.max, other.max)
        if not other.counts.any():
            return
        if not self.counts.any():
            self.scale, self.offset = other.scale, other.offset
            self.counts = other.counts.copy()
            return
        scale = min(self.scale, other.scale)
        low = min(side.offset >> (side.scale - scale) for side in (self, other))
        high = max(side.last >> (side.scale - scale) for side in (self, other))
        scale -= _count_steps(low, high)
        counts = np.zeros(self.SIZE, np.int64)
        offset = min(side.offset >> (side.scale - scale) for side in (self, other))
        for side in (self, other):
            places = (side.offset + np.arange(self.SIZE)) >> (side.scale - scale)
            used = side.counts > 0
            np.add.at(counts, places[used] - offset, side.counts[used])
        self.scale, self.offset, self.counts = scale, offset, counts

    def quantile(self, ranks: Floats) -> Floats:
        """Return the quantiles at these ranks, from 0 to 1; NaN if the sketch is empty.

        A quantile is the geometric middle of its bucket, so the error is at most half the width of
        the bucket.
        """
        if not self.count:
            return np.full(len(ranks), np.nan)
        cumulated = self.zeros + np.cumsum(self.counts)
        wanted = np.asarray(ranks) * self.count
        places = np.minimum(np.searchsorted(cumulated, wanted, side="left"), self.SIZE - 1)
        middles = np.exp2((self.offset + places + 0.5) / 2.0**self.scale)
        values: Floats = np.clip(middles, max(self.min, 0.0), self.max)
        return np.where(wanted <= self.zeros, max(min(self.min, 0.0), 0.0), values)

    def since(self, earlier: Self) -> Self:
        """Return the sketch of the values added after `earlier` was copied from this sketch.

        Return all values if `earlier` cannot be such a copy. `min` and `max` are those of all
        values, because it is not known when they were added.
        """
        rest = self.copy()
        steps = earlier.scale - self.scale
        places = ((earlier.offset + np.arange(self.SIZE)) >> max(steps, 0)) - self.offset
        used = earlier.counts > 0
        is_inside = bool(((places >= 0) & (places < self.SIZE))[used].all())
        if steps < 0 or not is_inside or earlier.zeros > self.zeros:
            return rest
        np.subtract.at(rest.counts, places[used], earlier.counts[used])
        if (rest.counts < 0).any():
            return self.copy()
        rest.zeros -= earlier.zeros
        rest.sum = max(rest.sum - earlier.sum, 0.0)
        lowest = int(np.flatnonzero(rest.counts)[0]) if rest.counts.any() else 0
        rest.counts, rest.offset = np.roll(rest.counts, -lowest), rest.offset + lowest
        return rest

    @property
    def last(self) -> int:
        """The index of the highest non-empty bucket."""
        return self.offset + max(self.used.size - 1, 0)

    def copy(self) -> Self:
        """Return an independent copy."""
        twin = type(self)()
        twin.merge(self)
        return twin

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.counts.nbytes + 6 * 8

    def state(self) -> State:
        """Return all contents as arrays."""
        return {
            "counts": self.counts,
            "places": np.array([self.scale, self.offset, self.zeros], np.int64),
            "totals": np.array([self.sum, self.min, self.max], np.float64),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        sketch = cls()
        sketch.counts = part(state, "counts", np.int64, shape=(cls.SIZE,))
        places = part(state, "places", np.int64, shape=(3,))
        totals = part(state, "totals", np.float64, shape=(3,))
        sketch.scale, sketch.offset, sketch.zeros = places.tolist()
        sketch.sum, sketch.min, sketch.max = totals.tolist()
        demand((sketch.counts >= 0).all() and sketch.zeros >= 0, "counts: expected zero or more")
        demand(cls.MIN_SCALE <= sketch.scale <= cls.MAX_SCALE, "places: no such scale")
        is_first = sketch.counts[0] > 0 if sketch.counts.any() else sketch.offset == 0
        demand(is_first, "counts: expected the lowest non-zero count first")
        lowest, highest = (
            int(np.floor(np.ldexp(float(power), sketch.scale))) - 1 for power in (-1_074, 1_024)
        )
        demand(lowest <= sketch.offset and sketch.last <= highest + 1, "places: no such bucket")
        demand(not np.isnan(totals).any(), "totals: expected numbers")
        return sketch


def _count_steps(low: int, high: int) -> int:
    """Return how often the width of buckets must double until these indices fit."""
    steps = 0
    while (high >> steps) - (low >> steps) >= ExponentialSketch.SIZE:
        steps += 1
    return steps
