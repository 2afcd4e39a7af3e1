"""Find the only segment that has changed."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.change_sample import ShownRows
from mlmonitor.compare.causes.numbers.number_causes import locate_fields
from mlmonitor.compare.population import Population
from mlmonitor.formats.reference import NumericReference
from mlmonitor.records import Counts

LEAST_ROWS: Final = 30
"""The difference of a segment with fewer rows is unknown."""

MOST_SEGMENTS: Final = 21
"""Maximum number of segments that are compared, including the rest."""

_CHANGED = 5.0
_CALM = 3.0


def find_lone_segment(
    alerts: Sequence[Alert],
    segments: Sequence[Population],
    show: Callable[[Population], ShownRows],
) -> Population | None:
    """Return the segment that alone differs from its reference, or None.

    All alerts must be about this segment or about all rows. Each other segment must have at least
    thirty rows and no significant difference in the fields of the alerts. show: returns the rows of
    a population to compare.
    Price: one call of `show` for each of at most 21 segments; nothing unless exactly one segment
        has an alert.
    """
    names = {alert.segment for alert in alerts} - {ALL}
    compared = [population for population in segments if population.entries]
    if len(names) != 1 or not 2 <= len(compared) <= MOST_SEGMENTS:
        return None
    lone = None
    for population in compared:
        difference = _measure_difference(alerts, population, show(population))
        if population.segment in names and difference > _CHANGED:
            lone = population
        elif not difference < _CALM:
            return None
    return lone


def standardise_difference(expected: Counts, now: Counts) -> float:
    """Return by how many standard deviations the chi-square of counts exceeds its mean.

    NaN if either side has fewer than thirty rows. Source: Pearson's statistic of two samples.
    """
    rows, before = int(now.sum()), int(expected.sum())
    if min(rows, before) < LEAST_ROWS:
        return np.nan
    joint = (expected + now).astype(np.float64)
    freedom = int((joint > 0).sum()) - 1
    if freedom < 1:
        return 0.0
    shares = joint[joint > 0] / joint.sum()
    gaps = (now / rows - expected / before)[joint > 0]
    statistic = float((gaps**2 / shares).sum()) / (1 / rows + 1 / before)
    return (statistic - freedom) / math.sqrt(2 * freedom)


def _measure_difference(alerts: Sequence[Alert], population: Population, shown: ShownRows) -> float:
    """Return the largest difference from the reference in these fields; NaN if unknown."""
    profile = shown.profile
    numeric = len(population.plan.schema.numeric)
    differences = [0.0]
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if isinstance(entry, NumericReference):
            now, expected = profile.bins[place], entry.counts
        else:
            now, expected = profile.categories[place - numeric], entry.expected[:-1]
        size = len(expected)
        differences.append(standardise_difference(np.array(expected, np.int64), now[:size]))
    return float(np.max(differences))
