"""The prediction over the window, its drift, the features' drift, and why the mean shifted."""

from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.drift.decomposition import Shift
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formatting import counted, signed
from mlmonitor.present.charts.level_chart import draw_level
from mlmonitor.present.charts.time_chart import (
    ChartLine,
    Slices,
    TimeChart,
    draw_time_chart,
)
from mlmonitor.present.names import show_name
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.records import Role

_MOST_PARTS = 8
_MOST_BY_CHANCE = 2  # parts shown although they are within their threshold


@dataclass(frozen=True, slots=True)
class WhyRow:
    """The bar of one part of a shift, with `left` and `width` in thousandths of the chart's width.

    chance: the part's threshold on the same scale. is_beyond: whether the part exceeds it.
    """

    name: str
    effect: str
    left: int
    width: int
    chance: int
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class WhyPanel:
    """The decomposition of the shift; `title` names the largest part."""

    title: str
    rows: tuple[WhyRow, ...]


@dataclass(frozen=True, slots=True)
class PredictionPanel:
    """The charts of the prediction; None for a chart without data."""

    mean: TimeChart | None
    drift: TimeChart | None
    why: WhyPanel | None


def build_prediction_panel(reading: ModelReading) -> PredictionPanel | None:
    """Build the panel; None before the first prediction."""
    traffic = reading.snapshot.traffic
    if traffic is None or traffic.history is None or not traffic.history.rows.any():
        return None
    slices = reading.slices(traffic)
    shift = traffic.shift
    place = _place_of_prediction(traffic, shift)
    mean = None if place is None else draw_level(traffic, place, slices)
    drift = _draw_drift(traffic, reading, place)
    return PredictionPanel(mean, drift, None if shift is None else _explain(shift))


def _place_of_prediction(population: PopulationSnapshot, shift: Shift | None) -> int | None:
    places = {
        field.name: place
        for place, field in enumerate(population.plan.schema.fields)
        if field.role is Role.PREDICTION
    }
    if shift is not None and shift.prediction in places:
        return places[shift.prediction]
    return next(iter(places.values()), None)


def _draw_drift(
    population: PopulationSnapshot, reading: ModelReading, place: int | None
) -> TimeChart | None:
    """Draw the prediction's PSI and the largest PSI of a feature, divided by their thresholds."""
    drift = population.drift_history
    if drift is None:
        return None
    with np.errstate(all="ignore"):
        ratios = drift.scores / drift.thresholds
        features = [
            at
            for at, field in enumerate(population.plan.schema.fields)
            if field.role is Role.FEATURE and not population.entries[at].is_id_like
        ]
        parts = ratios[:, features]
    has_any = np.isfinite(parts).any(axis=1) if features else np.zeros(len(ratios), bool)
    worst = np.full(len(ratios), np.nan)
    if has_any.any():
        worst[has_any] = np.nanmax(parts[has_any], axis=1)
    whole = reading.slices(population)
    slices = Slices(drift.starts, whole.end, drift.rows, whole.marks)
    lines = [ChartLine(np.ones(len(ratios)), "limit", "threshold without drift")]
    if has_any.any():
        lines.append(ChartLine(worst, "second", "feature that drifts most"))
    if place is not None:
        lines.append(ChartLine(ratios[:, place], "now", "prediction"))
    beyond = int(np.nansum(worst > 1))
    title = f"Drift beyond chance in {beyond} of {counted(int(has_any.sum()))} parts of the window"
    return draw_time_chart(slices, lines, title=title, has_zero=True, unit=" times")


def _explain(shift: Shift) -> WhyPanel | None:
    """Build the panel of the largest mix effects, those beyond their threshold first."""
    parts = sorted(shift.contributions, key=lambda p: (not p.is_beyond_chance, -abs(p.mix)))
    beyond = [part for part in parts if part.is_beyond_chance]
    parts = parts[: min(len(beyond) + _MOST_BY_CHANCE, _MOST_PARTS)]
    if not parts:
        return None
    most = max([abs(shift.shift), *(max(abs(p.mix), p.threshold) for p in parts)]) or 1.0
    rows = [_build_why_row("shift of the mean", shift.shift, shift.threshold, most)]
    rows += [_build_why_row(show_name(p.field), p.mix, p.threshold, most) for p in parts]
    if abs(shift.shift) <= shift.threshold:
        title = f"The mean moved by {signed(shift.shift)}, within chance"
    elif not beyond:
        title = f"The mean moved by {signed(shift.shift)}; no feature's mix explains it"
    else:
        title = (
            f"The mean moved by {signed(shift.shift)}; the mix of {show_name(beyond[0].field)} "
            f"alone makes {signed(beyond[0].mix)}"
        )
    return WhyPanel(title, tuple(rows))


def _build_why_row(name: str, effect: float, threshold: float, most: float) -> WhyRow:
    middle = 500
    width = round(abs(effect) / most * middle)
    left = middle - width if effect < 0 else middle
    chance = round(min(threshold / most, 1.0) * middle)
    return WhyRow(name, signed(effect), left, width, chance, abs(effect) > threshold)
