"""The terms of a labelled row that are summed by group, for each task."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.records import Floats

_REGRESSION = ("n", "abs", "e", "e2", "d", "d2", "a", "nonzero", "r")
_BINARY = ("n", "right", "tp", "fp", "fn", "tn")


def term_names(plan: OutcomePlan) -> tuple[str, ...]:
    """Return the names of a task's terms, then those of a count and a value for each mean."""
    own = {"regression": _REGRESSION, "binary": _BINARY}.get(plan.task, ("n", "right"))
    means = [(f"count.{name}", f"value.{name}") for name in plan.mean_names]
    return (*own, *(name for pair in means for name in pair))


def measure_terms(plan: OutcomePlan, block: OutcomeBlock) -> Floats:
    """Return the terms `[terms, rows]` of each row; zero where a row is not counted."""
    own = _compute_regression_terms if plan.task == "regression" else _compute_class_terms
    rows = own(plan, block)
    for name in plan.mean_names:
        is_counted = np.isfinite(block.means[name])
        rows += [is_counted * 1.0, np.where(is_counted, block.means[name], 0.0)]
    return np.stack(rows)


def _compute_regression_terms(plan: OutcomePlan, block: OutcomeBlock) -> list[Floats]:
    is_counted = ~(np.isnan(block.predicted) | np.isnan(block.actual))
    predicted, actual = (np.where(is_counted, x, 0.0) for x in (block.predicted, block.actual))
    with np.errstate(all="ignore"):
        e, d, a = predicted - actual, (actual - plan.center) * is_counted, np.abs(actual)
        ratio = np.where(a > 0, np.abs(e) / np.where(a > 0, a, 1.0), 0.0)
        return [is_counted * 1.0, np.abs(e), e, e * e, d, d * d, a, (a > 0) * 1.0, ratio]


def _compute_class_terms(plan: OutcomePlan, block: OutcomeBlock) -> list[Floats]:
    predicted, actual, other = block.predicted_class, block.actual_class, len(plan.classes)
    is_counted = (predicted >= 0) & (actual >= 0) & ~((predicted == other) & (actual == other))
    masks = [is_counted, is_counted & (predicted == actual)]
    if plan.task == "binary":
        flagged, positive = predicted == plan.positive, actual == plan.positive
        cells = flagged & positive, flagged & ~positive, ~flagged & positive, ~flagged & ~positive
        masks += [is_counted & cell for cell in cells]
    return [mask * 1.0 for mask in masks]


def influence_weights(
    plan: OutcomePlan, totals: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return, for each measure, the weights of the terms that add up to the influence of a row.

    The influence is the derivative of the measure with respect to the row's weight, up to a factor.
    totals: the sum of each term. The areas under curves, the calibration error and the means over
    several classes are absent, because their influence is not a sum of terms.
    """
    t = {name: np.float64(total) for name, total in totals.items()}
    with np.errstate(all="ignore"):
        if plan.task == "regression":
            weights = _weigh_regression(t)
        else:
            weights = {"accuracy": {"right": 1.0, "n": -t["right"] / t["n"]}}
            weights |= _weigh_binary(t) if plan.task == "binary" else {}
        for name in plan.mean_names:
            mean = t[f"value.{name}"] / t[f"count.{name}"]
            weights[name] = {f"value.{name}": 1.0, f"count.{name}": -mean}
    return weights


def _weigh_regression(t: Mapping[str, float]) -> dict[str, dict[str, float]]:
    mean = t["d"] / t["n"]
    share = t["e2"] / (t["d2"] - t["d"] * mean)
    return {
        "mae": {"abs": 1.0, "n": -t["abs"] / t["n"]},
        "rmse": {"e2": 1.0, "n": -t["e2"] / t["n"]},
        "bias": {"e": 1.0, "n": -t["e"] / t["n"]},
        "mape": {"r": 1.0, "nonzero": -t["r"] / t["nonzero"]},
        "wape": {"abs": 1.0, "a": -t["abs"] / t["a"]},
        "r2": {"e2": 1.0, "d2": -share, "d": 2 * share * mean, "n": -share * mean * mean},
        "pinball": pinball_weights(t, 0.5),
    }


def pinball_weights(t: Mapping[str, float], quantile: float) -> dict[str, float]:
    """Return the weights of the pinball loss of a quantile."""
    total = 0.5 * t["abs"] + (0.5 - quantile) * t["e"]
    return {"abs": 0.5, "e": 0.5 - quantile, "n": -total / t["n"]}


def _weigh_binary(t: Mapping[str, float]) -> dict[str, dict[str, float]]:
    precision, recall = t["tp"] / (t["tp"] + t["fp"]), t["tp"] / (t["tp"] + t["fn"])
    f1, specificity = (
        2 * t["tp"] / (2 * t["tp"] + t["fp"] + t["fn"]),
        t["tn"] / (t["tn"] + t["fp"]),
    )
    positives, negatives = t["tp"] + t["fn"], t["tn"] + t["fp"]
    return {
        "precision": {"tp": 1 - precision, "fp": -precision},
        "recall": {"tp": 1 - recall, "fn": -recall},
        "f1": {"tp": 2 - 2 * f1, "fp": -f1, "fn": -f1},
        "specificity": {"tn": 1 - specificity, "fp": -specificity},
        "balanced_accuracy": {
            "tp": (1 - recall) / positives,
            "fn": -recall / positives,
            "tn": (1 - specificity) / negatives,
            "fp": -specificity / negatives,
        },
    }
