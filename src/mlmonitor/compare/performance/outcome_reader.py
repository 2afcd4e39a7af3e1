"""Builds blocks of predictions and actuals, from which all measures are updated."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets
from mlmonitor.aggregate.outcomes.outcome_plan import (
    OutcomeBlock,
    OutcomePlan,
    score_losses,
)
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.actual_reader import list_values
from mlmonitor.compare.performance.prediction_keeper import GROUP, SCORE, PredictionKeeper
from mlmonitor.compare.performance.task.task_plan import ZERO_OR_ONE, match_names
from mlmonitor.records import Floats, Mask, Metric

_SUM_TOLERANCE = 0.01


class OutcomeReader:
    """Reads the stored columns of predictions and their actuals by one plan.

    Classes are compared by name, so 1 and "1" are equal. If no class was predicted, a score above
    0.5 or a decision value above 0 means the positive class. Price: a few numpy calls for each
    block.
    """

    def __init__(self, plan: OutcomePlan, keeper: PredictionKeeper) -> None:
        self.plan = plan
        self._classes, self._scores = keeper.classes, keeper.scores
        self._names_no_class = plan.has_scores and (not self._scores or keeper.predicts_scores)
        self.failures: dict[str, str] = {}
        """Custom metrics that failed, with the type of their last exception or what was wrong."""
        self.fault: str | None = None
        """The first error in predictions: scores that are not probabilities, or not numbers."""

    def read(self, columns: Mapping[str, Column], actuals: Values, numbers: Floats) -> OutcomeBlock:
        """Return the block of some pairs; `numbers` holds the numeric actuals."""
        predicted = columns["predicted"]
        is_stray = self.find_strays(columns)
        if is_stray.any():
            predicted = np.where(is_stray, np.nan, predicted)
            self.fault = self.fault or (
                f"prediction: expected numbers, got texts or booleans in {is_stray.sum()} labelled "
                "rows, which count as unreadable: pass numbers, or no prediction"
            )
        if self.plan.task == "regression":
            nothing = np.full(len(predicted), -1)
            block = OutcomeBlock(predicted, numbers, nothing, nothing, np.empty((0, 0)), {})
        else:
            block = self._read_classes(columns, actuals, is_stray)
        if self.plan.has_scores and self.plan.has_probabilities:
            self.fault = self.fault or _find_score_fault(block.scores)
            block.means.update(score_losses(self.plan, block))
        for metric in self.plan.metrics:
            block.means[metric.name] = self._compute_metric(metric, block)
        return block._replace(groups=columns.get(GROUP))

    def find_strays(self, columns: Mapping[str, Column]) -> Mask:
        """Mark the predictions that are texts or booleans although numbers are expected."""
        codes = columns["class"]
        if self.plan.task == "regression":
            truths = [c for c, name in enumerate(self._classes.names) if name in ("false", "true")]
            return (codes >= 0) & (np.isnan(columns["predicted"]) | np.isin(codes, truths))
        if not self._names_no_class:
            return np.zeros(len(codes), np.bool_)
        is_unknown: Mask = self._translate_codes(codes) == len(self.plan.classes)
        return is_unknown

    def _read_classes(
        self, columns: Mapping[str, Column], actuals: Values, is_stray: Mask
    ) -> OutcomeBlock:
        actual = self._translate_codes(self._classes.encode(list_values(actuals)))
        predicted = np.where(is_stray, -1, self._translate_codes(columns["class"]))
        scores = self._read_scores(columns)
        numbers = columns["predicted"]
        is_open = (predicted < 0) & ~np.isnan(numbers)
        if is_open.any() and not self._names_no_class:
            predicted[is_open] = self._name_numbers(numbers[is_open])
        if self.plan.has_scores:
            predicted = np.where(predicted < 0, self._decide(scores), predicted)
        if not self.plan.has_probabilities:
            with np.errstate(over="ignore"):
                scores = 1.0 / (1.0 + np.exp(-scores))
        return OutcomeBlock(numbers, numbers * np.nan, predicted, actual, scores, {})

    def _translate_codes(self, codes: Column) -> Buckets:
        """Translate codes of names to codes of the plan's classes."""
        table = np.array([*match_names(self._classes.names, self.plan.classes), -1], np.int64)
        return table[codes]

    def _name_numbers(self, numbers: Floats) -> Buckets:
        """Return the class that each number denotes."""
        values, places = np.unique(numbers, return_inverse=True)
        names = [category_name(value) or "" for value in values.tolist()]
        return np.array(match_names(names, self.plan.classes), np.int64)[places]

    def _decide(self, scores: Floats) -> Buckets:
        """Return the class that the scores imply; -1 if a score is missing."""
        plan = self.plan
        is_known = ~np.isnan(scores).any(axis=0)
        if plan.task == "binary":
            threshold = 0.5 if plan.has_probabilities else 0.0
            code = np.where(scores[0] > threshold, plan.positive, 1 - plan.positive)
        else:
            code = np.argmax(np.where(is_known, scores, 0.0), axis=0)
        return np.where(is_known, code, -1)

    def _read_scores(self, columns: Mapping[str, Column]) -> Floats:
        """Return the scores `[scored classes, rows]`, in the order of the classes."""
        plan, rows = self.plan, len(columns["predicted"])
        if not plan.has_scores:
            return np.empty((0, rows))
        if not self._scores:
            return columns["predicted"][None, :]
        scores = {name: columns[f"{SCORE}prediction.{name}"] for name in self._scores}
        if plan.task == "binary":
            name = plan.classes[plan.positive]
            last = self._scores[min(len(self._scores), 2) - 1]
            return scores.get(name, scores[last])[None, :]
        return np.stack([scores[name] for name in plan.classes])

    def _compute_metric(self, metric: Metric, block: OutcomeBlock) -> Floats:
        """Return the values of one metric; all NaN if it raises or returns a wrong type."""
        if self.plan.task == "regression":
            arguments: tuple[Column, Column] = block.predicted, block.actual
        else:
            by_code = _list_class_values(self.plan)
            arguments = by_code[block.predicted_class], by_code[block.actual_class]
        nothing = np.full(block.rows, np.nan)
        try:
            values = np.asarray(metric.function(*arguments), np.float64)
        except Exception as error:  # noqa: BLE001 - the user's code, reported by its type
            self.failures[metric.name] = type(error).__name__
            return nothing
        if values.shape != nothing.shape:
            self.failures[metric.name] = "expected one number for each row"
            return nothing
        if self.plan.task == "regression":
            values = np.where(np.isnan(block.predicted) | np.isnan(block.actual), np.nan, values)
        return values


def _list_class_values(plan: OutcomePlan) -> Column:
    """Return what a custom metric receives for each class code, with a missing value at the end.

    Actuals that are 0 and 1, or False and True, are passed as numbers, because `actual == 1` would
    silently be False for texts.
    """
    if plan.has_numbers:
        return np.array([*map(ZERO_OR_ONE.__getitem__, plan.classes), np.nan, np.nan])
    return np.array([*plan.class_names, None], object)


def _find_score_fault(scores: Floats) -> str | None:
    """Return why scores `[classes, rows]` are not probabilities; None if they are."""
    rows = int(np.count_nonzero(((scores < 0) | (scores > 1)).any(axis=0)))
    if rows:
        return (
            f"prediction: expected probabilities from 0 to 1, got others in {rows} rows, which "
            "count in no measure of scores: pass probabilities, or decision values from the start"
        )
    totals = scores.sum(axis=0)
    rows = int(np.count_nonzero(np.abs(totals - 1) > _SUM_TOLERANCE))
    if len(scores) > 1 and rows:
        return (
            "prediction: expected probabilities of all classes that add up to 1, got other sums "
            f"in {rows} rows: their log loss and Brier score are not those of probabilities"
        )
    return None
