"""The ways in which values of a field can be bad, and what the reference lets expect of each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Counts, Quality
from mlmonitor.stats.eprocess import PRIOR

_AT = {quality: at for at, quality in enumerate(QUALITIES)}
_OF_VALID = (Quality.OUT_OF_RANGE, Quality.NEW_CATEGORY)
_VALID = _AT[Quality.VALID]
TOLD = {
    Quality.MISSING: "missing",
    Quality.NONFINITE: "not finite",
    Quality.WRONG_TYPE: "of a wrong type",
    Quality.OUT_OF_RANGE: "outside the reference's range",
    Quality.NEW_CATEGORY: "of a category that the reference does not know",
}


class Defect(NamedTuple):
    """One way in which values of one field can be bad, and what the reference knows of it.

    belief: bad and good values in counts, so that chance is beta-binomial.
    """

    at: int
    quality: Quality
    belief: tuple[float, float]


def streams_of(entries: Sequence[CountedEntry]) -> list[Defect]:
    """Every stream of these fields, in the order of the schema."""
    return [
        Defect(at, quality, belief)
        for at, entry in enumerate(entries)
        for quality, belief in _beliefs(entry).items()
    ]


def _beliefs(entry: CountedEntry) -> dict[Quality, tuple[float, float]]:
    """What to expect of each kind of bad value.

    Reasons that the reference counted: its counts, and half a count. Out of range: between the
    extremes of `m` values the next one fails to fall with a chance that follows Beta(2, m - 1),
    whatever the law, if it is continuous; else less. Unseen: a category that was met once was new
    then, so the chance of a new one is about `once / m` (Good and Turing); its variance grows with
    those met twice.
    """
    refused = {
        Quality.MISSING: entry.missing - entry.nonfinite - entry.wrong_type,
        Quality.WRONG_TYPE: entry.wrong_type,
    }
    m = float(sum(entry.counts))
    found: dict[Quality, tuple[float, float]] = {}
    if isinstance(entry, NumericReference):
        refused[Quality.NONFINITE] = entry.nonfinite
        if m:
            found[Quality.OUT_OF_RANGE] = 2.0, max(m - 1, PRIOR)
    elif m and entry.is_closed and entry.kind == "categorical":
        once = entry.once + 1.0
        trust = once / (once + 2 * entry.twice)
        found[Quality.NEW_CATEGORY] = trust * once, max(trust * (m + 1 - once), PRIOR)
    for quality, bad in refused.items():
        found[quality] = bad + PRIOR, entry.rows - bad + PRIOR
    return found


def stream_counts(streams: Sequence[Defect], quality: Counts) -> Counts:
    """`[streams, 2]`, bad and good values, of counts `[fields, qualities]`.

    Values that could not be read are neither in nor out of range, neither known nor new.
    """
    at = np.array([stream.at for stream in streams], np.int64)
    reason = np.array([_AT[stream.quality] for stream in streams], np.int64)
    is_of_valid = np.array([stream.quality in _OF_VALID for stream in streams], np.bool_)
    bad = quality[at, reason]
    whole = np.where(is_of_valid, quality[at, _VALID] + bad, quality[at].sum(axis=1))
    return np.stack([bad, whole - bad], axis=1)
