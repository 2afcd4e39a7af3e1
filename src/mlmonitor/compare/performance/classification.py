"""Measures of classification, computed from one confusion matrix and one score histogram."""

from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.score_histogram import SCORE_EDGES
from mlmonitor.compare.performance.estimate import (
    NAN,
    TWO_SIDED_95,
    Estimate,
    clip_interval,
    estimate,
    estimate_proportion,
)
from mlmonitor.records import Counts, Floats

CALIBRATION_BINS = 10


class CalibrationBin(NamedTuple):
    """Rows whose score lies in `(start, end]`: their mean score, and the share of positives.

    low, high: the 95% confidence interval of the share of positives.
    """

    start: float
    end: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    mean_score: float
    share: float
    low: float
    high: float


class ThresholdOutcome(NamedTuple):
    """The counts and ratios at a threshold. gain: the share of all positives that are flagged."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float
    gain: float


def compute_binary(matrix: Counts | Floats, positive: int) -> dict[str, Estimate]:
    """Measures of two classes; `matrix` is `[actual, predicted]`, unknown classes last."""
    matrix = _without_unknown(matrix)
    tp = float(matrix[positive, positive])
    fp, fn = float(matrix[:, positive].sum()) - tp, float(matrix[positive].sum()) - tp
    tn = float(matrix.sum()) - tp - fp - fn
    recall, specificity = estimate_proportion(tp, tp + fn), estimate_proportion(tn, tn + fp)
    return {
        "accuracy": estimate_proportion(float(np.trace(matrix)), float(matrix.sum())),
        "precision": estimate_proportion(tp, tp + fp),
        "recall": recall,
        "f1": _compute_f1(tp, fp + fn),
        "specificity": specificity,
        "balanced_accuracy": _compute_balanced(matrix),
    }


def compute_multiclass(matrix: Counts | Floats) -> dict[str, Estimate]:
    """Measures of several classes: means over the classes that occur as actual or predicted.

    The intervals follow from the delta method, applied to each cell of the matrix.
    """
    matrix = _without_unknown(matrix)
    used = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    m = matrix[np.ix_(used, used)].astype(np.float64)
    if not used.size:
        return {}
    rows, columns, right = m.sum(axis=1), m.sum(axis=0), np.diag(m)
    parts = {
        "precision": _Part.divide(right, columns).of_columns(),
        "recall": _Part.divide(right, rows).of_rows(),
        "f1": _Part.divide(2 * right, rows + columns).of_both(),
        "specificity": _Part.divide(m.sum() - rows - columns + right, m.sum() - rows).of_others(),
    }
    measures = {
        "accuracy": estimate_proportion(float(right.sum()), float(m.sum())),
        "balanced_accuracy": _compute_balanced(matrix),
    }
    return measures | {
        name: _average_classes(values, pull, m) for name, (values, pull) in parts.items()
    }


def _without_unknown(matrix: Counts | Floats) -> Floats:
    """Leave out rows whose actual and predicted class are both unknown, because they may differ."""
    counts = matrix.astype(np.float64)
    counts[-1, -1] = 0.0
    return counts


class _Part(NamedTuple):
    """A ratio for each class; each method returns the ratios with the influence of every cell.

    The influence of a cell is the derivative of the sum of all ratios with respect to its count.
    """

    values: Floats
    weights: Floats

    @classmethod
    def divide(cls, numerators: Floats, wholes: Floats) -> "_Part":
        """Return the ratios, zero where the denominator is zero."""
        weights = np.where(wholes > 0, 1.0 / np.where(wholes > 0, wholes, 1.0), 0.0)
        return cls(numerators * weights, weights)

    def of_columns(self) -> tuple[Floats, Floats]:
        """Return ratios and influence if a cell counts in its column's denominator."""
        return self.values, (np.eye(len(self.values)) - self.values) * self.weights

    def of_rows(self) -> tuple[Floats, Floats]:
        """Return ratios and influence if a cell counts in its row's denominator."""
        return self.values, ((np.eye(len(self.values)) - self.values) * self.weights).T

    def of_both(self) -> tuple[Floats, Floats]:
        """Return ratios and influence if a cell counts in its row's and column's denominator."""
        pull = self.values * self.weights
        return self.values, np.diag(2 * self.weights) - pull[:, None] - pull

    def of_others(self) -> tuple[Floats, Floats]:
        """Return ratios and influence if a cell counts in all denominators except its row's."""
        gain = (1 - self.values) * self.weights
        missed = np.where(np.eye(len(gain)) > 0, 0.0, self.weights)
        return self.values, gain.sum() - gain[:, None] - missed


def _average_classes(values: Floats, influence: Floats, m: Floats) -> Estimate:
    variance = float((m * influence**2).sum()) / len(values) ** 2
    return estimate(float(values.mean()), variance, float(m.sum()), low=0.0, high=1.0)


def _compute_f1(tp: float, wrong: float) -> Estimate:
    whole = 2 * tp + wrong
    if whole == 0:
        return Estimate(NAN, NAN, NAN, 0)
    value = 2 * tp / whole
    variance = (tp * (2 - 2 * value) ** 2 + wrong * value**2) / whole**2
    return estimate(value, variance, tp + wrong, low=0.0, high=1.0)


def _compute_balanced(matrix: Counts | Floats) -> Estimate:
    """Return the mean recall of the classes that occur among the actuals."""
    rows = matrix.sum(axis=1)
    used = np.flatnonzero(rows)
    if not used.size:
        return Estimate(NAN, NAN, NAN, 0)
    recall = np.diag(matrix)[used] / rows[used]
    variance = (recall * (1 - recall) / rows[used]).sum() / len(used) ** 2
    return estimate(float(recall.mean()), float(variance), float(rows.sum()), low=0.0, high=1.0)


def compute_roc_auc(counts: Counts) -> tuple[Estimate, float]:
    """Return the area under the ROC curve, and a bound on its binning error.

    counts: `[2, bins]`, negatives before positives. The interval is DeLong's, widened by the error.
    Source: DeLong, DeLong, Clarke-Pearson (1988).
    """
    negative, positive = counts.astype(np.float64)
    n, p = negative.sum(), positive.sum()
    if not n or not p:
        return Estimate(NAN, NAN, NAN, int(n + p)), NAN
    below = (np.cumsum(negative) - negative / 2) / n
    above = (p - np.cumsum(positive) + positive / 2) / p
    value = float((positive * below).sum() / p)
    spread = (positive * (below - value) ** 2).sum() / max(p - 1, 1) / p
    spread += (negative * (above - value) ** 2).sum() / max(n - 1, 1) / n
    error = float((positive * negative).sum() / (2 * p * n))
    area = estimate(value, float(spread), float(n + p), low=0.0, high=1.0)
    return _widen(area, error), error


def compute_pr_auc(counts: Counts) -> tuple[Estimate, float]:
    """Return the average precision, and a bound on its binning error.

    counts: `[2, bins]`, negatives before positives.
    Source: Boyd, Eng, Page, "Area under the precision-recall curve" (2013), for the interval.
    """
    negative, positive = counts[:, ::-1].astype(np.float64)
    p, n = positive.sum(), negative.sum()
    if not p:
        return Estimate(NAN, NAN, NAN, int(n)), NAN
    hits, false = np.cumsum(positive), np.cumsum(negative)
    has_rows = positive > 0
    tp, fp, new = hits[has_rows], false[has_rows], positive[has_rows]
    value = float((new * tp / (tp + fp)).sum() / p)
    # Within a bin the best order has all positives first, the worst all negatives.
    best = float((new * tp / (tp + fp - negative[has_rows])).sum() / p)
    worst = float((new * (tp - new + 1) / (tp - new + 1 + fp)).sum() / p)
    error = max(best - value, value - worst)
    if not 0 < value < 1:
        return Estimate(value, NAN, NAN, int(n + p)), error
    logit = np.log(value / (1 - value))
    half = TWO_SIDED_95 / np.sqrt(p * value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-(logit + side * half)))) for side in (-1, 1))
    return _widen(Estimate(value, low, high, int(n + p)), error), error


def _widen(estimated: Estimate, error: float) -> Estimate:
    low, high = estimated.low - error, estimated.high + error
    return clip_interval(estimated._replace(low=low, high=high), "roc_auc")


def _group_scores() -> Counts:
    """Return the calibration bin of each score bin."""
    tops = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    return np.searchsorted(tops, SCORE_EDGES - 1e-12).astype(np.int64)


def compute_calibration(counts: Counts, sums: Floats) -> tuple[CalibrationBin, ...]:
    """Return the calibration curve: mean score and share of positives by tenths of the score.

    counts: `[2, bins]`, negatives before positives. sums: the sums of the scores, by bin. Empty
    tenths are left out.
    """
    groups = _group_scores()
    positives = np.bincount(groups, counts[1], CALIBRATION_BINS)
    rows = np.bincount(groups, counts.sum(axis=0), CALIBRATION_BINS)
    totals = np.bincount(groups, sums, CALIBRATION_BINS)
    curve = []
    for place in np.flatnonzero(rows).tolist():
        share = estimate_proportion(float(positives[place]), float(rows[place]))
        start, end = place / CALIBRATION_BINS, (place + 1) / CALIBRATION_BINS
        score = float(totals[place] / rows[place])
        curve.append(CalibrationBin(start, end, share.count, score, *share[:3]))
    return tuple(curve)


def compute_ece(counts: Counts, sums: Floats) -> Estimate:
    """The expected calibration error over ten bins of equal width.

    counts, sums: as for `compute_calibration`. The interval treats the sign of each bin's gap as
    known.
    Source: Naeini, Cooper, Hauskrecht (2015).
    """
    n = float(counts.sum())
    if not n:
        return Estimate(NAN, NAN, NAN, 0)
    groups = _group_scores()
    gaps = np.bincount(groups, counts[1] - sums, CALIBRATION_BINS)
    value = float(np.abs(gaps).sum() / n)
    rows = counts.sum(axis=0)
    mean = sums / np.maximum(rows, 1)
    squares = float((counts[1] * (1 - mean) ** 2 + counts[0] * mean**2).sum()) / n
    return estimate(value, max(squares - value**2, 0.0) / n, n, low=0.0, high=1.0)


def compute_threshold(counts: Counts, threshold: float) -> ThresholdOutcome:
    """Return the outcome of flagging each score above a threshold.

    The threshold is lowered to the next bin edge, which the result reports.
    """
    place = max(int(np.searchsorted(SCORE_EDGES, threshold + 1e-12, side="right")) - 1, 0)
    negative, positive = counts
    tp, fp = int(positive[place + 1 :].sum()), int(negative[place + 1 :].sum())
    fn, tn = int(positive.sum()) - tp, int(negative.sum()) - fp
    with np.errstate(all="ignore"):
        precision, gain = (float(np.divide(tp, whole)) for whole in (tp + fp, tp + fn))
    return ThresholdOutcome(float(SCORE_EDGES[place]), tp, fp, fn, tn, precision, gain)
