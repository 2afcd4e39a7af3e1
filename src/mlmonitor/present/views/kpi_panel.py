"""Business figures over the window: sum and mean per slice, with the usual range."""

from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formatting import counted
from mlmonitor.present.charts.axes import shorten
from mlmonitor.present.charts.time_chart import ChartBand, ChartLine, TimeChart, draw_time_chart
from mlmonitor.present.names import show_name
from mlmonitor.present.views.view_options import ModelReading

_MOST = 12
_FEWEST = 8  # slices that a band of usual values needs
_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class KpiCard:
    """One figure: its sum and mean over the window, and a chart of each per slice."""

    name: str
    sum: str
    mean: str
    count: str
    sums: TimeChart
    means: TimeChart


def list_kpis(reading: ModelReading) -> tuple[KpiCard, ...]:
    """Return the cards of the first figures, in the order in which they first arrived."""
    cards = [_build_card(reading, population) for population in reading.snapshot.kpis[:_MOST]]
    return tuple(card for card in cards if card is not None)


def _build_card(reading: ModelReading, population: PopulationSnapshot) -> KpiCard | None:
    history = population.history
    if history is None or not history.valid.any():
        return None
    name = show_name(population.plan.schema.fields[0].name)
    valid = history.valid[:, 0]
    means = np.where(valid > 0, history.mean[:, 0], np.nan)
    sums = np.where(valid > 0, valid * history.mean[:, 0], np.nan)
    slices = reading.slices(population)
    moments = population.view.profile.moments
    total = float(moments.mean[0] * moments.count[0])
    charts = []
    for values, what in ((sums, "sum"), (means, "mean")):
        bands = []
        if np.isfinite(values).sum() >= _FEWEST:
            middle, spread = float(np.nanmean(values)), float(np.nanstd(values))
            low = np.full(len(values), middle - _DEVIATIONS * spread)
            bands.append(
                ChartBand(low, low + 2 * _DEVIATIONS * spread, "chance", "mean ± 2 sd of slices")
            )
        title = f"{what.capitalize()} per slice of {name}"
        charts.append(draw_time_chart(slices, [ChartLine(values, "now", what)], bands, title=title))
    return KpiCard(
        name,
        shorten(total),
        shorten(float(moments.mean[0])),
        counted(int(moments.count[0])),
        *charts,
    )
