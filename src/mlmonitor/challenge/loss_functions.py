"""Losses of single rows by name; their means are scikit-learn's metrics."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from mlmonitor.records import Floats, Mask

SCORED: Final = frozenset({"log", "brier", "hinge"})
"""Losses computed from scores: one score for the second class, or one score per class."""

_LEAST = np.finfo(np.float64).eps  # as scikit-learn clips
_MOST_MISSING = 1e-3
"""How far the sum of probabilities may be from 1; half precision needs this much."""


def measure_log_loss(scores: Floats, actual: Floats) -> Floats:
    """Return the log loss of each row; NaN where the scores are not probabilities."""
    chance = np.clip(_pick(scores, actual), _LEAST, 1 - _LEAST)
    return np.where(_are_probabilities(scores), -np.log(chance), np.nan)


def measure_brier(scores: Floats, actual: Floats) -> Floats:
    """Return the Brier score of each row; NaN where the scores are not probabilities.

    It is between 0 and 1 for one probability per row, and between 0 and 2 for several.
    """
    if scores.shape[1] == 1:
        losses = (scores[:, 0] - actual) ** 2
    else:
        truth = np.arange(scores.shape[1]) == actual[:, None]
        losses = ((scores - truth) ** 2).sum(axis=1)
    return np.where(_are_probabilities(scores), losses, np.nan)


def measure_hinge(scores: Floats, actual: Floats) -> Floats:
    """Return the hinge loss of decision values; for several classes, Crammer and Singer's."""
    if scores.shape[1] == 1:
        margins = scores[:, 0] * (2 * actual - 1)
    else:
        is_actual = np.arange(scores.shape[1]) == actual[:, None]
        margins = _pick(scores, actual) - np.where(is_actual, -np.inf, scores).max(axis=1)
    return np.maximum(1 - margins, 0.0)


def _pick(scores: Floats, actual: Floats) -> Floats:
    """Return the score of the actual class of each row."""
    if scores.shape[1] == 1:
        return np.where(actual == 1, scores[:, 0], 1 - scores[:, 0])
    picked: Floats = np.take_along_axis(scores, actual.astype(np.int64)[:, None], axis=1)[:, 0]
    return picked


def _are_probabilities(scores: Floats) -> Mask:
    is_within = np.asarray(((scores >= 0) & (scores <= 1)).all(axis=1))
    if scores.shape[1] == 1:
        return is_within
    is_whole: Mask = np.abs(scores.sum(axis=1) - 1) <= _MOST_MISSING
    return is_within & is_whole


LOSS_FUNCTIONS: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "absolute": lambda predicted, actual: np.abs(predicted[:, 0] - actual),
    "squared": lambda predicted, actual: (predicted[:, 0] - actual) ** 2,
    "error": lambda predicted, actual: (predicted[:, 0] != actual) * 1.0,
    "log": measure_log_loss,
    "brier": measure_brier,
    "hinge": measure_hinge,
}
"""Functions of scores `[rows, columns]` and actuals `[rows]` without missing values."""
