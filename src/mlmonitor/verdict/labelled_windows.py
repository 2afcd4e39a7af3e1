"""Windows of growing length over the newest labelled cohorts."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.gil import yield_gil

MATURE = 0.95
"""Share of a cohort's labels that must have arrived before it is judged."""

_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)


class LabelledWindow(NamedTuple):
    """Adjacent cohorts joined into one: `maturity` is their lowest, `start` their earliest."""

    performance: Performance
    labelled: int
    maturity: float
    start: datetime


def maturity_of(cohort: Cohort) -> float:
    """Return the larger of a cohort's estimated maturity and its labelled share, at most 1."""
    labelled = cohort.labelled / cohort.predicted if cohort.predicted else 0.0
    return min(max(cohort.maturity or 0.0, labelled), 1.0)


def list_mature(cohorts: Sequence[Cohort]) -> list[Cohort]:
    """Return the cohorts that can be judged, the oldest first."""
    return [cohort for cohort in cohorts if cohort.labelled and maturity_of(cohort) >= MATURE]


def list_windows(mature: Sequence[Cohort], *, min_labels: int) -> list[LabelledWindow]:
    """Return windows of the newest 1, 2, 3, 4, 6, ... cohorts and of all of them, shortest first.

    Windows with fewer than `min_labels` labels are left out. A sudden change shows in a short
    window, a small one only in a long window.
    """
    sizes = sorted({size for size in _SIZES if size <= len(mature)} | {len(mature)} - {0})
    windows = [join_cohorts(mature[-size:]) for size in sizes]
    return [window for window in windows if window.labelled >= max(min_labels, 2)]


def join_cohorts(cohorts: Sequence[Cohort]) -> LabelledWindow:
    """Join cohorts into one window."""
    yield_gil()
    performance = Performance.combine([cohort.performance for cohort in cohorts])
    return LabelledWindow(
        performance,
        performance.count,
        min(map(maturity_of, cohorts)),
        cohorts[0].start,
    )


def find_first(mature: Sequence[Cohort], *, min_labels: int) -> LabelledWindow | None:
    """Join the oldest cohorts until they have enough labels; None if that takes all cohorts."""
    for size in range(1, len(mature)):
        window = join_cohorts(mature[:size])
        if window.labelled >= max(min_labels, 2):
            return window
    return None
