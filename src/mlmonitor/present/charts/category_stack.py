"""A stacked chart of the shares of categories over the slices of a window."""

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formatting import percent
from mlmonitor.present.charts.time_chart import ChartBand, Slices, TimeChart, draw_time_chart
from mlmonitor.present.names import show_name
from mlmonitor.records import Floats

_POINTS = 24
_MOST = 5
_OTHERS = "all others"


def draw_stack(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    """Draw the shares of the most frequent categories over time.

    Returns None for ids, for a single category, and for values in fewer than two slices.
    """
    history = population.history
    position = place - len(population.plan.schema.numeric)
    if history is None or (population.entries and population.entries[place].is_id_like):
        return None
    names = population.plan.dictionaries[position].top
    parts = history.group(_POINTS)
    shares, listed = _compute_shares(parts.counts["categories"][:, position].astype(float), names)
    has_values = np.isfinite(shares).all(axis=0)
    if len(shares) < 2 or np.count_nonzero(has_values) < 2:
        return None
    tops = np.cumsum(shares, axis=0)
    bands = [
        ChartBand(top - share, top, f"stack-{number}", name, share)
        for number, (share, top, name) in enumerate(zip(shares, tops, listed, strict=True))
    ]
    own = Slices(parts.starts, slices.end, parts.rows, slices.marks)
    title = _describe(shares[:, has_values], listed)
    return draw_time_chart(own, (), bands, title=title, has_zero=True, unit="%")


def _compute_shares(counts: Floats, names: tuple[str, ...]) -> tuple[Floats, list[str]]:
    """Return shares in percent `[categories, slices]`, most frequent first, and the names."""
    sums = counts.sum(axis=0)
    ranked = np.argsort(-sums[: len(names)], kind="stable")[:_MOST]
    ranked = ranked[sums[ranked] > 0]
    totals = counts.sum(axis=1)
    chosen = counts[:, ranked].T
    others = totals - chosen.sum(axis=0)
    rows = np.vstack([chosen, others]) if others.any() else chosen
    with np.errstate(invalid="ignore"):
        shares: Floats = np.where(totals > 0, 100 * rows / np.maximum(totals, 1), np.nan)
    listed = [show_name(names[rank]) for rank in ranked.tolist()]
    return shares, [*listed, _OTHERS][: len(shares)]


def _describe(shares: Floats, listed: list[str]) -> str:
    """Name the category whose share changed most from the first to the last third of the slices."""
    third = max(shares.shape[1] // 3, 1)
    first, last = shares[:, :third].mean(axis=1), shares[:, -third:].mean(axis=1)
    most = int(np.argmax(np.abs(last - first)))
    before, now = percent(first[most] / 100), percent(last[most] / 100)
    return f"Mix over time: {listed[most]} from {before} to {now}"
