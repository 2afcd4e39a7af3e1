"""Group single points into families, and cache values from one snapshot to the next."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from mlmonitor.catalog import MetricSpec
from mlmonitor.export.base import Family, Histograms, HistogramValue, Point, Series

_Key = tuple[MetricSpec, type]


class SnapshotCache:
    """A cache that keeps a value as long as every snapshot uses it.

    A value that one snapshot does not use is removed at the next: the cache holds the values of at
    most two snapshots.
    """

    def __init__(self) -> None:
        self._before: dict[Hashable, Any] = {}
        self._now: dict[Hashable, Any] = {}

    def begin_snapshot(self) -> None:
        """Begin a snapshot; remove the values that the previous snapshot did not use."""
        self._before, self._now = self._now, {}

    def find(self, key: Hashable) -> Any:
        """Return the value stored under `key`, or None."""
        value = self._now.get(key)
        if value is None:
            value = self._before.get(key)
            if value is not None:
                self._now[key] = value
        return value

    def keep(self, key: Hashable, value: Any) -> Any:
        """Store a value under `key`, and return the value."""
        self._now[key] = value
        return value


def group_points(points: Iterable[Point], cache: SnapshotCache | None = None) -> list[Family]:
    """Group points into families by metric and type of value, in order of their first points.

    With a `cache`, a family whose attributes have not changed reuses the previous `Series`.
    """
    grouped: dict[_Key, list[Point]] = {}
    for point in points:
        grouped.setdefault((point.metric, type(point.value)), []).append(point)
    cache = cache if cache is not None else SnapshotCache()
    return [_build_family(key, group, cache) for key, group in grouped.items()]


def _build_family(key: _Key, points: Sequence[Point], cache: SnapshotCache) -> Family:
    metric, kind = key
    attributes = tuple(point.attributes for point in points)
    exemplars = tuple(
        (row, exemplar) for row, point in enumerate(points) for exemplar in point.exemplars
    )
    series = cache.find(key)
    if series is None or series.attributes != attributes:
        series = cache.keep(key, Series(attributes))
    if issubclass(kind, HistogramValue):
        histograms = stack_histograms([point.value for point in points])  # type: ignore[misc]  # grouped by type
        return Family(metric, series, histograms, exemplars)
    numbers = [point.value for point in points]
    is_whole = metric.kind != "gauge" and issubclass(kind, int)
    values = np.array(numbers, np.int64) if is_whole else np.array(numbers, np.float64)
    return Family(metric, series, values, exemplars)


def stack_histograms(values: Sequence[HistogramValue]) -> Histograms:
    """Stack histograms into one block, one per row."""
    widest = max(len(value.counts) for value in values)
    counts = np.zeros((len(values), widest), np.int64)
    for row, value in enumerate(values):
        counts[row, : len(value.counts)] = value.counts
    summaries = np.array(
        [[np.nan if x is None else x for x in value[2:5]] for value in values], np.float64
    )
    bounds = tuple(value.bounds for value in values)
    fine = tuple(value.fine for value in values if value.fine is not None)
    all_fine = fine if len(fine) == len(values) else None
    return Histograms(bounds, counts, summaries[:, 0], summaries[:, 1], summaries[:, 2], all_fine)
