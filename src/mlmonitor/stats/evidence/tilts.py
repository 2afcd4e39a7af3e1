"""Alternatives in which an ordered field has moved as a whole."""

from typing import Final

import numpy as np

from mlmonitor.records import Counts, Floats, Mask

TILTS: Final = (-0.3, -0.12, 0.12, 0.3)
"""Shifts of ordered fields that have an alternative of their own, in standard deviations."""

_LEAST_PLACE = 1e-6


def location_scores(reference: Counts, is_ordered: Mask) -> Floats:
    """Return the scores of ordered bins, `[fields, bins]`, of mean 0 and variance 1.

    The last bin, missing values, has no order and the score 0, as have all bins of other fields.
    Multiplying the shares by `exp(shift * score)` moves a normal field by this many standard
    deviations.
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


def tilt_factors(scores: Floats) -> Floats:
    """Return the factors that each alternative applies to the shares, `[tilts, fields, bins]`."""
    factors: Floats = np.exp(np.array(TILTS)[:, None, None] * scores)
    return factors
