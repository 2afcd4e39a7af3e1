"""Kinds of defective values of a field, and their frequency in the reference."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Counts, Mask, Quality
from mlmonitor.stats.evidence.dirichlet import PRIOR

_COLUMN = {quality: column for column, quality in enumerate(QUALITIES)}
_OF_VALID = (Quality.OUT_OF_RANGE, Quality.NEW_CATEGORY)
_VALID = _COLUMN[Quality.VALID]
DESCRIPTIONS = {
    Quality.MISSING: "missing",
    Quality.NONFINITE: "not finite",
    Quality.WRONG_TYPE: "of a wrong type",
    Quality.OUT_OF_RANGE: "outside the reference's range",
    Quality.NEW_CATEGORY: "of a category that the reference does not know",
}


class Defect(NamedTuple):
    """One kind of defective values of one field; each is a stream of evidence.

    place: the index of the field in the schema. belief: counts of defective and good values in the
    reference, the parameters of a beta-binomial distribution.
    """

    place: int
    quality: Quality
    belief: tuple[float, float]


def list_defects(entries: Sequence[CountedEntry]) -> tuple[Defect, ...]:
    """Return every defect of these fields, in the order of the schema."""
    return tuple(
        Defect(place, quality, belief)
        for place, entry in enumerate(entries)
        for quality, belief in _form_beliefs(entry).items()
    )


def _form_beliefs(entry: CountedEntry) -> dict[Quality, tuple[float, float]]:
    """Return the expected numbers of defective and good values, by kind of defect.

    Missing, not finite, of a wrong type: the reference's counts plus half a count. Out of range:
    the probability that the next value is outside the extremes of `m` values follows Beta(2, m - 1)
    for a continuous distribution and is smaller for others. Ids, and times that only advance, leave
    their range by nature, so they have no such stream. New category: if `once` categories have a
    single row, its probability is about `once / m` (Good and Turing); its variance grows with the
    number of categories that have two rows.
    """
    refused = {
        Quality.MISSING: entry.missing - entry.nonfinite - entry.wrong_type,
        Quality.WRONG_TYPE: entry.wrong_type,
    }
    m = float(sum(entry.counts))
    beliefs: dict[Quality, tuple[float, float]] = {}
    if isinstance(entry, NumericReference):
        refused[Quality.NONFINITE] = entry.nonfinite
        if m and not entry.is_unrepeated:
            beliefs[Quality.OUT_OF_RANGE] = 2.0, max(m - 1, PRIOR)
    elif m and entry.is_closed and entry.kind == "categorical":
        once = entry.once + 1.0
        trust = once / (once + 2 * entry.twice)
        beliefs[Quality.NEW_CATEGORY] = trust * once, max(trust * (m + 1 - once), PRIOR)
    for quality, count in refused.items():
        beliefs[quality] = count + PRIOR, entry.rows - count + PRIOR
    return beliefs


class DefectColumns(NamedTuple):
    """The positions of some defects in counts `[fields, qualities]`."""

    place: Counts
    column: Counts
    is_of_valid: Mask

    @classmethod
    def find(cls, defects: Sequence[Defect]) -> "DefectColumns":
        """Find the positions of `defects`, in the same order."""
        return cls(
            np.array([defect.place for defect in defects], np.int64),
            np.array([_COLUMN[defect.quality] for defect in defects], np.int64),
            np.array([defect.quality in _OF_VALID for defect in defects], np.bool_),
        )

    def count_values(self, quality: Counts) -> Counts:
        """Defective and good values, `[defects, 2]`, from the counts `[fields, qualities]`.

        Unreadable values count as neither in nor out of range, and as neither known nor new.
        """
        place, column, is_of_valid = self
        defective = quality[place, column]
        total = np.where(
            is_of_valid, quality[place, _VALID] + defective, quality[place].sum(axis=1)
        )
        return np.stack([defective, total - defective], axis=1)
