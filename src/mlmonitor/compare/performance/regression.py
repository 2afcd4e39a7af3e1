"""Measures of regression, computed from `RegressionSums`."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.compare.performance.estimate import NAN, Estimate, estimate, estimate_mean

Terms = Mapping[str, float]
"""The result of `RegressionSums.terms`."""


def compute_regression(t: Terms, *, quantile: float = 0.5) -> dict[str, Estimate]:
    """Return every measure with its interval; empty if there are no labelled rows.

    quantile: the quantile that the model predicts, for the pinball loss. Intervals of means over
    rows are normal; those of ratios and roots follow from the delta method.
    """
    if t["n"] == 0:
        return {}
    t = {name: np.float64(term) for name, term in t.items()}  # overflow gives infinity, no error
    with np.errstate(all="ignore"):
        return {
            "mae": estimate_mean(t["n"], t["abs"], t["e2"], low=0.0),
            "rmse": _take_root(estimate_mean(t["n"], t["e2"], t["e4"], low=0.0)),
            "bias": estimate_mean(t["n"], t["e"], t["e2"]),
            "mape": estimate_mean(t["nonzero"], t["r"], t["r2"], low=0.0),
            "wape": _compute_wape(t),
            "r2": _compute_r2(t),
            "pinball": _compute_pinball(t, quantile),
        }


def _take_root(square: Estimate) -> Estimate:
    value, low, high = (float(np.sqrt(x)) for x in square[:3])
    return square._replace(value=value, low=low, high=high)


def _compute_pinball(t: Terms, quantile: float) -> Estimate:
    """Return the pinball loss: an error of 1 costs q below the actual, and 1 - q above it."""
    over, under = (t["abs"] + t["e"]) / 2, (t["abs"] - t["e"]) / 2
    over2, under2 = t["over2"], t["e2"] - t["over2"]
    total = quantile * under + (1 - quantile) * over
    squares = quantile**2 * under2 + (1 - quantile) ** 2 * over2
    return estimate_mean(t["n"], total, squares, low=0.0)


def _compute_wape(t: Terms) -> Estimate:
    """Return the sum of absolute errors divided by the sum of absolute actuals."""
    if t["a"] == 0:
        return Estimate(NAN, NAN, NAN, int(t["n"]))
    ratio = t["abs"] / t["a"]
    a2 = t["d2"] + 2 * t["center"] * t["d"] + t["n"] * t["center"] ** 2
    squares = t["e2"] - 2 * ratio * t["ea"] + ratio**2 * a2
    return estimate(ratio, squares / t["a"] ** 2, t["n"], low=0.0, high=np.inf)


def _compute_r2(t: Terms) -> Estimate:
    """Return one minus the ratio of squared errors to squared deviations from the mean actual."""
    n, mean = t["n"], t["d"] / t["n"]
    total = t["d2"] - n * mean * mean
    if n < 2 or not total > 1e-12 * t["d2"]:  # a constant target has no variance to explain
        return Estimate(NAN, NAN, NAN, int(n))
    share = t["e2"] / total
    # The squares of e^2 - share d^2, where d is the deviation from the mean actual.
    cross = t["e2d2"] - 2 * mean * t["e2d"] + mean**2 * t["e2"]
    fourth = (
        t["d4"] - 4 * mean * t["d3"] + 6 * mean**2 * t["d2"] - 4 * mean**3 * t["d"] + n * mean**4
    )
    squares = t["e4"] - 2 * share * cross + share**2 * fourth
    return estimate(1 - share, squares / total**2, n, low=-np.inf, high=1.0)
