"""The maximum mean discrepancy of embeddings, from sums of kernel features."""

from typing import TYPE_CHECKING

import numpy as np

from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.records import Floats
from mlmonitor.stats.distance import chi_square_point
from mlmonitor.stats.simulated_values import QUANTILE, SIMULATIONS

if TYPE_CHECKING:
    from numpy.random import Generator

MMD = "mmd"
_NORMAL_ROWS = 200  # the mean of this many bounded features is nearly normal


def simulate_mmd(features: Floats, design_rows: int, rng: "Generator") -> list[float]:
    """Simulate the 99% no-drift quantile of the MMD, for the window sizes `CRITICAL_ROWS`.

    features: `[features, rows]`, of rows that are not in the reference's mean. Small windows are
    drawn from these rows; means of larger windows are normal with the covariance of the rows. The
    variance of the reference's own mean over `design_rows` rows is added.
    """
    around, spread = _center_features(features)
    row_count = around.shape[1]
    normal = (rng.standard_normal((SIMULATIONS * 5, spread.size)) ** 2) @ spread
    points = []
    for size in CRITICAL_ROWS:
        if size < _NORMAL_ROWS:
            drawn = rng.integers(0, row_count, (SIMULATIONS, size))
            means = np.stack([around[:, rows].mean(axis=1) for rows in drawn])
            squared = size * (means**2).sum(axis=1) * row_count / max(row_count - 1, 1)
        else:
            squared = normal
        point = float(np.quantile(squared, QUANTILE))
        points.append(float(np.sqrt(point * (1 / size + 1 / design_rows))))
    return points


def asymptotic_mmd(features: Floats, design_rows: int) -> list[float]:
    """Compute the 99% no-drift quantile of the MMD from its limit law, without simulation.

    The law is a weighted sum of chi-squares.
    Source: Gretton et al., "A kernel two-sample test", 2012, for the law; Buckley and Eagleson,
    "An approximation to the distribution of quadratic forms in normal random variables", 1988, for
    its quantile by three cumulants.
    """
    _, spread = _center_features(features)
    first, second, third = (float((spread**power).sum()) for power in (1, 2, 3))
    point = 0.0
    if third > 0:
        freedom = second**3 / third**2
        beyond = float(chi_square_point(np.array([freedom]))[0]) - freedom
        point = max(first + beyond * third / second, 0.0)
    return [float(np.sqrt(point * (1 / size + 1 / design_rows))) for size in CRITICAL_ROWS]


def _center_features(features: Floats) -> tuple[Floats, Floats]:
    """Return the centred features, and the eigenvalues of their covariance."""
    around = features - features.mean(axis=1, keepdims=True)
    covariance = around @ around.T / max(around.shape[1] - 1, 1)
    return around, np.maximum(np.linalg.eigvalsh(covariance), 0.0)
