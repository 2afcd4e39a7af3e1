"""The ways in which values of a field can be defective, and how often the reference had each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Counts, Quality
from mlmonitor.stats.eprocess import PRIOR

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
    """One way in which values of one field can be defective: a stream of evidence.

    place: the field's, in the schema. belief: defective and good values in counts, from the
    reference, so that chance is beta-binomial.
    """

    place: int
    quality: Quality
    belief: tuple[float, float]


def list_defects(entries: Sequence[CountedEntry]) -> tuple[Defect, ...]:
    """Every defect of these fields, in the order of the schema."""
    return tuple(
        Defect(place, quality, belief)
        for place, entry in enumerate(entries)
        for quality, belief in _beliefs(entry).items()
    )


def _beliefs(entry: CountedEntry) -> dict[Quality, tuple[float, float]]:
    """How many defective and good values to expect, by kind of defect.

    Missing, not finite, of a wrong type: the reference's counts, and half a count. Out of range:
    the chance that the next value falls outside the extremes of `m` values follows
    Beta(2, m - 1) for any continuous law, and is smaller for others. New category: a category of a
    single row was new in that row, so the chance of a new one is about `once / m` (Good and
    Turing); its variance grows with the categories of two rows.
    """
    refused = {
        Quality.MISSING: entry.missing - entry.nonfinite - entry.wrong_type,
        Quality.WRONG_TYPE: entry.wrong_type,
    }
    m = float(sum(entry.counts))
    beliefs: dict[Quality, tuple[float, float]] = {}
    if isinstance(entry, NumericReference):
        refused[Quality.NONFINITE] = entry.nonfinite
        if m:
            beliefs[Quality.OUT_OF_RANGE] = 2.0, max(m - 1, PRIOR)
    elif m and entry.is_closed and entry.kind == "categorical":
        once = entry.once + 1.0
        trust = once / (once + 2 * entry.twice)
        beliefs[Quality.NEW_CATEGORY] = trust * once, max(trust * (m + 1 - once), PRIOR)
    for quality, count in refused.items():
        beliefs[quality] = count + PRIOR, entry.rows - count + PRIOR
    return beliefs


def defect_counts(defects: Sequence[Defect], quality: Counts) -> Counts:
    """Defective and good values, `[defects, 2]`, of counts `[fields, qualities]`.

    Values that could not be read are neither in nor out of range, neither known nor new.
    """
    place = np.array([defect.place for defect in defects], np.int64)
    column = np.array([_COLUMN[defect.quality] for defect in defects], np.int64)
    is_of_valid = np.array([defect.quality in _OF_VALID for defect in defects], np.bool_)
    defective = quality[place, column]
    total = np.where(is_of_valid, quality[place, _VALID] + defective, quality[place].sum(axis=1))
    return np.stack([defective, total - defective], axis=1)
