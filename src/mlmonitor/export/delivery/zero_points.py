"""Zero points that precede the first value of each counter and histogram."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.export.base import Attributes, Family, Histograms, Series, has_point


class ZeroPoints:
    """Remembers which series have been sent as zero. Price: a set entry per series."""

    def __init__(self) -> None:
        self._sent: dict[str, set[Attributes]] = {}
        self._fully_sent: WeakKeyDictionary[Series, set[str]] = WeakKeyDictionary()

    def collect(self, families: Iterable[Family]) -> list[Family]:
        """Collect zeros for the series that have not been sent as zero yet."""
        zeros = []
        for family in families:
            name = family.metric.name
            if family.metric.kind == "gauge" or name in self._fully_sent.get(family.series, ()):
                continue
            sent = self._sent.get(name, set())
            is_new = np.fromiter((key not in sent for key in family.series.attributes), np.bool_)
            rows = np.flatnonzero(is_new & has_point(family.values))
            if rows.size:
                zeros.append(_build_zeros(family, rows.tolist()))
        return zeros

    def mark_sent(self, families: Iterable[Family], zeros: Iterable[Family]) -> None:
        """Record that `zeros` were sent, so that every series of `families` has its zero."""
        for family in zeros:
            sent = self._sent.setdefault(family.metric.name, set())
            sent.update(family.series.attributes)
        for family in families:
            if family.metric.kind != "gauge" and has_point(family.values).all():
                self._fully_sent.setdefault(family.series, set()).add(family.metric.name)


def _build_zeros(family: Family, rows: list[int]) -> Family:
    series = Series(family.series.attributes[row] for row in rows)
    values = family.values
    if not isinstance(values, Histograms):
        return Family(family.metric, series, np.zeros_like(values[rows]))
    unknown = np.full(len(rows), np.nan)
    sums = np.where(np.isnan(values.sum[rows]), np.nan, 0.0)
    bounds = tuple(values.bounds[row] for row in rows)
    fine = None if values.fine is None else tuple(ExponentialSketch() for _ in rows)
    counts = np.zeros_like(values.counts[rows])
    return Family(family.metric, series, Histograms(bounds, counts, sums, unknown, unknown, fine))
