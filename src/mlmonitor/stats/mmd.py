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
_NORMAL_ROWS = 200  # a mean of this many bounded features is normal


def simulate_mmd(features: Floats, design_rows: int, rng: "Generator") -> list[float]:
    """What the MMD passes in one window in a hundred without drift, by `CRITICAL_ROWS`.

    features: `[features, rows]` of rows that the reference's mean was not made of. Small windows
    are drawn from them; means of larger ones are normal, with the rows' own covariance. That the
    reference's mean is of `design_rows` rows itself is added to their variance.
    """
    around, spread = _centred(features)
    known = around.shape[1]
    normal = (rng.standard_normal((SIMULATIONS * 5, spread.size)) ** 2) @ spread
    found = []
    for size in CRITICAL_ROWS:
        if size < _NORMAL_ROWS:
            drawn = rng.integers(0, known, (SIMULATIONS, size))
            means = np.stack([around[:, rows].mean(axis=1) for rows in drawn])
            squared = size * (means**2).sum(axis=1) * known / max(known - 1, 1)
        else:
            squared = normal
        point = float(np.quantile(squared, QUANTILE))
        found.append(float(np.sqrt(point * (1 / size + 1 / design_rows))))
    return found


def asymptotic_mmd(features: Floats, design_rows: int) -> list[float]:
    """The same from the law for many rows, nothing drawn: a weighted sum of chi-squares.

    Source: Gretton et al., "A kernel two-sample test", 2012, for the law; Buckley and Eagleson,
    "An approximation to the distribution of quadratic forms in normal random variables", 1988, for
    its quantile by three cumulants.
    """
    _, spread = _centred(features)
    first, second, third = (float((spread**power).sum()) for power in (1, 2, 3))
    point = 0.0
    if third > 0:
        freedom = second**3 / third**2
        beyond = float(chi_square_point(np.array([freedom]))[0]) - freedom
        point = max(first + beyond * third / second, 0.0)
    return [float(np.sqrt(point * (1 / size + 1 / design_rows))) for size in CRITICAL_ROWS]


def _centred(features: Floats) -> tuple[Floats, Floats]:
    """The features less their means, and the eigenvalues of their covariance."""
    around = features - features.mean(axis=1, keepdims=True)
    covariance = around @ around.T / max(around.shape[1] - 1, 1)
    return around, np.maximum(np.linalg.eigvalsh(covariance), 0.0)
