"""The PSI of each slice of a window, with its threshold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.plan import Plan
from mlmonitor.compare.count_table import counts_table
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.stats.distance import Table, psi

POINTS = 24
"""Slices are merged to at most this many, so that each has enough rows for a distance."""


@dataclass(frozen=True, slots=True, eq=False)
class DriftHistory:
    """The PSI of parts of a window, the oldest first, each compared with the reference on its own.

    starts: when each part began, in seconds since 1970. rows: `[parts]`. scores, thresholds:
    `[parts, fields]`; NaN for a part without rows. Without drift, one part in a hundred with this
    many rows exceeds its threshold.
    """

    starts: Floats
    rows: Counts
    scores: Floats
    thresholds: Floats


def compute_drift_history(
    history: History,
    plan: Plan,
    expect: Callable[[Counts], Table],
    find_threshold: Callable[[Counts, Table], Floats],
) -> DriftHistory:
    """Compare each part of a window with the counts that `expect` returns for its seasons.

    find_threshold: returns the threshold of each field, given a part's counts and expected counts.
    """
    parts = history.group(POINTS)
    by_role = np.array([field.role is Role.PREDICTION for field in plan.schema.fields], np.int64)
    scores = np.full((len(parts), len(plan.schema)), np.nan)
    thresholds = np.full_like(scores, np.nan)
    for part in range(len(parts)):
        counts = counts_table(plan, {name: array[part] for name, array in parts.counts.items()})
        expected = expect(parts.counts["seasons"][part][by_role])
        scores[part] = psi(expected, counts)
        thresholds[part] = find_threshold(counts, expected)
    return DriftHistory(parts.starts, parts.rows, scores, thresholds)
