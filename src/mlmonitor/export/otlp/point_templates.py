"""Encoded points of one family: a template made once, with numbers written into it at each export.

Only times, values and counts change between exports, and each is eight bytes wide. So the encoded
points of a family are stored with its series as a template, and numpy writes columns into a copy.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.export.base import Family, Histograms, Mask, Series, mask_buckets
from mlmonitor.export.otlp.protobuf import (
    exponential_row,
    extend_point,
    gauge_row,
    histogram_row,
    number_row,
)
from mlmonitor.records import Counts

Bytes = NDArray[np.uint8]
Times = int | Counts

_OPTIONAL = ("sum", "min", "max")
_SLOT = 9  # bytes of a slot with its tag


class Points(NamedTuple):
    """Encoded points of a family; the point of row `i` is `data[edges[i] : edges[i + 1]]`."""

    data: Bytes
    edges: Counts

    def __len__(self) -> int:
        return len(self.edges) - 1

    def select(self, rows: Mask) -> "Points":
        """Select the points of some rows."""
        if rows.all():
            return self
        sizes = np.diff(self.edges)
        data = self.data[: self.edges[-1]][np.repeat(rows, sizes)]
        return Points(data, _compute_edges(sizes[rows]))

    def with_more(self, more: Mapping[int, bytes]) -> "Points":
        """Append the encoded fields of `more`, by row, to the points of those rows."""
        if not more:
            return self
        sizes, pieces, begin = np.diff(self.edges), [], 0
        for row in sorted(more):
            point = extend_point(self.cut(row, row + 1), more[row])
            pieces += [self.cut(begin, row), point]
            sizes[row], begin = len(point), row + 1
        return Points(_join_rows([*pieces, self.cut(begin, len(self))]), _compute_edges(sizes))

    def cut(self, begin: int, end: int) -> bytes:
        """Return the bytes of the rows `begin:end`."""
        return self.data[self.edges[begin] : self.edges[end]].tobytes()


class _Sheet(NamedTuple):
    """A template, with the byte offsets of each row's first slot and of its histogram buckets."""

    data: Bytes
    edges: Counts
    first: Counts
    buckets: Counts
    form: Any = None


def encode_points(family: Family, start_ns: Times, time_ns: int) -> Points:
    """Encode all points of a family, including those without a value: remove them by `select`.

    `start_ns` is the time at which counting began: one for all series, or one per series.
    Price: 5 us a series for the template, once; then about 15 ns a number.
    """
    metric, series, values = family[:3]
    if isinstance(values, Histograms):
        return _encode_histograms(series, values, start_ns, time_ns)
    is_gauge = metric.kind == "gauge"
    form = "gauge" if is_gauge else values.dtype.kind
    sheet = series.cache.get(form)
    if sheet is None:
        sheet = series.cache[form] = _build_number_sheet(series, form)
    data = sheet.data.copy()
    numbers = values.astype("<f8" if is_gauge else f"<{form}8", copy=False)
    columns = [time_ns, numbers] if is_gauge else [start_ns, time_ns, numbers]
    for slot, column in enumerate(columns):
        _write(data, sheet.first + slot * _SLOT, column)
    return Points(data, sheet.edges)


def encode_exponential(family: Family, start_ns: int, time_ns: int) -> Points:
    """Encode a family's points in exponential buckets, without a template, as there are few."""
    values = family.values
    assert isinstance(values, Histograms)  # noqa: S101 - checked before
    pairs = zip(family.series.attributes, values.fine or (), strict=True)
    rows = [
        exponential_row(attributes, sketch, start_ns=start_ns, time_ns=time_ns)
        for attributes, sketch in pairs
    ]
    return Points(_join_rows(rows), _compute_edges([len(row) for row in rows]))


def _write(data: Bytes, places: Counts, values: Any) -> None:
    """Write values of eight bytes at byte offsets, which need not be aligned."""
    column = np.asarray(values)
    kind = column.dtype.newbyteorder("<")
    elements = np.ndarray((max(len(data) - 7, 0),), dtype=kind, buffer=data, strides=(1,))
    elements[places] = column


def _build_number_sheet(series: Series, form: str) -> _Sheet:
    if form == "gauge":
        rows = [gauge_row(attributes) for attributes in series.attributes]
    else:
        rows = [number_row(attributes, is_whole=form == "i") for attributes in series.attributes]
    edges = _compute_edges([len(row) for row, _ in rows])
    first = edges[:-1] + np.array([head for _, head in rows], np.int64) + 1
    return _Sheet(_join_rows([row for row, _ in rows]), edges, first, np.empty(0, np.int64))


def _encode_histograms(series: Series, block: Histograms, start_ns: Times, time_ns: int) -> Points:
    is_known = np.isfinite(np.stack([block.sum, block.min, block.max]))
    form = (block.bounds, is_known.tobytes())
    sheet = series.cache.get("histogram")
    if sheet is None or sheet.form != form:
        sheet = series.cache["histogram"] = _build_histogram_sheet(
            series, block.bounds, is_known, form
        )
    data = sheet.data.copy()
    _write(data, sheet.first, start_ns)
    _write(data, sheet.first + _SLOT, time_ns)
    _write(data, sheet.first + 2 * _SLOT, block.counts.sum(axis=1))
    place = np.full(len(series), 3)
    for has_value, column in zip(is_known, (block.sum, block.min, block.max), strict=True):
        _write(data, (sheet.first + place * _SLOT)[has_value], column[has_value])
        place += has_value
    _write(data, sheet.buckets, block.counts[mask_buckets(block)])
    return Points(data, sheet.edges)


def _build_histogram_sheet(
    series: Series, bounds: Sequence[tuple[float, ...]], is_known: Mask, form: Any
) -> _Sheet:
    rows, first, buckets, begin = [], [], [], 0
    for attributes, edges, flags in zip(
        series.attributes, bounds, is_known.T.tolist(), strict=True
    ):
        names = [name for name, is_present in zip(_OPTIONAL, flags, strict=True) if is_present]
        row, head, before = histogram_row(attributes, edges, names)
        first.append(begin + head + 1)
        buckets.append(begin + head + before + 8 * np.arange(len(edges) + 1))
        begin += len(row)
        rows.append(row)
    places = np.concatenate(buckets) if buckets else np.empty(0, np.int64)
    sizes = _compute_edges([len(row) for row in rows])
    return _Sheet(_join_rows(rows), sizes, np.array(first, np.int64), places, form)


def _compute_edges(sizes: Sequence[int] | Counts) -> Counts:
    return np.fromiter(accumulate(sizes, initial=0), np.int64, len(sizes) + 1)


def _join_rows(rows: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(rows), np.uint8)
