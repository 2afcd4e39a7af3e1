"""What correcting the predictions by a line would change, computed from moments."""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

import numpy as np

_SD_SHARE = 0.5
"""Actuals count as centred on zero if their mean is below this share of their deviation."""


class Recalibration(NamedTuple):
    """The regression of actuals on predictions.

    loss: the current mean squared error.
    corrected_loss: the mean squared error around the regression line.
    slope, intercept: the regression line; 1 and 0 if nothing needs correcting.
    bias: the mean of predicted minus actual.
    relative_bias: the bias divided by the mean actual, or by half the actuals' standard deviation
        if that is larger.
    correlation: the correlation of predictions and actuals.
    statistic: the score test of slope 1 and intercept 0, robust to unequal variances;
        chi-squared with two degrees of freedom.
    """

    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    loss: float
    corrected_loss: float
    slope: float
    intercept: float
    bias: float
    relative_bias: float
    correlation: float
    statistic: float

    @property
    def excess(self) -> float:
        """The part of the loss that the line would remove, divided by the remaining part."""
        if self.corrected_loss <= 0:
            return np.inf if self.loss > 0 else 0.0
        return self.loss / self.corrected_loss - 1

    @property
    def corrected_share(self) -> float:
        """The root mean squared error after correction, divided by the current one."""
        return sqrt(self.corrected_loss / self.loss) if self.loss > 0 else 1.0


def compute_recalibration(terms: Mapping[str, float]) -> Recalibration | None:
    """Return the line that corrects the predictions; None for fewer than three pairs.

    terms: the sums that `CalibrationSums` collects; None is returned if one is not finite.
    """
    if not terms or terms["n"] < 3 or not all(np.isfinite(list(terms.values()))):
        return None
    n, center = terms["n"], terms["center"]
    mean_p, mean_y = terms["p"] / n, terms["y"] / n
    var_p = max(terms["pp"] / n - mean_p**2, 0.0)
    var_y = max(terms["yy"] / n - mean_y**2, 0.0)
    covariance = terms["py"] / n - mean_p * mean_y
    is_constant = var_p <= 1e-12 * (mean_p + center) ** 2 or var_p == 0
    slope = 0.0 if is_constant else covariance / var_p
    corrected = max(var_y - slope * covariance, 0.0)
    bias = mean_p - mean_y
    scale = max(abs(mean_y + center), _SD_SHARE * sqrt(var_y))
    return Recalibration(
        count=int(n),
        loss=terms["e2"] / n,
        corrected_loss=corrected,
        slope=slope,
        intercept=mean_y + center - slope * (mean_p + center),
        bias=bias,
        relative_bias=bias / scale if scale > 0 else 0.0,
        correlation=0.0 if is_constant or var_y == 0 else covariance / sqrt(var_p * var_y),
        statistic=_compute_score_statistic(terms, is_constant=is_constant),
    )


def _compute_score_statistic(terms: Mapping[str, float], *, is_constant: bool) -> float:
    """Return the score statistic; for constant predictions it tests only the mean error."""
    total = terms["p"] - terms["y"]
    if is_constant:
        return total**2 / terms["e2"] if terms["e2"] > 0 else 0.0
    scale = sqrt(terms["pp"] / terms["n"]) or 1.0  # keeps the matrix well conditioned
    score = np.array([total, (terms["pp"] - terms["py"]) / scale])
    cross = terms["e2p"] / scale
    variance = np.array([[terms["e2"], cross], [cross, terms["e2pp"] / scale**2]])
    return float(max(score @ np.linalg.pinv(variance, hermitian=True) @ score, 0.0))
