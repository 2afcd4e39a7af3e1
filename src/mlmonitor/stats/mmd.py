"""The maximum mean discrepancy of embeddings, from sums of kernel features."""

from typing import TYPE_CHECKING

import numpy as np

from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.records import Floats
from mlmonitor.stats.critical_values import DRAWS, LEVEL

if TYPE_CHECKING:
    from numpy.random import Generator

MMD = "mmd"
_NORMAL_ROWS = 200  # a mean of so many bounded features is normal


def simulated_mmd(features: Floats, design_rows: int, rng: "Generator") -> list[float]:
    """What the MMD passes in one window in a hundred without drift, by `CRITICAL_ROWS`.

    features: `[features, rows]` of rows that the reference's mean was not made of. Small windows
    are drawn from them; means of larger ones are normal, with the rows' own covariance. That the
    reference's mean is of `design_rows` rows itself is added to their variance.
    """
    mean = features.mean(axis=1, keepdims=True)
    around = features - mean
    known = around.shape[1]
    spread = np.linalg.eigvalsh(around @ around.T / max(known - 1, 1))
    normal = (rng.standard_normal((DRAWS * 5, spread.size)) ** 2) @ np.maximum(spread, 0.0)
    found = []
    for size in CRITICAL_ROWS:
        if size < _NORMAL_ROWS:
            drawn = rng.integers(0, known, (DRAWS, size))
            means = np.stack([around[:, rows].mean(axis=1) for rows in drawn])
            squared = size * (means**2).sum(axis=1) * known / max(known - 1, 1)
        else:
            squared = normal
        point = float(np.quantile(squared, LEVEL))
        found.append(float(np.sqrt(point * (1 / size + 1 / design_rows))))
    return found
