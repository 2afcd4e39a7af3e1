"""Single points gathered into families, and what lasts from one snapshot to the next."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from mlmonitor.catalog import Metric
from mlmonitor.export.base import Family, Histograms, HistogramValue, Point, Series

_Key = tuple[Metric, type]


class Book:
    """What is made once, for as long as every snapshot asks for it.

    What one snapshot did not ask for is forgotten with the next: a book holds at most what two
    snapshots hold.
    """

    def __init__(self) -> None:
        self._before: dict[Hashable, Any] = {}
        self._now: dict[Hashable, Any] = {}

    def turn(self) -> None:
        """Begin a snapshot."""
        self._before, self._now = self._now, {}

    def find(self, key: Hashable) -> Any:
        """What was last kept under `key`, or None."""
        known = self._now.get(key)
        if known is None:
            known = self._before.get(key)
            if known is not None:
                self._now[key] = known
        return known

    def keep(self, key: Hashable, value: Any) -> Any:
        """Keep it under `key`, and give it back."""
        self._now[key] = value
        return value


def group_points(points: Iterable[Point], book: Book | None = None) -> list[Family]:
    """Points as families: one for each metric and type of value, in the order they first came.

    With a `book`, families of the same attributes as in the snapshot before share its series.
    """
    grouped: dict[_Key, list[Point]] = {}
    for point in points:
        grouped.setdefault((point.metric, type(point.value)), []).append(point)
    found = book if book is not None else Book()
    return [_family(key, group, found) for key, group in grouped.items()]


def _family(key: _Key, points: Sequence[Point], book: Book) -> Family:
    metric, kind = key
    attributes = tuple(point.attributes for point in points)
    exemplars = tuple((at, each) for at, point in enumerate(points) for each in point.exemplars)
    series = book.find(key)
    if series is None or series.attributes != attributes:
        series = book.keep(key, Series(attributes))
    if issubclass(kind, HistogramValue):
        found = block([point.value for point in points])  # type: ignore[misc]  # grouped by type
        return Family(metric, series, found, exemplars)
    told = [point.value for point in points]
    is_whole = metric.kind != "gauge" and issubclass(kind, int)
    values = np.array(told, np.int64) if is_whole else np.array(told, np.float64)
    return Family(metric, series, values, exemplars)


def block(values: Sequence[HistogramValue]) -> Histograms:
    """Histograms side by side."""
    widest = max(len(value.counts) for value in values)
    counts = np.zeros((len(values), widest), np.int64)
    for at, value in enumerate(values):
        counts[at, : len(value.counts)] = value.counts
    told = np.array(
        [[np.nan if x is None else x for x in value[2:5]] for value in values], np.float64
    )
    bounds = tuple(value.bounds for value in values)
    fine = tuple(value.fine for value in values if value.fine is not None)
    whole = fine if len(fine) == len(values) else None
    return Histograms(bounds, counts, told[:, 0], told[:, 1], told[:, 2], whole)
