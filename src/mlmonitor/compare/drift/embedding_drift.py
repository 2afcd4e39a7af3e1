"""Drift of embeddings: their maximum mean discrepancy (MMD) from the reference."""

import numpy as np

from mlmonitor.aggregate.plan import KernelPlan, Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.records import Floats


def mmd_of(plan: Plan, profile: FieldProfile) -> tuple[Floats, Floats]:
    """The MMD of each field, and the threshold that one window in a hundred exceeds by chance.

    Both are `[fields]`, NaN except for the kernel similarities of embeddings.
    """
    scores, thresholds = np.full((2, len(plan.schema)), np.nan)
    names = [field.name for field in plan.schema.numeric]
    start = 0
    for kernel in plan.kernels:
        stop = start + len(kernel.mean)
        place = names.index(kernel.similarity)
        rows = int(profile.moments.count[place])
        if rows:
            gap = profile.kernels[start:stop] / rows - kernel.mean
            scores[place] = float(np.sqrt(gap @ gap))
            thresholds[place] = mmd_threshold(kernel, rows)
        start = stop
    return scores, thresholds


def mmd_threshold(kernel: KernelPlan, rows: int) -> float:
    """The MMD that one window in a hundred with this many rows exceeds by chance; may be NaN."""
    if len(kernel.critical) != len(CRITICAL_ROWS):
        return float("nan")
    sizes = np.array(CRITICAL_ROWS, np.float64)
    scaled = np.array(kernel.critical) / np.sqrt(1 / sizes + 1 / kernel.rows)
    between = np.interp(np.log(rows), np.log(sizes), scaled)
    return float(between * np.sqrt(1 / rows + 1 / kernel.rows))
