"""How features that depend on each other share what they explain together."""

import numpy as np

from mlmonitor.records import Counts, Floats

_RIDGE = 1e-3  # relative to the variances, so that copies of a feature share equally
_TOGETHER = 0.3  # features with at least this correlation form one group


def mix_weights(scores: Floats) -> tuple[Floats, Counts]:
    """Return the weight of each feature's mix effect, and the number of its group.

    scores: `[features, rows]`, the mean prediction in each feature's bin. A row's prediction is
    regressed on the scores of all features. As each score is the mean prediction given the feature,
    its covariance with the prediction is its own variance, so the weights follow from the scores
    alone: 1 for a feature that is independent of the others, a half for each of two copies.
    Features are one group if a chain of correlations of 0.3 or more connects them.
    Source: Frisch and Waugh, "Partial time regressions", 1933, for parts of joint effects; Hoerl
        and Kennard, "Ridge regression", 1970, for copies.
    """
    features = len(scores)
    centred = scores - scores.mean(axis=1, keepdims=True)
    covariance = centred @ centred.T / max(scores.shape[1], 1)
    variances = np.diag(covariance).copy()
    varies = variances > 1e-12 * max(float(variances.max(initial=0.0)), 1e-300)
    weights, numbers = np.zeros(features), np.arange(features)
    places = np.flatnonzero(varies)
    if places.size:
        inside = covariance[np.ix_(places, places)]
        scale = np.sqrt(np.diag(inside))
        correlation = inside / np.outer(scale, scale)
        ridge = correlation + _RIDGE * np.eye(places.size)
        weights[places] = np.linalg.solve(ridge, scale) / scale
        numbers[places] = places[_find_components(np.abs(correlation) >= _TOGETHER)]
    return weights, numbers


def _find_components(linked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Counts:
    """Return for each node the lowest index in its connected component."""
    first = np.arange(len(linked))
    while True:
        lowest = np.where(linked, first[None, :], len(linked)).min(axis=1)
        lowest = np.minimum(first, lowest)
        if (lowest == first).all():
            return first
        first = lowest
