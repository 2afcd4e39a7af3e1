"""A chart of the quantiles of a numeric field over time, with the range at training."""

import numpy as np

from mlmonitor.aggregate.history import History
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
_MOST_UNKNOWN = 0.02  # share of values in bins without training values: quantiles are unknown


def draw_fan(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    """Draw the ranges of the middle 50% and 90% of each slice's values; None with too few bins.

    The quantiles are estimated from counts in the reference's bins: within a bin, values are
    assumed to be distributed as at training.
    """
    history = population.history
    entry = population.entries[place] if population.entries else None
    if history is None or not isinstance(entry, NumericReference) or entry.is_id_like:
        return None
    if len(entry.edges) + 1 < _FEWEST_BINS or not entry.quantiles:
        return None
    parts = history.group(_POINTS)
    own = Slices(parts.starts, slices.end, parts.rows, slices.marks)
    counts = parts.counts["bins"][:, place, : len(entry.edges) + 1]
    trained = np.array(entry.counts)
    outliers = int(parts.counts["outliers"][:, place].sum())
    title = f"Values against training: {counted(outliers)} outside the anomaly band"
    if counts[:, trained == 0].sum() > _MOST_UNKNOWN * counts.sum():
        return _draw_deviations(parts, place, entry, own, title)
    fan = _read_quantiles(counts, trained, np.array(entry.quantiles))
    bands = [
        ChartBand(fan[0], fan[4], "fan-outer", "90% of values"),
        ChartBand(fan[1], fan[3], "fan-inner", "middle half"),
    ]
    level = np.full(len(parts), entry.quantiles[50])
    lines = [ChartLine(level, "training", "training median")]
    lines += _draw_training_band(entry, len(parts))
    lines.append(ChartLine(fan[2], "now", "median now"))
    return draw_time_chart(own, lines, bands, title=title)


def _draw_training_band(entry: NumericReference, size: int) -> list[ChartLine]:
    """Return lines at the training mean minus and plus one standard deviation."""
    if entry.mean is None or entry.stddev is None:
        return []
    low, high = (np.full(size, entry.mean + side * entry.stddev) for side in (-1, 1))
    return [
        ChartLine(low, "edge", "training mean - sd", caption="training mean ± sd"),
        ChartLine(high, "edge", "training mean + sd", caption=""),
    ]


def _draw_deviations(
    parts: History, place: int, entry: NumericReference, slices: Slices, title: str
) -> TimeChart:
    """Draw mean and deviation instead, if many values are in bins that were empty at training."""
    has_values = parts.valid[:, place] > 0
    mean = np.where(has_values, parts.mean[:, place], np.nan)
    spread = np.where(has_values, parts.stddev[:, place], np.nan)
    band = ChartBand(mean - spread, mean + spread, "fan-inner", "mean ± sd now")
    lines = [*_draw_training_band(entry, len(parts)), ChartLine(mean, "now", "mean now")]
    return draw_time_chart(slices, lines, [band], title=title)


def _read_quantiles(counts: Counts, trained: Counts, quantiles: Floats) -> Floats:
    """Return quantiles `[ranks, parts]` of bin counts `[parts, bins]`.

    Within a bin, values are assumed to be distributed as at training.
    """
    ranks_before = np.concatenate([[0.0], np.cumsum(trained) / max(int(trained.sum()), 1)])
    grid = np.linspace(0.0, 1.0, len(quantiles))
    totals = counts.sum(axis=1)
    fan = np.full((len(_RANKS), len(counts)), np.nan)
    for part in np.flatnonzero(totals).tolist():
        ranks = np.concatenate([[0.0], np.cumsum(counts[part]) / totals[part]])
        fan[:, part] = np.interp(np.interp(_RANKS, ranks, ranks_before), grid, quantiles)
    return fan
