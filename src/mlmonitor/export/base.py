"""What is exported, and the protocol of an exporter."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.exemplars import Exemplar, Exemplars
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.catalog import MetricSpec
from mlmonitor.records import Counts, Floats

__all__ = [
    "Attributes",
    "Delivered",
    "Exporter",
    "Family",
    "HistogramValue",
    "Histograms",
    "Point",
    "Series",
    "Snapshot",
]

THREAD_NAME = "mlmonitor"
"""Name of the thread that exports."""

Mask = NDArray[np.bool_]

Attributes = tuple[tuple[str, str], ...]
"""Pairs in a fixed order, hashable: together with the metric they identify a series."""


class Series:
    """The attributes of a family's points, in a fixed order; shared by one snapshot with the next.

    Compared by identity: the same object means that the series have not changed. Exporters keep
    what they derive from the attributes in `cache`.
    """

    __slots__ = ("__weakref__", "attributes", "cache")

    def __init__(self, attributes: Iterable[Attributes]) -> None:
        self.attributes: tuple[Attributes, ...] = tuple(attributes)
        self.cache: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.attributes)

    def __repr__(self) -> str:
        return f"Series({len(self)})"


class Histograms(NamedTuple):
    """Counts over `(a, b]` buckets of several series: `[series, widest]`, the rest of a row is 0.

    A series has one bucket more than `bounds`. `sum`, `min` and `max` are NaN where they are
    unknown. `fine` holds the same values in exponential buckets, if a destination wants them.
    """

    bounds: tuple[tuple[float, ...], ...]
    counts: Counts
    sum: Floats
    min: Floats
    max: Floats
    fine: tuple[ExponentialSketch, ...] | None = None


class Family(NamedTuple):
    """Points of one metric at one moment: the values of its series, in their order.

    Gauges are float64, counters int64 or float64; a value that is not finite is no point.
    exemplars: by row, the oldest of a row first.
    """

    metric: MetricSpec
    series: Series
    values: Floats | Counts | Histograms
    exemplars: Exemplars = ()


class HistogramValue(NamedTuple):
    """Counts over `(a, b]` buckets, one more than there are `bounds`.

    `sum` is None if it could fall, as with negative values: a backend would take that for a
    restart. `fine` holds the same values in exponential buckets, if a destination wants them.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float | None
    min: float | None
    max: float | None
    fine: ExponentialSketch | None = None


class Point(NamedTuple):
    """One series at one moment: Python ints and floats, never numpy's, never NaN or infinite."""

    metric: MetricSpec
    attributes: Attributes
    value: int | float | HistogramValue
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """Every point of one process at one moment; counters and histograms count from its start.

    `families` holds the points by columns, for the library's own exporters; `points` lists them one
    by one, and is built on first use. Points are stamped by the system's clock.
    `made_unix_ns` is the time by the clock that never falls, or 0 if both are the same.
    """

    instance: str
    service: str
    start_unix_ns: int
    time_unix_ns: int
    families: Sequence[Family]
    made_unix_ns: int = 0

    @property
    def now(self) -> float:
        """The time at which the snapshot was taken, in seconds since 1970."""
        return (self.made_unix_ns or self.time_unix_ns) / 1e9

    @cached_property
    def points(self) -> Sequence[Point]:
        """Every point that has a value."""
        return [point for family in self.families for point in iterate_points(family)]

    @cached_property
    def size(self) -> int:
        """The number of points."""
        return sum(int(np.count_nonzero(has_point(family.values))) for family in self.families)


def has_point(values: Floats | Counts | Histograms) -> Mask:
    """Mark the series that have a point."""
    if isinstance(values, Histograms):
        return np.ones(len(values.counts), np.bool_)
    finite: Mask = np.isfinite(values)
    return finite


def mask_buckets(block: Histograms) -> Mask:
    """Mark the counts that are buckets of their series: rows are as wide as the widest series."""
    widths = np.array([len(bounds) + 1 for bounds in block.bounds], np.int64)
    is_bucket: Mask = np.arange(block.counts.shape[1]) < widths[:, None]
    return is_bucket


def iterate_points(family: Family) -> Iterator[Point]:
    """Yield a family's points one by one."""
    metric, series, values, exemplars = family
    by_row: dict[int, tuple[Exemplar, ...]] = {}
    for row, exemplar in exemplars:
        by_row[row] = (*by_row.get(row, ()), exemplar)
    if isinstance(values, Histograms):
        for row, attributes in enumerate(series.attributes):
            yield Point(metric, attributes, read_histogram(values, row), by_row.get(row, ()))
        return
    is_finite, numbers = np.isfinite(values).tolist(), values.tolist()
    for row, attributes in enumerate(series.attributes):
        if is_finite[row]:
            yield Point(metric, attributes, numbers[row], by_row.get(row, ()))


def read_histogram(block: Histograms, row: int) -> HistogramValue:
    """Read one series of a block of histograms."""
    bounds = block.bounds[row]
    total, smallest, largest = (
        float(column[row]) if np.isfinite(column[row]) else None
        for column in (block.sum, block.min, block.max)
    )
    counts = tuple(block.counts[row, : len(bounds) + 1].tolist())
    fine = None if block.fine is None else block.fine[row]
    return HistogramValue(bounds, counts, total, smallest, largest, fine)


class Delivered(NamedTuple):
    """The outcome of a snapshot's points, and the reason if any of them failed.

    accepted: stored by the destination. rejected: refused permanently. failed: not stored; the next
    snapshot holds them again. The next two count points whose request got no answer.
    possibly_lost: counted as stored and not sent again, so at most once. possibly_doubled: sent
    again with the next snapshot, so at least once; they are in no other count. `closed`: the
    unanswered points whose connection was closed; the others got no answer within the timeout.
    """

    accepted: int
    rejected: int
    failed: int = 0
    possibly_lost: int = 0
    reason: str = ""
    possibly_doubled: int = 0
    closed: int = 0


class Exporter(Protocol):
    """Where snapshots go. `send` may be slow and may raise: the worker copes with both.

    `name` identifies the destination in `mlmonitor.export.points`. An exporter does not need to
    keep a snapshot that it could not send: the next one holds everything again.
    """

    @property
    def name(self) -> str:
        """The name of the destination."""

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver the snapshot; raise ExportError if nothing was stored."""

    def close(self, *, timeout_seconds: float) -> None:
        """Close connections. May be called twice."""
