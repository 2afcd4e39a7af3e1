"""Sparklines of the drift of many fields over the window, each with its threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.present.charts.paths import WIDTH, area_path, line_path, to_y
from mlmonitor.records import Floats

_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Trend:
    """The SVG paths of one sparkline: a line for the PSI, and an area up to its threshold."""

    line: str
    chance: str
    description: str


def draw_trends(population: PopulationSnapshot, places: Sequence[int]) -> dict[int, Trend | None]:
    """Return the sparklines of the fields at these indices; None if there is no drift history."""
    drift = population.drift_history
    if drift is None or len(drift.rows) < _FEWEST:
        return dict.fromkeys(places)
    parts = len(drift.rows)
    x: Floats = (np.arange(parts, dtype=np.float64) + 0.5) * (WIDTH / parts)
    with np.errstate(all="ignore"):
        tops = np.fmax.reduce(np.vstack([drift.scores, 2 * drift.thresholds]), axis=0)
        lines, limits = (to_y(y, 0.0, tops) for y in (drift.scores, drift.thresholds))
        beyond = (drift.scores > drift.thresholds).sum(axis=0)
    scored = np.isfinite(drift.scores).sum(axis=0)
    bottom = np.full(parts, 100.0)
    trends: dict[int, Trend | None] = {}
    for place in places:
        if not np.isfinite(tops[place]) or not scored[place]:
            trends[place] = None
            continue
        trends[place] = Trend(
            line=line_path(x, lines[:, place]),
            chance=area_path(x, bottom, limits[:, place]),
            description=f"beyond chance in {beyond[place]} of {scored[place]} parts",
        )
    return trends
