"""Convert predictions and actuals of training rows to a block of outcomes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan, score_losses
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.records import Counts, Floats

MOST_CLASSES = 64
_DIGITS = {"true": "1", "false": "0"}

Column = np.ndarray[Any, Any]
"""Numbers, NaN where missing; or names of categories, None where missing."""


class TrainingOutcomes(NamedTuple):
    """The plan of the task, and the outcomes of all training rows."""

    plan: OutcomePlan
    block: OutcomeBlock


def read_training_outcomes(
    predictions: Mapping[str, Column], actual: Column
) -> TrainingOutcomes | None:
    """Pair the outputs of a model with its actuals; None if they cannot be compared.

    The task is inferred as it is while serving: it is regression if predictions and actuals are
    numbers, unless all actuals are 0 or 1. Otherwise predictions and actuals are classes.
    """
    if not predictions:
        return None
    output = predictions[primary_output(predictions)]
    if _is_numeric(actual) and _is_numeric(output) and not _is_zero_or_one(actual):
        nothing = np.full(actual.size, -1)
        block = OutcomeBlock(output, actual, nothing, nothing, np.empty((0, 0)), {})
        return TrainingOutcomes(OutcomePlan("regression"), block)
    return _read_classes(predictions, output, actual)


def _read_classes(
    predictions: Mapping[str, Column], output: Column, actual: Column
) -> TrainingOutcomes | None:
    labels = _find_numeric_labels(predictions)
    scores = {
        name.removeprefix(f"{PREDICTION}."): column
        for name, column in predictions.items()
        if name != PREDICTION and _is_numeric(column) and name not in labels
    }
    is_score = _is_numeric(output) and not _is_zero_or_one(output)
    actual_names = _name_values(actual)
    output_names = [None] * len(output) if is_score else _name_values(output)
    classes = _list_class_names(list(scores), actual_names, output_names)
    if not 2 <= len(classes) <= MOST_CLASSES:
        return None
    codes = {name: code for code, name in enumerate(classes)}
    true = np.array([codes.get(name, -1) if name else -1 for name in actual_names], np.int64)
    shown = np.array([codes.get(name, -1) if name else -1 for name in output_names], np.int64)
    if len(classes) == 2:
        return _read_binary(classes, scores, output if is_score else None, (true, shown))
    nothing: Floats = np.full(true.size, np.nan)
    is_scored = {_unify(name) for name in scores} == set(classes)
    plan = OutcomePlan("multiclass", classes, has_scores=is_scored)
    by_class = {_unify(name): column for name, column in scores.items()}
    matrix = np.stack([by_class[name] for name in classes]) if is_scored else np.empty((0, 0))
    if is_scored:
        is_open = (shown < 0) & ~np.isnan(matrix).any(axis=0)
        shown[is_open] = np.argmax(matrix[:, is_open], axis=0)
    return _with_losses(plan, OutcomeBlock(nothing, nothing, shown, true, matrix, {}))


def _read_binary(
    classes: tuple[str, ...],
    scores: Mapping[str, Column],
    score: Column | None,
    codes: tuple[Counts, Counts],
) -> TrainingOutcomes:
    true, shown = codes
    nothing: Floats = np.full(true.size, np.nan)
    listed = [_unify(name) for name in scores]
    positive = classes.index(listed[1]) if len(listed) == 2 and listed[1] in classes else 1
    if score is None and scores:
        by_class = dict(zip(listed, scores.values(), strict=True))
        score = by_class.get(classes[positive], list(by_class.values())[min(len(by_class), 2) - 1])
    if score is None:
        plan = OutcomePlan("binary", classes, positive)
        block = OutcomeBlock(nothing, nothing, shown, true, np.empty((0, 0)), {})
        return TrainingOutcomes(plan, block)
    present = score[~np.isnan(score)]
    are_shares = bool(((present >= 0) & (present <= 1)).all())
    plan = OutcomePlan("binary", classes, positive, has_scores=True, has_probabilities=are_shares)
    decided = np.where(score > (0.5 if are_shares else 0.0), positive, 1 - positive)
    shown = np.where((shown < 0) & ~np.isnan(score), decided, shown)
    return _with_losses(plan, OutcomeBlock(score, nothing, shown, true, score[None], {}))


def _with_losses(plan: OutcomePlan, block: OutcomeBlock) -> TrainingOutcomes:
    if plan.has_scores and plan.has_probabilities:
        block.means.update(score_losses(plan, block))
    return TrainingOutcomes(plan, block)


def _list_class_names(
    scores: Sequence[str], actual: Sequence[str | None], shown: Sequence[str | None]
) -> tuple[str, ...]:
    """Return the classes that have scores, or else those that occur as actual or prediction."""
    if len(scores) > 1 and not all(name.isdigit() for name in scores):
        return tuple(_unify(name) for name in scores)
    names = {name for name in (*actual, *shown) if name is not None}
    if len(names) < 2 and names <= {"0", "1"}:
        names = {"0", "1"}
    return tuple(sorted(names))


def primary_output(predictions: Mapping[str, Column]) -> str:
    """Return `prediction`, else the first output that names classes, else the first output."""
    if PREDICTION in predictions:
        return PREDICTION
    labels = [name for name, column in predictions.items() if not _is_numeric(column)]
    return next(iter(labels + _find_numeric_labels(predictions)), next(iter(predictions)))


def _find_numeric_labels(predictions: Mapping[str, Column]) -> list[str]:
    """Return the outputs of only 0 and 1, which are classes if other numeric outputs are scores."""
    numeric = [name for name, column in predictions.items() if _is_numeric(column)]
    labels = [name for name in numeric if _is_zero_or_one(predictions[name])]
    return labels if len(labels) < len(numeric) else []


def _is_numeric(column: Column) -> bool:
    return bool(column.dtype.kind == "f")


def _is_zero_or_one(column: Column) -> bool:
    if not _is_numeric(column):
        return False
    present: Floats = column[~np.isnan(column)]
    return bool(present.size and np.isin(present, (0.0, 1.0)).all())


def _name_values(column: Column) -> list[str | None]:
    """Return the class of each row; None where missing."""
    if not _is_numeric(column):
        return [None if name is None else _unify(name) for name in column.tolist()]
    values, places = np.unique(column, return_inverse=True)
    names = [None if np.isnan(value) else category_name(value) for value in values.tolist()]
    return [None if (name := names[place]) is None else _unify(name) for place in places.tolist()]


def _unify(name: str) -> str:
    return _DIGITS.get(name, name)
