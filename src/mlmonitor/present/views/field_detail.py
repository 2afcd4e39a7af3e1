"""The details of one field: distribution, history over the window, quality and statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mlmonitor.compare.population_snapshot import STATUS_QUANTILES, PopulationSnapshot
from mlmonitor.formatting import counted, day, duration, percent, share, short
from mlmonitor.present.charts.category_stack import draw_stack
from mlmonitor.present.charts.field_shapes import DETAIL_BARS, FieldShape, draw_shapes
from mlmonitor.present.charts.level_chart import draw_level
from mlmonitor.present.charts.quantile_fan import draw_fan
from mlmonitor.present.charts.time_chart import (
    ChartBand,
    ChartLine,
    DataTable,
    Slices,
    TimeChart,
    draw_time_chart,
)
from mlmonitor.present.names import field_id, show_name
from mlmonitor.present.views.field_list import (
    Bars,
    ListedField,
    describe_state,
    draw_bars,
    find_fields,
)
from mlmonitor.present.views.incident_list import AlertItem, describe_alerts
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.records import QUALITIES, Kind, Quality
from mlmonitor.status.field_status import FieldStatus

_MOST_SEGMENTS = 30
_DISTANCES = {
    "psi": "PSI",
    "psi_debiased": "PSI, debiased",
    "js": "Jensen-Shannon",
    "hellinger": "Hellinger",
    "tv": "total variation",
    "ks": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein",
    "chi2": "chi-squared",
}


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The field within one segment."""

    name: str
    rows: str
    score: str
    threshold: str
    mean: str
    has_alert: bool


@dataclass(frozen=True, slots=True)
class CategoryBar:
    """A category with its live and training share, in thousandths of the largest and as text."""

    name: str
    live: int
    training: int
    texts: tuple[str, str]


@dataclass(frozen=True, slots=True)
class FieldDetail:
    """All that the page shows about one field; the page omits empty parts."""

    link: str
    name: str
    role: str
    kind: str
    state: str
    note: str
    finding: str
    rows: str
    bars: Bars | None
    bar_labels: tuple[str, ...]
    bar_table: DataTable | None
    categories: tuple[CategoryBar, ...]
    level: TimeChart | None
    fan: TimeChart | None
    mix: TimeChart | None
    drift: TimeChart | None
    invalid: TimeChart | None
    statistics: DataTable
    scores: DataTable
    qualities: DataTable
    new_categories: tuple[str, ...]
    segments: tuple[SegmentRow, ...]
    alerts: tuple[AlertItem, ...]


def find_detail(reading: ModelReading, link: str, segment: str) -> FieldDetail | None:
    """Return the details of the field whose `field_id` is `link`; None if there is none."""
    for candidate in find_fields(reading, segment):
        if field_id(candidate.status.role, candidate.status.name) == link:
            return build_detail(reading, candidate)
    return None


def build_detail(reading: ModelReading, candidate: ListedField) -> FieldDetail:
    """Compute all details of a field."""
    status, population, place = candidate.status, candidate.population, candidate.place
    shape = draw_shapes(population, [place], bars=DETAIL_BARS)[place]
    state, note = describe_state(candidate)
    slices = reading.slices(population)
    key = status.role, status.name
    alerts = [alert for alert in reading.status.alerts if (alert.role, alert.field) == key]
    is_numeric = place < len(population.plan.schema.numeric)
    bars = None if shape is None else draw_bars(shape)
    has_bars = shape is not None and is_numeric
    return FieldDetail(
        link=field_id(*key),
        name=show_name(status.name),
        role=status.role.value,
        kind=status.kind.value,
        state=state,
        note=note,
        finding=_find(status, bars),
        rows=_describe_count(status),
        bars=bars if has_bars else None,
        bar_labels=_label_edges(shape, status.kind) if has_bars else (),
        bar_table=None if shape is None else _tabulate(shape),
        categories=() if shape is None or is_numeric else _list_categories(shape),
        level=draw_level(population, place, slices),
        fan=draw_fan(population, place, slices) if is_numeric else None,
        mix=None if is_numeric else draw_stack(population, place, slices),
        drift=_draw_drift(population, place, slices),
        invalid=_draw_invalid(population, place, slices),
        statistics=_compare_statistics(status),
        scores=_list_scores(status),
        qualities=_list_qualities(status),
        new_categories=tuple(
            f"{show_name(hit.name)} ({counted(hit.count)})" for hit in status.new_categories
        ),
        segments=tuple(_list_segments(reading, status)),
        alerts=describe_alerts(alerts, ()),
    )


def _find(status: FieldStatus, bars: Bars | None) -> str:
    if status.psi is None or status.psi_threshold is None:
        return "" if bars is None else bars.description
    times = status.psi / max(status.psi_threshold, 1e-12)
    factor = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
    beyond = "within chance" if times <= 1 else f"{factor} times what chance explains"
    return f"PSI {status.psi:.3f}, {beyond} ({status.psi_threshold:.3f})"


def _describe_count(status: FieldStatus) -> str:
    training = "" if status.training is None else f"; {counted(status.training.rows)} at training"
    return f"{counted(status.count)} values in the window{training}"


def _label_edges(shape: FieldShape | None, kind: Kind) -> tuple[str, ...]:
    if shape is None or shape.edges is None:
        return ()
    points = np.linspace(shape.edges[0], shape.edges[-1], 5).tolist()
    return tuple(day(x) if kind is Kind.DATETIME else short(x) for x in points)


def _tabulate(shape: FieldShape) -> DataTable:
    names: Sequence[str] = shape.names
    if shape.edges is not None:
        edges = [short(edge) for edge in shape.edges.tolist()]
        inner = [f"{a} to {b}" for a, b in pairwise(edges[1:-1])]
        names = [f"up to {edges[1]}", *inner, f"above {edges[-2]}"]
    sides = [
        ["-"] * len(names) if side is None else [percent(x) for x in side.tolist()]
        for side in (shape.live, shape.training)
    ]
    return DataTable(("values", "now", "at training"), tuple(zip(names, *sides, strict=True)))


def _list_categories(shape: FieldShape) -> tuple[CategoryBar, ...]:
    zeros = np.zeros(len(shape.names))
    live = zeros if shape.live is None else shape.live
    training = zeros if shape.training is None else shape.training
    most = max(float(live.max(initial=0.0)), float(training.max(initial=0.0))) or 1.0
    return tuple(
        CategoryBar(name, round(now / most * 1000), round(before / most * 1000), _pair(now, before))
        for name, now, before in zip(shape.names, live.tolist(), training.tolist(), strict=True)
    )


def _pair(now: float, before: float) -> tuple[str, str]:
    return f"{percent(now)} now", f"{percent(before)} at training"


def _draw_drift(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    drift = population.drift_history
    if drift is None or not np.isfinite(drift.scores[:, place]).any():
        return None
    limits, scores = drift.thresholds[:, place], drift.scores[:, place]
    with np.errstate(invalid="ignore"):
        beyond = scores > limits
    parts = Slices(drift.starts, slices.end, drift.rows, slices.marks)
    band = ChartBand(np.where(np.isfinite(limits), 0.0, np.nan), limits, "chance", "chance")
    scored = int(np.isfinite(scores).sum())
    title = f"PSI beyond chance in {int(beyond.sum())} of {scored} parts of the window"
    lines = [ChartLine(scores, "now", "PSI", beyond, "beyond chance")]
    return draw_time_chart(parts, lines, [band], title=title, has_zero=True)


def _draw_invalid(population: PopulationSnapshot, place: int, slices: Slices) -> TimeChart | None:
    """Draw the share of invalid values in each slice; None if no value is invalid."""
    history = population.history
    if history is None:
        return None
    counts = history.counts["quality"][:, place].astype(float)
    totals = counts.sum(axis=1)
    valid = counts[:, QUALITIES.index(Quality.VALID)]
    if not (totals - valid).any():
        return None
    invalid = np.where(totals > 0, 100 * (totals - valid) / np.maximum(totals, 1), np.nan)
    line = ChartLine(invalid, "now", "invalid values")
    window = population.view.profile.quality[place]
    refused = int(window.sum() - window[QUALITIES.index(Quality.VALID)])
    title = f"Invalid values: {share(refused, max(int(window.sum()), 1))} of the window"
    return draw_time_chart(slices, [line], title=title, has_zero=True, unit="%")


def _compare_statistics(status: FieldStatus) -> DataTable:
    training = status.training
    rows: list[tuple[str, ...]] = [
        ("values", counted(status.count), "-" if training is None else counted(training.rows))
    ]
    write = day if status.kind is Kind.DATETIME else short
    if status.mean is not None or (training and training.mean is not None):
        spread = duration if status.kind is Kind.DATETIME else short
        before = (None, None) if training is None else (training.mean, training.stddev)
        deviations = ["-" if x is None else spread(x) for x in (status.stddev, before[1])]
        rows.append(("mean", write(status.mean), write(before[0])))
        rows.append(("standard deviation", *deviations))
    for rank in STATUS_QUANTILES:
        now = status.quantiles.get(rank)
        then = None if training is None else training.quantiles.get(rank)
        if now is not None or then is not None:
            rows.append((f"{percent(rank)} of values below", write(now), write(then)))
    if status.distinct is not None:
        before_count = "-" if training is None else short(training.distinct)
        rows.append(("categories", counted(round(status.distinct)), before_count))
    return DataTable(("", "now", "at training"), tuple(rows))


def _list_scores(status: FieldStatus) -> DataTable:
    rows = [
        (_DISTANCES.get(name, name), f"{score:.4f}", short(status.thresholds.get(name)))
        for name, score in status.scores.items()
    ]
    if status.log10_e_value is not None:
        rows.append(("evidence, log10 e-value", f"{status.log10_e_value:.1f}", "-"))
    return DataTable(("measure", "now", "threshold without drift"), tuple(rows))


def _list_qualities(status: FieldStatus) -> DataTable:
    total = sum(status.window_quality.values())
    rows = [
        (quality.value.replace("_", " "), counted(count), share(count, total))
        for quality, count in status.window_quality.items()
        if count
    ]
    return DataTable(("values", "in the window", "share"), tuple(rows))


def _list_segments(reading: ModelReading, status: FieldStatus) -> list[SegmentRow]:
    rows = []
    for segment in reading.status.segments.values():
        part = next(
            (f for f in segment.fields if (f.role, f.name) == (status.role, status.name)), None
        )
        if part is not None and part.count:
            rows.append(
                SegmentRow(
                    show_name(segment.name),
                    counted(part.count),
                    short(part.psi),
                    short(part.psi_threshold),
                    short(part.mean),
                    part.has_alert,
                )
            )
    return rows[:_MOST_SEGMENTS]
