"""Histograms of scores by outcome, for AUC, calibration and thresholds."""

from typing import Self

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets, Range
from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import Counts, Floats, Mask


def _make_edges() -> Floats:
    """Return edges 0.005 apart, but closer near 0 and 1, where odds grow by 5% per edge."""
    logits = np.arange(-16.0, -2.0, 0.05)
    low = 1.0 / (1.0 + np.exp(-logits))
    edges: Floats = np.unique(np.concatenate([np.arange(201) / 200, low, 1.0 - low]))
    return edges


SCORE_EDGES: Floats = _make_edges()
"""Bins are `(edge, next edge]`, and scores of 0 have a bin of their own."""


class ScoreHistogram:
    """Counts of scores by bin and outcome, and the sum of the scores in each bin.

    counts: int64 `[buckets, classes, 2, bins]`; the first outcome counts rows of other
    classes. sums: float64 `[buckets, classes, bins]`.
    Promise: exact; merging is addition. The order of scores within one bin is lost; `auc_error`
        of the classification measures bounds the effect on ROC AUC.
    Price: 24 bytes for each of 761 bins, in each class and bucket.
    """

    __slots__ = ("counts", "sums")

    def __init__(self, buckets: int, classes: int) -> None:
        bins = len(SCORE_EDGES)
        self.counts: Counts = np.zeros((buckets, classes, 2, bins), np.int64)
        self.sums: Floats = np.zeros((buckets, classes, bins))

    def update(self, place: int, scores: Floats, is_class: Mask, buckets: Buckets) -> None:
        """Add scores of the class at index `place`; scores outside 0 to 1 are left out."""
        is_counted = (scores >= 0) & (scores <= 1) & (buckets >= 0)
        scores, is_class, buckets = scores[is_counted], is_class[is_counted], buckets[is_counted]
        bins = self.sums.shape[2]
        bin_of = np.searchsorted(SCORE_EDGES, scores, side="left")
        size = self.counts.shape[0]
        cells = (buckets * 2 + is_class) * bins + bin_of
        self.counts[:, place] += np.bincount(cells, minlength=size * 2 * bins).reshape(-1, 2, bins)
        added = np.bincount(buckets * bins + bin_of, scores, size * bins)
        self.sums[:, place] += added.reshape(-1, bins)

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless classes and buckets agree."""
        if self.counts.shape != other.counts.shape:
            raise IncompatibleSketch("score histograms of different classes cannot be merged")
        self.counts += other.counts
        self.sums += other.sums

    def reset(self, bucket: int) -> None:
        """Forget one bucket."""
        self.counts[bucket] = 0
        self.sums[bucket] = 0.0

    def outcomes(self, place: int, bucket: Range = slice(None)) -> tuple[Counts, Floats]:
        """Return the counts `[2, bins]` and the sums `[bins]` of one class over some buckets."""
        bins = self.sums.shape[2]
        counts: Counts = self.counts[bucket, place].reshape(-1, 2, bins).sum(axis=0)
        sums: Floats = self.sums[bucket, place].reshape(-1, bins).sum(axis=0)
        return counts, sums

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.counts.nbytes + self.sums.nbytes

    def state(self) -> State:
        """Return all contents but the names of the classes, as arrays."""
        return {"counts": self.counts, "sums": self.sums}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        counts = part(state, "counts", np.int64, ndim=4)
        demand(counts.shape[2:] == (2, len(SCORE_EDGES)), "counts: expected other bins")
        demand((counts >= 0).all(), "counts: expected counts of zero or more")
        histogram = cls(counts.shape[0], counts.shape[1])
        histogram.counts = counts
        histogram.sums = part(state, "sums", np.float64, shape=histogram.sums.shape)
        return histogram
