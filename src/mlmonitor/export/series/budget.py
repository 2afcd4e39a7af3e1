"""Limit the number of series of a process, and choose which series are left out."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor import catalog
from mlmonitor.catalog import IDENTITY, MetricSpec
from mlmonitor.compare.population_snapshot import STATUS_QUANTILES
from mlmonitor.export.base import Attributes, Family, Histograms, Mask, Point, Series
from mlmonitor.records import QUALITIES, Counts
from mlmonitor.stats.distance import MEASURES, ORDERED, WASSERSTEIN

DETAIL: tuple[tuple[MetricSpec, ...], ...] = (
    (catalog.QUANTILE,),
    (catalog.REFERENCE_BIN,),
    (catalog.DRIFT_THRESHOLD, catalog.QUALITY_THRESHOLD, catalog.DRIFT_CONTRIBUTION_THRESHOLD),
    (catalog.OUTLIERS,),
    (catalog.MIN, catalog.MAX, catalog.DISTINCT, catalog.EFFECTIVE_ROWS, catalog.DESIGN_EFFECT),
    (catalog.REFERENCE_MEAN, catalog.REFERENCE_STDDEV),
)
"""Metrics that are left out for all fields, step by step, before any whole field is left out."""

_OF_FIELD = (*IDENTITY, "segment", "field", "role")
_HISTOGRAM_EXTRAS = 3  # series besides those of the bounds: the infinite bucket, sum and count


def series_count(  # noqa: PLR0913 - all by keyword
    *,
    numeric: int = 0,
    categorical: int = 0,
    kpis: int = 0,
    bins: int = 10,
    categories: int = 50,
    segments: int = 0,
    has_compared_rest: bool = False,
) -> int:
    """Return the maximum number of field series of a process, as Prometheus counts them.

    numeric, categorical: the number of fields with a reference, including predictions and actuals;
    each has `bins` bins or `categories` categories. segments: the number of listed segments; all
    rows together, and the rows outside the listed segments, are added. has_compared_rest: whether
    the reference has rows outside the listed segments, so that these are compared too. Calls,
    labels, errors and our own health add about eighty series. Dynatrace counts fewer series,
    because it stores a histogram as one counter per bin.
    """
    values, outliers, moments, band, evidence = len(QUALITIES), 2, 4, 4, 4
    rows = 1
    measures = len({*MEASURES, WASSERSTEIN})
    plain = measures - len({*ORDERED, WASSERSTEIN})
    own = values + outliers + moments + len(STATUS_QUANTILES)
    of_numeric = own + (bins - 1 + _HISTOGRAM_EXTRAS) + band + rows + bins + 2 * measures + evidence
    of_categorical = values + 1 + rows + (categories + 2) + (categories + 1) + 2 * plain + evidence
    of_numeric += _count_quality_series(shares=4)
    of_categorical += _count_quality_series(shares=3)
    of_kpi = own + _HISTOGRAM_EXTRAS
    explained, new_fields = 2 * (numeric + categorical), 1  # not by segment
    compared = 1 + segments + int(segments > 0 and has_compared_rest)
    fields = compared * (numeric * of_numeric + categorical * of_categorical)
    if segments and not has_compared_rest:
        fields += numeric * (own + bins - 1 + _HISTOGRAM_EXTRAS)
        fields += categorical * (values + 1 + categories + 2)
    return fields + kpis * of_kpi + explained + new_fields


def _count_quality_series(*, shares: int) -> int:
    """Count a field's quality series: value, threshold and alert per share, and two run alerts."""
    return 3 * shares + 2


class _Share(NamedTuple):
    """The rows of a family that are sent, with a `Series` of only these rows."""

    rows: Counts
    series: Series


_Rest = _Share | Literal["all", "none"]


class Budget:
    """Limits the number of series that a process exports.

    Promise: if all series fit, all are sent. Otherwise the steps of `DETAIL` are left out one after
        another, and then whole fields, beginning with the last. A field is sent with all its
        remaining series or not at all. Series that belong to no field are always sent. The choice
        changes only when the series change.
    Price: nothing while the series stay the same.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._series: tuple[tuple[str, Series], ...] = ()
        self._shares: list[_Rest] = []
        self.sent: int = 0
        self.left_out: int = 0

    def apply(self, families: Sequence[Family]) -> list[Family]:
        """Return the families, reduced to the rows that fit the limit."""
        series = tuple((family.metric.name, family.series) for family in families)
        if series != self._series:  # compared by identity
            self._series, self._shares = series, self._choose(families)
        pairs = zip(families, self._shares, strict=True)
        return [_select(family, share) for family, share in pairs if share != "none"]

    def points(self, identity: Attributes) -> Iterator[Point]:
        """Yield the number of series that are sent, and of those that are left out."""
        for state, count in (("sent", self.sent), ("left_out", self.left_out)):
            yield Point(catalog.SERIES, (*identity, ("state", state)), float(count))

    def _choose(self, families: Sequence[Family]) -> list[_Rest]:
        prices = [_count_prices(family) for family in families]
        kept = [True] * len(families)
        total = offered = sum(int(price.sum()) for price in prices)
        for step in DETAIL:
            if total <= self._limit:
                break
            for place, family in enumerate(families):
                if family.metric in step:
                    kept[place] = False
                    total -= int(prices[place].sum())
        self.sent, self.left_out = total, offered - total
        if total <= self._limit:
            return ["all" if is_kept else "none" for is_kept in kept]
        return self._choose_fields(families, prices, kept)

    def _choose_fields(
        self, families: Sequence[Family], prices: Sequence[Counts], kept: Sequence[bool]
    ) -> list[_Rest]:
        """Select whole fields in their order, up to the first that does not fit."""
        costs: dict[Hashable, int] = {}
        for family, price, is_kept in zip(families, prices, kept, strict=True):
            if is_kept:
                for field, cost in zip(_list_fields(family.series), price.tolist(), strict=True):
                    costs[field] = costs.get(field, 0) + cost
        room = self._limit - costs.pop(None, 0)
        chosen: set[Hashable] = {None}
        for field, cost in costs.items():
            if cost > room:
                break
            chosen.add(field)
            room -= cost
        left_out = sum(cost for field, cost in costs.items() if field not in chosen)
        self.sent, self.left_out = self.sent - left_out, self.left_out + left_out
        pairs = zip(families, kept, strict=True)
        return [
            _select_share(family.series, chosen) if is_kept else "none" for family, is_kept in pairs
        ]


def _count_prices(family: Family) -> Counts:
    """Return the number of Prometheus series of each row of a family."""
    if isinstance(family.values, Histograms):
        widths = (len(bounds) + _HISTOGRAM_EXTRAS for bounds in family.values.bounds)
        return np.fromiter(widths, np.int64, len(family.series))
    return np.ones(len(family.series), np.int64)


def _list_fields(series: Series) -> Sequence[Hashable]:
    """Return a key of field and segment for each row; None if the row belongs to no field."""
    fields: Sequence[Hashable] | None = series.cache.get("fields")
    if fields is None:
        fields = series.cache["fields"] = [
            _find_field(attributes) for attributes in series.attributes
        ]
    return fields


def _find_field(attributes: Iterable[tuple[str, str]]) -> Hashable:
    labels = tuple(pair for pair in attributes if pair[0] in _OF_FIELD)
    return labels if any(key == "field" for key, _ in labels) else None


def _select_share(series: Series, chosen: set[Hashable]) -> _Rest:
    rows: Mask = np.fromiter((field in chosen for field in _list_fields(series)), np.bool_)
    if rows.all():
        return "all"
    places = np.flatnonzero(rows)
    if not places.size:
        return "none"
    return _Share(places, Series(series.attributes[row] for row in places.tolist()))


def _select(family: Family, share: _Rest) -> Family:
    if not isinstance(share, _Share):
        return family
    values, rows = family.values, share.rows
    places = {row: place for place, row in enumerate(rows.tolist())} if family.exemplars else {}
    exemplars = tuple(
        (places[row], exemplar) for row, exemplar in family.exemplars if row in places
    )
    if not isinstance(values, Histograms):
        return Family(family.metric, share.series, values[rows], exemplars)
    bounds = tuple(values.bounds[row] for row in rows.tolist())
    columns = (values.counts[rows], values.sum[rows], values.min[rows], values.max[rows])
    return Family(family.metric, share.series, Histograms(bounds, *columns), exemplars)
