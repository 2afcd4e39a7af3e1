"""Points of one family on the wire: bytes made once, numbers written into them at each export.

All that changes from export to export is eight bytes wide: times, values, counts. So the bytes of
a family's points are a template, kept with its series, and numpy writes whole columns into it.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.export.base import Family, Histograms, Mask, Series, meant
from mlmonitor.export.otlp.protobuf import (
    exponential_row,
    extended,
    gauge_row,
    histogram_row,
    number_row,
)
from mlmonitor.records import Counts

Bytes = NDArray[np.uint8]
Times = int | Counts

_TOLD = ("sum", "min", "max")
_SLOT = 9  # bytes of a slot, the tag before it included


class Points(NamedTuple):
    """Points on the wire: that of row `i` is `data[edges[i] : edges[i + 1]]`."""

    data: Bytes
    edges: Counts

    def __len__(self) -> int:
        return len(self.edges) - 1

    def only(self, rows: Mask) -> "Points":
        """The points of some rows."""
        if rows.all():
            return self
        sizes = np.diff(self.edges)
        data = self.data[: self.edges[-1]][np.repeat(rows, sizes)]
        return Points(data, _edges(sizes[rows]))

    def with_more(self, more: Mapping[int, bytes]) -> "Points":
        """The same points, some of them with more fields; rows without any stay as they are."""
        if not more:
            return self
        sizes, pieces, begin = np.diff(self.edges), [], 0
        for row in sorted(more):
            point = extended(self.cut(row, row + 1), more[row])
            pieces += [self.cut(begin, row), point]
            sizes[row], begin = len(point), row + 1
        return Points(_bytes([*pieces, self.cut(begin, len(self))]), _edges(sizes))

    def cut(self, begin: int, end: int) -> bytes:
        """The bytes of the rows from `begin` to before `end`."""
        return self.data[self.edges[begin] : self.edges[end]].tobytes()


class _Sheet(NamedTuple):
    """A template: where each row's first slot's value is, and of histograms where the buckets."""

    data: Bytes
    edges: Counts
    first: Counts
    buckets: Counts
    form: Any = None


def encode_points(family: Family, start_ns: Times, time_ns: int) -> Points:
    """A family's points; rows without a value are there too, to be left out by `only`.

    `start_ns` is when counting began: for all of them, or one a series. Price: about 15 ns a
    number once the template is made, which takes 5 us a series, for the first time only.
    """
    metric, series, values = family[:3]
    if isinstance(values, Histograms):
        return _histograms(series, values, start_ns, time_ns)
    is_gauge = metric.kind == "gauge"
    form = "gauge" if is_gauge else values.dtype.kind
    sheet = series.kept.get(form)
    if sheet is None:
        sheet = series.kept[form] = _number_sheet(series, form)
    data = sheet.data.copy()
    numbers = values.astype("<f8" if is_gauge else f"<{form}8", copy=False)
    columns = [time_ns, numbers] if is_gauge else [start_ns, time_ns, numbers]
    for at, column in enumerate(columns):
        _write(data, sheet.first + at * _SLOT, column)
    return Points(data, sheet.edges)


def exponential(family: Family, start_ns: int, time_ns: int) -> Points:
    """A family's points in exponential buckets, made anew: there are few of them."""
    values = family.values
    assert isinstance(values, Histograms)  # noqa: S101 - asked before
    pairs = zip(family.series.attributes, values.fine or (), strict=True)
    rows = [
        exponential_row(attributes, sketch, start_ns=start_ns, time_ns=time_ns)
        for attributes, sketch in pairs
    ]
    return Points(_bytes(rows), _edges([len(row) for row in rows]))


def _write(data: Bytes, at: Counts, values: Any) -> None:
    """Write eight bytes at each place: as if elements of that size began at every byte."""
    column = np.asarray(values)
    kind = column.dtype.newbyteorder("<")
    places = np.ndarray((max(len(data) - 7, 0),), dtype=kind, buffer=data, strides=(1,))
    places[at] = column


def _number_sheet(series: Series, form: str) -> _Sheet:
    if form == "gauge":
        rows = [gauge_row(attributes) for attributes in series.attributes]
    else:
        rows = [number_row(attributes, is_whole=form == "i") for attributes in series.attributes]
    edges = _edges([len(row) for row, _ in rows])
    first = edges[:-1] + np.array([head for _, head in rows], np.int64) + 1
    return _Sheet(_bytes([row for row, _ in rows]), edges, first, np.empty(0, np.int64))


def _histograms(series: Series, block: Histograms, start_ns: Times, time_ns: int) -> Points:
    told = np.isfinite(np.stack([block.sum, block.min, block.max]))
    form = (block.bounds, told.tobytes())
    sheet = series.kept.get("histogram")
    if sheet is None or sheet.form != form:
        sheet = series.kept["histogram"] = _histogram_sheet(series, block.bounds, told, form)
    data = sheet.data.copy()
    _write(data, sheet.first, start_ns)
    _write(data, sheet.first + _SLOT, time_ns)
    _write(data, sheet.first + 2 * _SLOT, block.counts.sum(axis=1))
    place = np.full(len(series), 3)
    for known, column in zip(told, (block.sum, block.min, block.max), strict=True):
        _write(data, (sheet.first + place * _SLOT)[known], column[known])
        place += known
    _write(data, sheet.buckets, block.counts[meant(block)])
    return Points(data, sheet.edges)


def _histogram_sheet(
    series: Series, bounds: Sequence[tuple[float, ...]], told: Mask, form: Any
) -> _Sheet:
    rows, first, buckets, begin = [], [], [], 0
    for attributes, edges, known in zip(series.attributes, bounds, told.T.tolist(), strict=True):
        names = [name for name, is_told in zip(_TOLD, known, strict=True) if is_told]
        row, head, before = histogram_row(attributes, edges, names)
        first.append(begin + head + 1)
        buckets.append(begin + head + before + 8 * np.arange(len(edges) + 1))
        begin += len(row)
        rows.append(row)
    places = np.concatenate(buckets) if buckets else np.empty(0, np.int64)
    sizes = _edges([len(row) for row in rows])
    return _Sheet(_bytes(rows), sizes, np.array(first, np.int64), places, form)


def _edges(sizes: Sequence[int] | Counts) -> Counts:
    return np.fromiter(accumulate(sizes, initial=0), np.int64, len(sizes) + 1)


def _bytes(rows: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(rows), np.uint8)
