"""The data that is exported, and the protocol of an exporter."""

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
    """The attributes of each point of a family, in a fixed order, shared by successive snapshots.

    Compared by identity: the same object means that the series have not changed. Exporters store
    in `cache` what they compute from the attributes.
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
    """Histograms of several series, one series a row, over buckets `(a, b]`.

    `counts` has the shape `[series, widest]`: a series with n `bounds` has n + 1 buckets, and the
    rest of its row is 0. `sum`, `min` and `max` hold one number a series, NaN if it is unknown.
    `fine` holds the same values in exponential buckets, if a destination needs them.
    """

    bounds: tuple[tuple[float, ...], ...]
    counts: Counts
    sum: Floats
    min: Floats
    max: Floats
    fine: tuple[ExponentialSketch, ...] | None = None


class Family(NamedTuple):
    """Points of one metric at one moment: the values of its series, in their order.

    Gauges are float64, counters int64 or float64; a value that is not finite is not a point.
    exemplars: pairs of row and exemplar; those of one row are ordered from old to new.
    """

    metric: MetricSpec
    series: Series
    values: Floats | Counts | Histograms
    exemplars: Exemplars = ()


class HistogramValue(NamedTuple):
    """A histogram over buckets `(a, b]`; there is one more bucket than `bounds`.

    `sum` is None if it could fall, as with negative values: a backend would treat a falling sum as
    a restart. `fine` holds the same values in exponential buckets, if a destination needs them.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float | None
    min: float | None
    max: float | None
    fine: ExponentialSketch | None = None


class Point(NamedTuple):
    """One series at one moment; numbers are finite Python ints and floats, never numpy scalars."""

    metric: MetricSpec
    attributes: Attributes
    value: int | float | HistogramValue
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """Every point of one process at one moment; counters count from the start of the process.

    `families` holds the points by columns, for the library's own exporters; `points` lists them one
    by one, and is built on first use. The timestamp of the points, `time_unix_ns`, is read from the
    system's clock. `made_unix_ns` is the same time by a clock that never goes back, or 0 if the two
    clocks agree.
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
    """Mark the series that have a point: all histograms, and numbers that are finite."""
    if isinstance(values, Histograms):
        return np.ones(len(values.counts), np.bool_)
    finite: Mask = np.isfinite(values)
    return finite


def mask_buckets(block: Histograms) -> Mask:
    """Mark the counts that are buckets, as opposed to the padding after a narrower series."""
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
    """Return the histogram in one row of a block."""
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

    accepted: points stored by the destination. rejected: points refused permanently.
    failed: points not stored; the next snapshot holds them again.
    possibly_lost: points without an answer that are not sent again: stored at most once.
    possibly_doubled: points without an answer that the next snapshot holds again: stored at least
    once. No other count includes them.
    closed: points without an answer because the connection was closed; other points without an
    answer reached the timeout.
    """

    accepted: int
    rejected: int
    failed: int = 0
    possibly_lost: int = 0
    reason: str = ""
    possibly_doubled: int = 0
    closed: int = 0


class Exporter(Protocol):
    """A destination of snapshots. `send` may be slow and may raise: the worker handles both.

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
