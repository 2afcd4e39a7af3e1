"""Alternatives in which an ordered field has moved as a whole, or its heavy tail has grown."""

from typing import Final

import numpy as np

from mlmonitor.records import Counts, Floats, Mask

TILTS: Final = (-0.3, -0.12, 0.12, 0.3)
"""Shifts of ordered fields that have an alternative of their own, in standard deviations."""

HEAVY_TILTS: Final = (-0.2, 0.2)
"""Shifts for fields whose outermost bin is in a heavy tail and has few rows."""

TAIL_FACTOR: Final = 2.5
"""The factor by which two more alternatives of such fields multiply their lowest or highest bin.

For example, wrong units in 2% of lognormal values (sigma 2) raise the share of such a bin from 0.5%
to 1.3%.
"""

_MOST_TAIL = 0.012  # largest share of an outermost bin in a heavy tail
_STEP = 4.0  # in a heavy tail, the next bin has at least this many times as many rows
_LEAST_BINS = 4
_LEAST_PLACE = 1e-6


def location_scores(reference: Counts, is_ordered: Mask) -> Floats:
    """Return the scores of ordered bins, `[fields, bins]`, of mean 0 and variance 1.

    The last bin, missing values, has no order and the score 0, as do all bins of unordered fields.
    Multiplying the shares by `exp(shift * score)` moves a normally distributed field by `shift`
    standard deviations.
    """
    shares = reference / np.maximum(reference.sum(axis=1, keepdims=True), 1)
    values = shares[:, :-1]
    whole = np.maximum(values.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    places = np.clip((np.cumsum(values, axis=1) - values / 2) / whole, _LEAST_PLACE, None)
    places = np.minimum(places, 1 - _LEAST_PLACE)
    scores = np.log(places / (1 - places))
    scores -= (values * scores).sum(axis=1, keepdims=True) / whole
    variance = (values * scores**2).sum(axis=1, keepdims=True) / whole
    is_tilted = is_ordered[:, None] & (variance > _LEAST_PLACE)
    scaled = np.where(is_tilted, scores / np.sqrt(np.where(is_tilted, variance, 1.0)), 0.0)
    return np.hstack([scaled, np.zeros((len(scaled), 1))])


def tilt_factors(reference: Counts, is_ordered: Mask) -> Floats:
    """Return the factors that each alternative applies to the shares, `[tilts, fields, bins]`.

    The factors of a field without an order, or without variation, are 1.
    """
    scores = location_scores(reference, is_ordered)
    factors: Floats = np.exp(np.array(TILTS)[:, None, None] * scores)
    for field in np.flatnonzero(scores.any(axis=1)).tolist():
        ends = _find_tails(reference[field])
        if ends:
            factors[:2, field] = np.exp(np.array(HEAVY_TILTS)[:, None] * scores[field])
            factors[2:, field] = 1.0
            factors[2, field, ends[0]] = factors[3, field, ends[-1]] = TAIL_FACTOR
    return factors


def _find_tails(counts: Counts) -> list[int]:
    """Return the indices of the lowest and the highest bin, each only if it is in a heavy tail."""
    values = counts[:-1]
    (places,) = np.nonzero(values)
    if places.size < _LEAST_BINS:
        return []
    most = _MOST_TAIL * counts.sum()
    ends = ((places[0], places[1]), (places[-1], places[-2]))
    return [
        int(end)
        for end, inner in ends
        if values[end] <= most and values[inner] >= _STEP * values[end]
    ]
