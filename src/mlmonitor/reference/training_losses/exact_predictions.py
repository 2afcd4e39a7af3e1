"""Detect predictions that equal the actuals: a sign that the model was fitted on these rows."""

import logging

import numpy as np

from mlmonitor.reference.training_losses.training_outcomes import TrainingOutcomes

log: logging.Logger = logging.getLogger("mlmonitor")

LEAST_PAIRS = 100
LEAST_EXACT = 0.9
"""A model is seldom this exact on rows that it was not fitted on."""

_LEAST_RECALL = 0.995
_LEAST_CLASS_ROWS = 20
_ROUNDING = 1e-9


def count_exact_predictions(outcomes: TrainingOutcomes) -> int:
    """Count the rows whose prediction equals the actual; 0 unless they are suspiciously many.

    Numbers are suspicious if 90% are equal up to rounding. Classes are suspicious if the recall of
    every frequent class is at least 99.5%.
    """
    if outcomes.plan.task == "regression":
        return _count_exact_numbers(outcomes)
    if outcomes.plan.task in ("binary", "multiclass"):
        return _count_right_classes(outcomes)
    return 0


def _count_exact_numbers(outcomes: TrainingOutcomes) -> int:
    predicted, actual = outcomes.block.predicted, outcomes.block.actual
    is_pair = np.isfinite(predicted) & np.isfinite(actual)
    predicted, actual = predicted[is_pair], actual[is_pair]
    if actual.size < LEAST_PAIRS or (actual == actual[0]).all():
        return 0
    with np.errstate(over="ignore"):
        is_exact = np.abs(predicted - actual) <= _ROUNDING * np.abs(actual)
    exact = int(np.count_nonzero(is_exact))
    return exact if exact >= LEAST_EXACT * actual.size else 0


def _count_right_classes(outcomes: TrainingOutcomes) -> int:
    predicted, actual = outcomes.block.predicted_class, outcomes.block.actual_class
    is_pair = (predicted >= 0) & (actual >= 0)
    predicted, actual = predicted[is_pair], actual[is_pair]
    is_right = predicted == actual
    rows = np.bincount(actual)
    right = np.bincount(actual, weights=is_right)[rows >= _LEAST_CLASS_ROWS]
    rows = rows[rows >= _LEAST_CLASS_ROWS]
    if actual.size < LEAST_PAIRS or rows.size < 2:
        return 0
    return int(is_right.sum()) if (right >= _LEAST_RECALL * rows).all() else 0


def warn_of_exact_predictions(exact: int, rows: int) -> None:
    """Log the number of exact predictions, if any, and what to do."""
    if exact:
        log.warning(
            "Reference.fit: the prediction equals the actual in %s of %s rows, as on rows that the "
            "model was fitted on: live predictions will be worse and raise alerts; fit on rows "
            "that the model was not fitted on",
            f"{exact:,}",
            f"{rows:,}",
        )
