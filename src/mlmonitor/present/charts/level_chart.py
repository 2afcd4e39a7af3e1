"""A chart of the mean of a number, or of the share of a category, over time."""

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import percent, short
from mlmonitor.present.charts.time_chart import (
    ChartBand,
    ChartLine,
    Slices,
    TimeChart,
    draw_time_chart,
)
from mlmonitor.present.names import show_name
from mlmonitor.records import Floats
from mlmonitor.stats.special import ONE_IN_A_HUNDRED_EITHER_WAY


def draw_level(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    """Draw the mean of a number, or the share of the category that changed most, over time."""
    if place < len(population.plan.schema.numeric):
        return _draw_mean(population, place, slices)
    return _draw_share(population, place, slices)


def _draw_mean(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    history, name = population.history, show_name(population.plan.schema.fields[place].name)
    if history is None or population.is_id_like[place]:
        return None
    valid = history.valid[:, place]
    live = np.where(valid > 0, history.mean[:, place], np.nan)
    lines, bands = [], []
    entry = population.entries[place] if population.entries else None
    title = f"Mean of {name}: {short(_find_mean(population, place))}"
    if isinstance(entry, NumericReference) and entry.mean is not None and entry.stddev is not None:
        worth: Floats = valid.astype(np.float64) * independent_share(population, place)
        chance = _compute_chance(entry.stddev, worth, sum(entry.counts))
        level = np.full(len(live), entry.mean)
        bands.append(
            ChartBand(level - chance, level + chance, "chance", "99 of 100 means by chance")
        )
        lines.append(ChartLine(level, "training", "training mean"))
        title += f", {short(entry.mean)} at training"
    lines.append(ChartLine(live, "now", "mean now"))
    return draw_time_chart(slices, lines, bands, title=title)


def independent_share(population: PopulationSnapshot, place: int) -> float:
    """Return how many independent rows one row is worth: 1 unless rows depend on each other."""
    rows = int(population.view.profile.quality[place].sum())
    effective = float(population.effective_rows[place])
    return min(effective / rows, 1.0) if rows and np.isfinite(effective) else 1.0


def _compute_chance(stddev: float, rows: Floats, reference_rows: int) -> Floats:
    """Return half the width of the 99% interval of a mean of this many rows; NaN for 0 rows."""
    with np.errstate(divide="ignore"):
        noise = np.sqrt(1 / rows + 1 / max(reference_rows, 1))
    with np.errstate(invalid="ignore"):  # NaN for a constant in a slice without rows
        half: Floats = ONE_IN_A_HUNDRED_EITHER_WAY * stddev * noise
    return np.where(np.isfinite(half), half, np.nan)


def _find_mean(population: PopulationSnapshot, place: int) -> float | None:
    moments = population.view.profile.moments
    return float(moments.mean[place]) if moments.count[place] else None


def _draw_share(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    history, position = population.history, place - len(population.plan.schema.numeric)
    names = population.plan.dictionaries[position].top
    if (
        history is None
        or not names
        or (population.entries and population.entries[place].is_id_like)
    ):
        return None
    counts = history.counts["categories"][:, position].astype(float)
    totals = counts.sum(axis=1)
    window = population.view.profile.categories[position]
    now = window[: len(names)] / max(float(window.sum()), 1.0)
    before = _find_trained_shares(population, place, len(names))
    most = int(np.argmax(now if before is None else np.abs(now - before)))
    lines, bands = [], []
    category = show_name(names[most])
    title = f"Share of {category}: {percent(now[most])}"
    if before is not None:
        level = float(before[most])
        rows = sum(population.entries[place].counts)
        worth = totals * independent_share(population, place)
        half = _compute_chance(float(np.sqrt(level * (1 - level))), worth, rows)
        low, high = np.maximum(level - half, 0), np.minimum(level + half, 1)
        bands.append(ChartBand(100 * low, 100 * high, "chance", "99 of 100 shares by chance"))
        lines.append(ChartLine(np.full(len(totals), 100 * level), "training", "at training"))
        title += f", {percent(level)} at training"
    live = np.where(totals > 0, 100 * counts[:, most] / np.maximum(totals, 1), np.nan)
    lines.append(ChartLine(live, "now", f"share of {category} now"))
    return draw_time_chart(slices, lines, bands, title=title, has_zero=True, unit="%")


def _find_trained_shares(population: PopulationSnapshot, place: int, size: int) -> Floats | None:
    """Return the reference's shares of `size` categories; None if there is no reference."""
    if not population.entries:
        return None
    counts = population.entries[place].counts
    shares = np.zeros(size)
    shares[: min(size, len(counts))] = counts[:size]
    return shares / max(sum(counts), 1)
