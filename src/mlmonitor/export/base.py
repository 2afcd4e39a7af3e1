"""What is exported, and what an exporter has to be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.exemplars import Exemplar, Exemplars
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.catalog import Metric
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
"""Of the thread that exports."""

Mask = NDArray[np.bool_]

Attributes = tuple[tuple[str, str], ...]
"""Pairs in a fixed order, hashable: together with the metric they identify a series."""


class Series:
    """The attributes of a family's points, in a fixed order; shared by one snapshot with the next.

    Compared by identity: meeting the same object again tells an exporter, at no cost, that nothing
    it knows about these series has changed. What exporters keep for them is in `kept`.
    """

    __slots__ = ("__weakref__", "attributes", "kept")

    def __init__(self, attributes: Iterable[Attributes]) -> None:
        self.attributes: tuple[Attributes, ...] = tuple(attributes)
        self.kept: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.attributes)

    def __repr__(self) -> str:
        return f"Series({len(self)})"


class Histograms(NamedTuple):
    """Counts over `(a, b]` buckets of several series: `[series, widest]`, the rest of a row is 0.

    A series has one bucket more than it has `bounds`. `sum`, `min` and `max` are NaN where they
    are not told. `fine` holds the same values in exponential buckets, if somebody wants them.
    """

    bounds: tuple[tuple[float, ...], ...]
    counts: Counts
    sum: Floats
    min: Floats
    max: Floats
    fine: tuple[ExponentialSketch, ...] | None = None


class Family(NamedTuple):
    """Points of one metric at one moment: the values of its series, in their order.

    Gauges are float64, counters int64 or float64; where one is not finite there is no point.
    exemplars: by row, those of one row oldest first.
    """

    metric: Metric
    series: Series
    values: Floats | Counts | Histograms
    exemplars: Exemplars = ()


class HistogramValue(NamedTuple):
    """Counts over `(a, b]` buckets, one more than there are `bounds`.

    `sum` is None where it could fall, which a backend would take for a restart: where values were
    negative. `fine` holds the same values in exponential buckets, if a destination wants them.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float | None
    min: float | None
    max: float | None
    fine: ExponentialSketch | None = None


class Point(NamedTuple):
    """One series at one moment: Python ints and floats, never numpy's, never NaN or infinite."""

    metric: Metric
    attributes: Attributes
    value: int | float | HistogramValue
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All of one process at one moment; counters and histograms count from the start.

    `families` holds it by columns, as the library's own exporters take it; `points` is the same,
    one by one, made when it is first asked for. `made_unix_ns` is now, where that is not the time
    of the points: zeros of new series are sent for the time before.
    """

    instance: str
    service: str
    start_unix_ns: int
    time_unix_ns: int
    families: Sequence[Family]
    made_unix_ns: int = 0

    @property
    def now(self) -> float:
        """When it was made, in seconds since 1970."""
        return (self.made_unix_ns or self.time_unix_ns) / 1e9

    @cached_property
    def points(self) -> Sequence[Point]:
        """Every point that has a value."""
        return [point for family in self.families for point in points_of(family)]

    @cached_property
    def size(self) -> int:
        """How many points there are."""
        return sum(int(np.count_nonzero(there(each.values))) for each in self.families)


def there(values: Floats | Counts | Histograms) -> Mask:
    """Which series have a point."""
    if isinstance(values, Histograms):
        return np.ones(len(values.counts), np.bool_)
    finite: Mask = np.isfinite(values)
    return finite


def meant(block: Histograms) -> Mask:
    """Which counts are buckets of their series: rows are as wide as the widest."""
    widths = np.array([len(bounds) + 1 for bounds in block.bounds], np.int64)
    found: Mask = np.arange(block.counts.shape[1]) < widths[:, None]
    return found


def points_of(family: Family) -> Iterator[Point]:
    """A family's points one by one."""
    metric, series, values, exemplars = family
    traced: dict[int, tuple[Exemplar, ...]] = {}
    for at, exemplar in exemplars:
        traced[at] = (*traced.get(at, ()), exemplar)
    if isinstance(values, Histograms):
        for at, attributes in enumerate(series.attributes):
            yield Point(metric, attributes, histogram_of(values, at), traced.get(at, ()))
        return
    finite, told = np.isfinite(values).tolist(), values.tolist()
    for at, attributes in enumerate(series.attributes):
        if finite[at]:
            yield Point(metric, attributes, told[at], traced.get(at, ()))


def histogram_of(block: Histograms, at: int) -> HistogramValue:
    """One series of a block of histograms."""
    bounds = block.bounds[at]
    whole, smallest, largest = (
        float(known[at]) if np.isfinite(known[at]) else None
        for known in (block.sum, block.min, block.max)
    )
    counts = tuple(block.counts[at, : len(bounds) + 1].tolist())
    fine = None if block.fine is None else block.fine[at]
    return HistogramValue(bounds, counts, whole, smallest, largest, fine)


class Delivered(NamedTuple):
    """What became of a snapshot's points, and why where it was not all well.

    accepted: taken. rejected: refused for good. failed: not taken, and part of what the next
    snapshot will hold. possibly_lost: sent, unanswered, and not sent again lest they count twice.
    """

    accepted: int
    rejected: int
    failed: int = 0
    possibly_lost: int = 0
    reason: str = ""


class Exporter(Protocol):
    """Where snapshots go. `send` may be slow and may raise: the worker copes with both.

    `name` tells destinations apart in `mlmonitor.export.points`. A snapshot that could not be sent
    need not be kept: the next one holds all that it held.
    """

    @property
    def name(self) -> str:
        """What the destination is called."""

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver; raise ExportError where nothing was taken."""

    def close(self, *, timeout_seconds: float) -> None:
        """Let go of connections. May be called twice."""
