"""The maximum mean discrepancy of embeddings, from sums of kernel features."""

from typing import TYPE_CHECKING

import numpy as np

from mlmonitor.aggregate.plan import KernelPlan, Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.compare.critical import DRAWS, LEVEL
from mlmonitor.records import Floats
from mlmonitor.reference_format import CRITICAL_ROWS

if TYPE_CHECKING:
    from numpy.random import Generator

MMD = "mmd"
_NORMAL_ROWS = 200  # a mean of so many bounded features is normal


def mmd_of(plan: Plan, profile: Profile) -> tuple[Floats, Floats]:
    """Of each field the MMD, and what it passes by chance once in a hundred windows.

    NaN for all fields but the witnesses of embeddings: a witness is what the MMD adds up.
    """
    score, critical = np.full((2, len(plan.schema)), np.nan)
    names = [field.name for field in plan.schema.numeric]
    start = 0
    for kernel in plan.kernels:
        stop = start + len(kernel.mean)
        at = names.index(kernel.witness)
        rows = int(profile.moments.count[at])
        if rows:
            gap = profile.kernels[start:stop] / rows - kernel.mean
            score[at] = float(np.sqrt(gap @ gap))
            critical[at] = critical_mmd(kernel, rows)
        start = stop
    return score, critical


def critical_mmd(kernel: KernelPlan, rows: int) -> float:
    """What the MMD of so many rows passes once in a hundred without drift; NaN where unknown."""
    if len(kernel.critical) != len(CRITICAL_ROWS):
        return float("nan")
    sizes = np.array(CRITICAL_ROWS, np.float64)
    scaled = np.array(kernel.critical) / np.sqrt(1 / sizes + 1 / kernel.rows)
    between = np.interp(np.log(rows), np.log(sizes), scaled)
    return float(between * np.sqrt(1 / rows + 1 / kernel.rows))


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
