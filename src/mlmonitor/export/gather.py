"""Single points gathered into families, and series that last from one snapshot to the next."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from mlmonitor.catalog import Metric
from mlmonitor.export.base import Attributes, Family, Histograms, HistogramValue, Point, Series

Key = tuple[Metric, type]


class SeriesBook:
    """Series by what they are of, made once for as long as every snapshot asks for them.

    What one snapshot did not ask for is forgotten with the next, so that a book holds at most what
    two snapshots hold.
    """

    def __init__(self) -> None:
        self._before: dict[Hashable, Series] = {}
        self._now: dict[Hashable, Series] = {}

    def turn(self) -> None:
        """Begin a snapshot."""
        self._before, self._now = self._now, {}

    def find(self, key: Hashable) -> Series | None:
        """The series last filed under `key`, if there are any."""
        known = self._now.get(key)
        if known is None:
            known = self._before.get(key)
        if known is not None:
            self._now[key] = known
        return known

    def file(self, key: Hashable, attributes: Iterable[Attributes]) -> Series:
        """Series of these attributes: those known by that key, if they have the same."""
        wanted = tuple(attributes)
        known = self.find(key)
        if known is None or known.attributes != wanted:
            known = self._now[key] = Series(wanted)
        return known


def gathered(points: Iterable[Point], book: SeriesBook | None = None) -> list[Family]:
    """Points as families: one for each metric and type of value, in the order they first came.

    With a `book`, families of the same attributes as in the snapshot before share its series.
    """
    sorted_out: dict[Key, list[Point]] = {}
    for point in points:
        sorted_out.setdefault((point.metric, type(point.value)), []).append(point)
    found = book if book is not None else SeriesBook()
    return [_family(key, group, found) for key, group in sorted_out.items()]


def _family(key: Key, points: Sequence[Point], book: SeriesBook) -> Family:
    metric, kind = key
    series = book.file(key, (point.attributes for point in points))
    if issubclass(kind, HistogramValue):
        return Family(metric, series, block([point.value for point in points]))  # type: ignore[misc]  # grouped by type
    is_whole = metric.kind != "gauge" and issubclass(kind, int)
    values = np.array([point.value for point in points], np.int64 if is_whole else np.float64)
    return Family(metric, series, values)


def block(values: Sequence[HistogramValue]) -> Histograms:
    """Histograms side by side."""
    widest = max(len(value.counts) for value in values)
    counts = np.zeros((len(values), widest), np.int64)
    for at, value in enumerate(values):
        counts[at, : len(value.counts)] = value.counts
    told = np.array(
        [[np.nan if x is None else x for x in value[2:]] for value in values], np.float64
    )
    bounds = tuple(value.bounds for value in values)
    return Histograms(bounds, counts, told[:, 0], told[:, 1], told[:, 2])
