"""Counters and histograms that a destination has not seen yet, as the zeros they were before."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np

from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.export.base import Attributes, Family, Histograms, Series, there


class Births:
    """Which series have been sent as zero. Price: a set entry a series."""

    def __init__(self) -> None:
        self._born: dict[str, set[Attributes]] = {}
        self._all_born: WeakKeyDictionary[Series, set[str]] = WeakKeyDictionary()

    def due(self, families: Iterable[Family]) -> list[Family]:
        """Zeros for the series that have not been born yet."""
        found = []
        for family in families:
            name = family.metric.name
            if family.metric.kind == "gauge" or name in self._all_born.get(family.series, ()):
                continue
            born = self._born.get(name, set())
            attributes = family.series.attributes
            is_new = np.fromiter((each not in born for each in attributes), np.bool_)
            rows = np.flatnonzero(is_new & there(family.values))
            if rows.size:
                found.append(_zero(family, rows.tolist()))
        return found

    def note(self, families: Iterable[Family], born: Iterable[Family]) -> None:
        """Remember that zeros have been sent for all of `families`."""
        for family in born:
            known = self._born.setdefault(family.metric.name, set())
            known.update(family.series.attributes)
        for family in families:
            if family.metric.kind != "gauge" and there(family.values).all():
                self._all_born.setdefault(family.series, set()).add(family.metric.name)


def _zero(family: Family, rows: list[int]) -> Family:
    series = Series(family.series.attributes[at] for at in rows)
    values = family.values
    if not isinstance(values, Histograms):
        return Family(family.metric, series, np.zeros_like(values[rows]))
    none_yet = np.full(len(rows), np.nan)
    sums = np.where(np.isnan(values.sum[rows]), np.nan, 0.0)
    bounds = tuple(values.bounds[at] for at in rows)
    fine = None if values.fine is None else tuple(ExponentialSketch() for _ in rows)
    zeros = Histograms(bounds, np.zeros_like(values.counts[rows]), sums, none_yet, none_yet, fine)
    return Family(family.metric, series, zeros)
