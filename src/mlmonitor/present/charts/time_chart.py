"""A chart over the slices of a window: lines, bands and marks, with a table of its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlmonitor.formatting import counted, short
from mlmonitor.present.charts.axes import Axis, slice_titles, time_labels, value_axis
from mlmonitor.present.charts.paths import WIDTH, area_path, line_path, to_y
from mlmonitor.records import Counts, Floats, Mask

MOST_MARKS = 12
_LEAST_FILLED = 0.2  # share of the median rows; an emptier slice does not stretch the axis
BATCH_SECONDS = 10.0  # rows that arrive within this time come from a file: times mean nothing


@dataclass(frozen=True, slots=True)
class Stroke:
    """A path, its CSS class, and its name in the legend (empty if it is not in the legend)."""

    path: str
    style: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at a point in time, such as the start of an incident."""

    x: int
    title: str
    style: str = "opened"


@dataclass(frozen=True, slots=True)
class Readout:
    """The area of a slice, and the text shown when the pointer is over it."""

    x: int
    width: int
    title: str


@dataclass(frozen=True, slots=True)
class DataTable:
    """The numbers of a chart as a table, for readers who cannot see the chart."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TimeChart:
    """A chart whose title states its finding."""

    title: str
    description: str
    strokes: tuple[Stroke, ...]
    marks: tuple[Mark, ...]
    readouts: tuple[Readout, ...]
    y_labels: tuple[str, ...]
    x_labels: tuple[str, ...]
    table: DataTable


@dataclass(frozen=True, eq=False)
class Slices:
    """The horizontal axis: the starts of the slices, the end of the last slice, and their rows.

    The axis shows row numbers instead of times if all rows arrived within `BATCH_SECONDS`.
    """

    starts: Floats
    end: float
    rows: Counts
    marks: tuple[Mark, ...] = field(default=())

    @cached_property
    def is_by_rows(self) -> bool:
        """Whether the axis counts rows."""
        return len(self.starts) > 1 and self.end - float(self.starts[0]) < BATCH_SECONDS

    @cached_property
    def edges(self) -> Floats:
        """The boundaries of the slices `[slices + 1]`, scaled to the width of the box."""
        places = np.append(self.starts, self.end)
        if self.is_by_rows:
            places = np.concatenate([[0.0], np.cumsum(self.rows, dtype=np.float64)])
        span = max(float(places[-1] - places[0]), np.finfo(float).tiny)
        edges: Floats = (places - places[0]) / span * WIDTH
        return edges

    @property
    def middles(self) -> Floats:
        """The middle of each slice."""
        middles: Floats = (self.edges[1:] + self.edges[:-1]) / 2
        return middles

    @property
    def labels(self) -> tuple[str, ...]:
        """The equidistant labels of the axis."""
        if self.is_by_rows:
            total = int(self.rows.sum())
            return tuple(f"row {round(total * part / 4):,}" for part in range(5))
        return time_labels(self.starts, self.end)

    @property
    def titles(self) -> Sequence[str]:
        """The name of each slice in its readout: its times, or its rows."""
        if self.is_by_rows:
            ends = np.cumsum(self.rows).tolist()
            return [
                f"rows {end - count + 1:,} to {end:,}"
                for end, count in zip(ends, self.rows.tolist(), strict=True)
            ]
        return slice_titles(self.starts, self.end)


@dataclass(frozen=True, eq=False)
class ChartLine:
    """One line. values: `[slices]`, with NaN for gaps. dots: the values to mark with a dot.

    dots_name: the name of the dots in the legend. caption: the line's name in the legend, by
    default `name`; if empty, the legend leaves the line out.
    """

    values: Floats
    style: str
    name: str
    dots: Mask | None = None
    dots_name: str = ""
    caption: str | None = None


@dataclass(frozen=True, eq=False)
class ChartBand:
    """The area between two lines. numbers: the band's column in the table, if any."""

    low: Floats
    high: Floats
    style: str
    name: str
    numbers: Floats | None = None


def draw_time_chart(
    slices: Slices,
    lines: Sequence[ChartLine],
    bands: Sequence[ChartBand] = (),
    *,
    title: str,
    has_zero: bool = False,
    unit: str = "",
) -> TimeChart:
    """Draw all lines and bands over one axis of values; `unit` is appended to each number."""
    is_filled = _are_filled(slices.rows)
    drawn_values = [line.values for line in lines]
    drawn_values += [side for band in bands for side in (band.low, band.high)]
    finite = np.concatenate([values[np.isfinite(values) & is_filled] for values in drawn_values])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    axis = value_axis(low, high, has_zero=has_zero)
    x = slices.middles
    # The newest slice may have hardly any rows yet.
    size = len(x) if is_filled[-1:].all() else len(x) - 1
    areas = [
        Stroke(
            area_path(x[:size], *(to_y(y[:size], axis.low, axis.high) for y in (b.low, b.high))),
            b.style,
            b.name,
        )
        for b in bands
    ]
    strokes = [
        Stroke(
            line_path(x[:size], to_y(line.values[:size], axis.low, axis.high)),
            line.style,
            line.name if line.caption is None else line.caption,
        )
        for line in lines
    ]
    strokes += [
        Stroke(_draw_dots(x[line.dots], line.values[line.dots], axis), "beyond", line.dots_name)
        for line in lines
        if line.dots is not None and line.dots.any()
    ]
    times = slices.titles
    columns = {line.name: line.values for line in lines}
    columns |= {band.name: band.numbers for band in bands if band.numbers is not None}
    first = "rows" if slices.is_by_rows else "time (UTC)"
    table = _tabulate((first, "count"), times, slices.rows, columns, unit)
    edges = np.round(slices.edges).astype(int).tolist()
    readouts = [
        Readout(edges[at], edges[at + 1] - edges[at], _describe(table.head, row))
        for at, row in enumerate(table.rows)
    ]
    return TimeChart(
        title=title,
        description=f"{', '.join(columns)}, from {times[0]} on." if times else title,
        strokes=(*areas, *strokes),
        marks=slices.marks[-MOST_MARKS:],
        readouts=tuple(readouts),
        y_labels=tuple(f"{label}{unit}" for label in axis.labels[::-1]),
        x_labels=slices.labels,
        table=table,
    )


def _are_filled(rows: Counts) -> Mask:
    """Return which slices have enough rows to be comparable with the others."""
    used = rows[rows > 0]
    return rows >= _LEAST_FILLED * (float(np.median(used)) if used.size else 0.0)


def _draw_dots(x: Floats, values: Floats, axis: Axis) -> str:
    """Return lines of zero length, which round line caps draw as dots."""
    y = to_y(values, axis.low, axis.high)
    places = zip(np.round(x).tolist(), np.round(y, 1).tolist(), strict=True)
    return "".join(f"M{left:.0f} {top:g}h0" for left, top in places)


def _tabulate(
    head: tuple[str, ...],
    times: Sequence[str],
    rows: Counts,
    columns: Mapping[str, Floats],
    unit: str,
) -> DataTable:
    cells = zip(*[_write(values, unit) for values in columns.values()], strict=True)
    lines = [
        (time, counted(count), *values)
        for time, count, values in zip(times, rows.tolist(), cells, strict=True)
    ]
    return DataTable((*head, *columns), tuple(lines))


def _write(values: Floats, unit: str) -> list[str]:
    texts = map(short, values.tolist())
    return [text if text == "-" else f"{text}{unit}" for text in texts] if unit else list(texts)


def _describe(head: Sequence[str], row: Sequence[str]) -> str:
    facts = [f"{name} {cell}" for name, cell in zip(head[2:], row[2:], strict=True)]
    return f"{row[0]}: {', '.join(facts)} ({row[1]} rows)"
