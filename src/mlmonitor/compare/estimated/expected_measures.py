"""Measures of performance from expected outcomes, each with its interval."""

from dataclasses import dataclass

import numpy as np

from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.compare.performance.classification import compute_multiclass
from mlmonitor.compare.performance.estimate import Estimate, estimate
from mlmonitor.records import Floats


@dataclass(frozen=True, slots=True)
class _Spread:
    """The variances behind an estimate: of the outcomes in each cell, and of each bin's mean.

    rows, outcomes: `[groups, bins]`. means: `[bins]`.
    """

    rows: Floats
    outcomes: Floats
    means: Floats

    def estimate(self, value: float, pull: Floats) -> Estimate:
        """Return a value with its interval.

        pull: the derivative of the value with respect to the outcomes of each cell.
        """
        sampling = float((self.outcomes * pull**2).sum())
        calibration = float((self.means * (self.rows * pull).sum(axis=0) ** 2).sum())
        return estimate(value, sampling + calibration, self.rows.sum(), low=0.0, high=1.0)


def estimate_binary(sums: ExpectedSums, uncertainty: Floats) -> dict[str, Estimate]:
    """Estimate the measures of a binary classifier.

    sums: group 1 holds rows predicted as positive. uncertainty: the variance of each bin's
    probability. A measure without rows is left out.
    Promise: the interval covers the value that labels would give in 95% of samples, if the
        calibration holds (delta method).
    """
    rows, expected, variance = sums.table
    spread, total = _Spread(rows, variance, uncertainty), float(rows.sum())
    if total == 0:
        return {}
    (fn, tp), (negative, positive) = expected.sum(axis=1).tolist(), rows.sum(axis=1).tolist()
    tn, ones = negative - fn, np.ones(rows.shape[1])
    actual, others = tp + fn, total - tp - fn
    measures = {
        "accuracy": spread.estimate(
            (tp + tn) / total, _derive_by_outcome(-1 / total, 1 / total, ones)
        )
    }
    if positive:
        measures["precision"] = spread.estimate(
            tp / positive, _derive_by_outcome(0, 1 / positive, ones)
        )
    if positive + actual:
        f1 = 2 * tp / (positive + actual)
        pull = _derive_by_outcome(-f1 / (positive + actual), (2 - f1) / (positive + actual), ones)
        measures["f1"] = spread.estimate(f1, pull)
    if actual and others:
        recall, specificity = tp / actual, tn / others
        of_recall = _derive_by_outcome(-recall / actual, (1 - recall) / actual, ones)
        of_specificity = _derive_by_outcome((specificity - 1) / others, specificity / others, ones)
        measures["recall"] = spread.estimate(recall, of_recall)
        measures["specificity"] = spread.estimate(specificity, of_specificity)
        balanced = (recall + specificity) / 2
        measures["balanced_accuracy"] = spread.estimate(balanced, (of_recall + of_specificity) / 2)
        measures["roc_auc"] = estimate_roc_auc(sums.table, uncertainty)
    return measures


def _derive_by_outcome(negative: float, positive: float, bins: Floats) -> Floats:
    """Return a measure's derivatives with respect to the outcomes in each cell, `[2, bins]`.

    negative, positive: the derivative for rows predicted as negative, and as positive.
    """
    return np.stack([negative * bins, positive * bins])


def estimate_roc_auc(table: Floats, uncertainty: Floats) -> Estimate:
    """Estimate the area under the ROC curve of one class, over all groups.

    Rows of one bin count as ties. Source: expected true and false positives by threshold, as in
    NannyML's CBPE; the variance follows from the delta method.
    """
    rows, expected, variance = (part.sum(axis=0) for part in table)
    others = np.maximum(rows - expected, 0.0)
    actual, rest = float(expected.sum()), float(others.sum())
    below = np.cumsum(others) - others / 2
    above = actual - np.cumsum(expected) + expected / 2
    value = float(expected @ below) / (actual * rest)
    pull = (below - above) / (actual * rest) - value * (1 / actual - 1 / rest)
    return _Spread(rows[None], variance[None], uncertainty).estimate(value, pull[None])


def estimate_multiclass(
    sums: ExpectedSums, uncertainty: list[Floats], training_rows: int, corrections: Floats
) -> dict[str, Estimate]:
    """Estimate the measures of several classes from expected rows by actual and predicted class.

    uncertainty: the variance of the probability in each bin, by class. training_rows: the rows
    behind the calibration; the fewer there are, the wider the intervals. corrections: a factor for
    each pair of classes; they do not change the number of rows of a predicted class.
    """
    if not sums.confusion.any():
        return {}
    confusion = sums.confusion * corrections
    confusion *= sums.confusion.sum(axis=0) / np.maximum(confusion.sum(axis=0), 1e-300)
    measures = compute_multiclass(np.pad(confusion, (0, 1)))  # no row is of a further class
    rows = float(confusion.sum())
    wider = float(np.sqrt(1 + rows / max(training_rows, 1)))
    measures = {name: _widen(measure, wider) for name, measure in measures.items()}
    areas = []
    for place, variances in enumerate(uncertainty):
        table = sums.table[:, place : place + 1]
        positives = float(table[1].sum())
        if 0 < positives < float(table[0].sum()):
            areas.append(estimate_roc_auc(table, variances))
    if areas:
        value, low, high = (float(np.mean([area[at] for area in areas])) for at in range(3))
        measures["roc_auc"] = Estimate(value, low, high, int(rows))
    return measures


def _widen(measure: Estimate, factor: float) -> Estimate:
    low = max(measure.value - factor * (measure.value - measure.low), 0.0)
    return measure._replace(
        low=low, high=min(measure.value + factor * (measure.high - measure.value), 1.0)
    )


def estimate_errors(sums: ExpectedSums, uncertainty: list[Floats]) -> dict[str, Estimate]:
    """Estimate MAE, RMSE and bias; the groups of `sums` are absolute, squared, signed errors."""
    measures: dict[str, Estimate] = {}
    for place, (name, low) in enumerate((("mae", 0.0), ("rmse", 0.0), ("bias", -np.inf))):
        rows, expected, variance = sums.table[:, place]
        total = float(rows.sum())
        if total == 0:
            return {}
        spread = float(variance.sum() + (uncertainty[place] * rows**2).sum()) / total**2
        measures[name] = estimate(
            float(expected.sum()) / total, spread, total, low=low, high=np.inf
        )
    square = measures["rmse"]
    value, low, high = (float(np.sqrt(max(x, 0.0))) for x in square[:3])
    measures["rmse"] = square._replace(value=value, low=low, high=high)
    return measures
