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
    """Return the sparklines of the fields at these indices; None without a drift history."""
    drift = population.drift_history
    if drift is None or len(drift.rows) < _FEWEST:
        return dict.fromkeys(places)
    parts = len(drift.rows)
    x: Floats = (np.arange(parts, dtype=np.float64) + 0.5) * (WIDTH / parts)
    with np.errstate(all="ignore"):
        tops = np.fmax.reduce(np.vstack([drift.scores, 2 * drift.thresholds]), axis=0)
    trends: dict[int, Trend | None] = {}
    for place in places:
        top, scores = tops[place], drift.scores[:, place]
        if not np.isfinite(top) or not np.isfinite(scores).any():
            trends[place] = None
            continue
        limits = drift.thresholds[:, place]
        beyond = scores > limits
        scored = int(np.isfinite(scores).sum())
        trends[place] = Trend(
            line=line_path(x, to_y(scores, 0.0, top)),
            chance=area_path(x, np.full(parts, 100.0), to_y(limits, 0.0, top)),
            description=f"beyond chance in {int(beyond.sum())} of {scored} parts",
        )
    return trends
