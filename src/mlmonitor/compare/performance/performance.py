"""Performance of a labelled model: every measure with its interval, overall and by bucket."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Range
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.aggregate.outcomes.score_histogram import SCORE_EDGES
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.by_name import ByName, describe_unknown
from mlmonitor.compare.performance.classification import (
    CalibrationBin,
    ThresholdOutcome,
    compute_binary,
    compute_calibration,
    compute_ece,
    compute_multiclass,
    compute_pr_auc,
    compute_roc_auc,
    compute_threshold,
)
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.estimate import (
    NAN,
    Estimate,
    MeasuresByName,
    bounds_of,
    estimate_mean,
)
from mlmonitor.compare.performance.regression import compute_regression
from mlmonitor.errors import UnknownName
from mlmonitor.records import Counts, Floats

MEASURES = frozenset(
    {
        *("mae", "rmse", "bias", "mape", "wape", "r2", "pinball", "accuracy", "precision"),
        *("recall", "f1", "specificity", "balanced_accuracy", "roc_auc", "pr_auc", "log_loss"),
        *("brier", "ece", "ndcg", "mrr"),
    }
)
"""Names that custom metrics must not use."""

Dimensions = Mapping[str, tuple[tuple[str, ...], OutcomeTables]]
"""By dimension, the names of its buckets and its tables."""


class ErrorTotals(NamedTuple):
    """Sums of errors and of actuals over labelled predictions."""

    absolute: float
    squared: float
    signed: float
    actual: float


class Performance(MeasuresByName):
    """Measures by name, each an `Estimate`: `performance["mae"].value`.

    Immutable. A measure without labelled predictions is absent. `auc_error` bounds the effect of
    the score histogram's bins on `roc_auc` and `pr_auc`; their intervals include it.
    """

    def __init__(
        self,
        tables: OutcomeTables,
        bucket: Range = slice(None),
        dimensions: Dimensions | None = None,
        error_sizes: ExponentialSketch | None = None,
        effects: GroupEffects | None = None,
    ) -> None:
        self._tables, self._bucket = tables, bucket
        self._dimensions = dimensions or {}
        self._auc_error: dict[str, float] = {}
        self._error_sizes, self._effects = error_sizes, effects

    @cached_property
    def _estimates(self) -> dict[str, Estimate]:
        """All measures, computed when first read, because most parts of a status are never read."""
        estimates = self._compute()
        return estimates if self._effects is None else self._effects.widen(estimates)

    @property
    def auc_error(self) -> dict[str, float]:
        """Bound on the binning error of each area, by measure."""
        return ByName(self._auc_error if self._estimates else {}, "measure")

    @property
    def task(self) -> str:
        """`regression`, `binary`, `multiclass` or `ranking`."""
        return self._tables.plan.task

    @property
    def count(self) -> int:
        """The number of labelled predictions."""
        if self.task == "regression":
            return int(self._tables.regression.terms(self._bucket)["n"])
        if self.task == "ranking":
            return int(self._tables.means.terms("ndcg", self._bucket)[0])
        return int(self._tables.confusion.matrix(self._bucket).sum())

    @property
    def mae(self) -> float:
        """The mean absolute error; NaN unless the task is regression."""
        return self._get_value("mae")

    @property
    def rmse(self) -> float:
        """The root of the mean squared error; NaN unless the task is regression."""
        return self._get_value("rmse")

    @property
    def bias(self) -> float:
        """The mean of predicted minus actual; NaN unless the task is regression."""
        return self._get_value("bias")

    def _get_value(self, measure: str) -> float:
        estimate = self._estimates.get(measure)
        return NAN if estimate is None else estimate.value

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Counts by actual, then predicted class; classes without rows are left out."""
        names = self._tables.plan.class_names
        matrix = self._tables.confusion.matrix(self._bucket)
        used = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1)).tolist()
        counts = {i: {names[j]: int(matrix[i, j]) for j in used} for i in used}
        return ByName({names[i]: ByName(counts[i], "class") for i in used}, "class")

    @property
    def calibration(self) -> tuple[CalibrationBin, ...]:
        """The calibration curve of the positive class; see `calibration_of` for several classes."""
        return self._compute_calibration(0) if self.task == "binary" else ()

    def calibration_of(self, name: str) -> tuple[CalibrationBin, ...]:
        """Return the calibration curve of one of several classes; empty if it has no scores."""
        classes = self._tables.plan.classes
        if self.task == "binary":
            return self.calibration if name == classes[self._tables.plan.positive] else ()
        return self._compute_calibration(classes.index(name)) if name in classes else ()

    def _compute_calibration(self, place: int) -> tuple[CalibrationBin, ...]:
        plan = self._tables.plan
        if place >= plan.scored or not plan.has_probabilities:
            return ()
        return compute_calibration(*self._tables.scores.outcomes(place, self._bucket))

    def at(self, threshold: float) -> ThresholdOutcome:
        """Return the outcome of another threshold, for two classes with scores.

        Raises:
            LookupError: the task is not binary, or there are no scores.
        """
        if self.task != "binary" or not self._tables.plan.scored:
            raise LookupError("at: expected two classes and a score for each prediction")
        return compute_threshold(self._tables.scores.outcomes(0, self._bucket)[0], threshold)

    def pinball(self, quantile: float) -> Estimate:
        """Return the pinball loss of a model that predicts this quantile.

        Raises:
            LookupError: the task is not regression, or nothing is labelled.
        """
        if not self.mae >= 0:
            raise LookupError("pinball: expected labelled numbers")
        terms = self._tables.regression.terms(self._bucket)
        loss = compute_regression(terms, quantile=quantile)["pinball"]
        return loss if self._effects is None else self._effects.widen_pinball(loss, quantile)

    def error_quantile(self, rank: float) -> float:
        """Return a quantile of the absolute errors of all labelled numbers; NaN if there are none.

        The result is accurate to half a bucket of an exponential histogram: to 2% if the absolute
        errors span two decades, to 5% if they span five.

        Raises:
            LookupError: the task is not regression, or this is the performance of a bucket.
        """
        if self.task != "regression" or self._error_sizes is None:
            raise LookupError("error_quantile: expected the errors of all labelled numbers")
        return float(self._error_sizes.quantile(np.array([rank]))[0])

    @property
    def error_sums(self) -> ErrorTotals | None:
        """The sums behind the measures of regression; None for another task."""
        if self.task != "regression":
            return None
        t = self._tables.regression.terms(self._bucket)
        return ErrorTotals(t["abs"], t["e2"], t["e"], t["d"] + t["n"] * t["center"])

    @property
    def calibration_terms(self) -> dict[str, float]:
        """Moments of predictions and actuals; empty for a task without numbers or scores."""
        sums = self._tables.calibration
        return sums.terms(self._bucket) if sums.table.size else {}

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Return the performance over several buckets of one dimension."""
        buckets = [part._bucket for part in parts]  # noqa: SLF001 - of its own class
        rows = [b for b in buckets if isinstance(b, int)]
        return cls(parts[0]._tables, rows, effects=parts[0]._effects)  # noqa: SLF001

    def score_counts(self, tops: Floats) -> dict[str, Counts]:
        """Return counts `[2, bins]` of the scores of each class, in bins between `tops`.

        The first row counts other classes, the second row the class. tops: the upper edges of the
        bins, ascending; the last is 1.
        """
        plan = self._tables.plan
        names = [plan.classes[plan.positive]] if plan.task == "binary" else plan.classes
        stacked = {}
        for place, name in enumerate(names[: plan.scored]):
            counts, _ = self._tables.scores.outcomes(place, self._bucket)
            groups = np.searchsorted(tops, SCORE_EDGES - 1e-12)
            rows = [np.bincount(groups, row, len(tops)).astype(np.int64) for row in counts]
            stacked[name] = np.stack(rows)
        return stacked

    @property
    def declared_fields(self) -> tuple[str, ...]:
        """Fields whose buckets were declared."""
        return tuple(name for name in self._dimensions if name not in ("prediction", "segment"))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that `by` accepts."""
        return tuple(self._dimensions)

    def by(self, dimension: str) -> dict[str, Self]:
        """Return the performance of each labelled bucket of `prediction` or a declared field.

        Raises:
            UnknownName: there is no such dimension; `dimensions` lists them.
        """
        if dimension not in self._dimensions:
            raise UnknownName(describe_unknown(dimension, self._dimensions, "dimension"))
        names, tables = self._dimensions[dimension]
        parts = {
            name: type(self)(tables, place, effects=self._effects)
            for place, name in enumerate(names)
        }
        return ByName({name: part for name, part in parts.items() if part.count}, "bucket")

    def _compute(self) -> dict[str, Estimate]:
        if self.task == "regression":
            estimates = compute_regression(self._tables.regression.terms(self._bucket))
        elif self.task == "ranking":
            estimates = {}
        else:
            estimates = self._compute_classes()
        for name in self._tables.plan.mean_names:
            terms = self._tables.means.terms(name, self._bucket)
            if terms[0]:
                low, high = bounds_of(name, self.task)
                estimates[name] = estimate_mean(*terms, low=low, high=high)
        if self._tables.plan.scored and estimates:
            self._add_scores(estimates)
        return estimates

    def _compute_classes(self) -> dict[str, Estimate]:
        matrix = self._tables.confusion.matrix(self._bucket)
        if not matrix.any():
            return {}
        if self.task == "binary":
            return compute_binary(matrix, self._tables.plan.positive)
        return compute_multiclass(matrix)

    def _add_scores(self, estimates: dict[str, Estimate]) -> None:
        """Add ROC AUC, PR AUC and calibration; for several classes the one-vs-rest mean."""
        plan = self._tables.plan
        parts: dict[str, list[Estimate]] = {"roc_auc": [], "pr_auc": [], "ece": []}
        errors: dict[str, list[float]] = {"roc_auc": [], "pr_auc": []}
        for place in range(plan.scored):
            counts, sums = self._tables.scores.outcomes(place, self._bucket)
            if not counts[1].any():
                continue
            for name, compute in (("roc_auc", compute_roc_auc), ("pr_auc", compute_pr_auc)):
                value, error = compute(counts)
                parts[name].append(value)
                errors[name].append(error)
            if plan.has_probabilities:
                parts["ece"].append(compute_ece(counts, sums))
        for name, values in parts.items():
            if values:
                estimates[name] = _average(values)
        self._auc_error = {name: float(np.mean(e)) for name, e in errors.items() if e}


def _average(values: list[Estimate]) -> Estimate:
    """Return the mean of dependent estimates; its interval has their average width."""
    value, low, high = (
        float(np.mean([estimate[place] for estimate in values])) for place in range(3)
    )
    count = max(estimate.count for estimate in values)
    return Estimate(value, min(low, value), max(high, value), count)  # sums have rounding errors
