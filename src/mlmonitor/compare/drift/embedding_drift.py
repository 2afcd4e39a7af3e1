"""Drift of embeddings."""

import numpy as np

from mlmonitor.aggregate.plan import KernelPlan, Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.records import Floats


def mmd_of(plan: Plan, profile: Profile) -> tuple[Floats, Floats]:
    """Of each field the MMD, and what it passes by chance once in a hundred windows.

    NaN for all fields but the kernel similarities of embeddings, which the MMD adds up.
    """
    score, critical = np.full((2, len(plan.schema)), np.nan)
    names = [field.name for field in plan.schema.numeric]
    start = 0
    for kernel in plan.kernels:
        stop = start + len(kernel.mean)
        at = names.index(kernel.similarity)
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
