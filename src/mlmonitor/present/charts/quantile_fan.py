"""Quantiles of a numeric field over the slices, beside the band of training (figure 6)."""

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import counted
from mlmonitor.present.charts.time_chart import (
    ChartBand,
    ChartLine,
    Slices,
    TimeChart,
    draw_time_chart,
)
from mlmonitor.records import Counts, Floats

_POINTS = 24
_RANKS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
_FEWEST_BINS = 4


def draw_fan(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    """The middle half and 90 % of each slice's values, read off the reference's bins.

    Within a bin, values are assumed to lie as those of training do.
    """
    history = population.history
    entry = population.entries[place] if population.entries else None
    if history is None or not isinstance(entry, NumericReference) or entry.is_id_like:
        return None
    if len(entry.edges) + 1 < _FEWEST_BINS or not entry.quantiles:
        return None
    parts = history.group(_POINTS)
    counts = parts.counts["bins"][:, place, : len(entry.edges) + 1]
    fan = _read_quantiles(counts, np.array(entry.counts), np.array(entry.quantiles))
    bands = [
        ChartBand(fan[0], fan[4], "fan-outer", "90 % of values"),
        ChartBand(fan[1], fan[3], "fan-inner", "middle half"),
    ]
    level = np.full(len(parts), entry.quantiles[50])
    lines = [ChartLine(level, "training", "training median")]
    if entry.mean is not None and entry.stddev is not None:
        low, high = entry.mean - entry.stddev, entry.mean + entry.stddev
        lines += [
            ChartLine(np.full(len(parts), low), "edge", "training mean - sd"),
            ChartLine(np.full(len(parts), high), "edge", "training mean + sd"),
        ]
    lines.append(ChartLine(fan[2], "now", "median now"))
    outliers = parts.counts["outliers"][:, place].sum()
    title = f"Values against training: {counted(int(outliers))} outside the anomaly band"
    own = Slices(parts.starts, slices.end, parts.rows, slices.marks)
    return draw_time_chart(own, lines, bands, title=title)


def _read_quantiles(counts: Counts, trained: Counts, quantiles: Floats) -> Floats:
    """Quantiles `[ranks, parts]` of counts `[parts, bins]`; values of a bin lie as in training."""
    ranks_before = np.concatenate([[0.0], np.cumsum(trained) / max(int(trained.sum()), 1)])
    grid = np.linspace(0.0, 1.0, len(quantiles))
    totals = counts.sum(axis=1)
    fan = np.full((len(_RANKS), len(counts)), np.nan)
    for part in np.flatnonzero(totals).tolist():
        ranks = np.concatenate([[0.0], np.cumsum(counts[part]) / totals[part]])
        fan[:, part] = np.interp(np.interp(_RANKS, ranks, ranks_before), grid, quantiles)
    return fan
