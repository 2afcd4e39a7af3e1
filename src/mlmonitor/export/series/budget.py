"""How many series a process may export, and what is left out first where there are more."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor import catalog
from mlmonitor.catalog import IDENTITY, Metric
from mlmonitor.compare.population import STATUS_QUANTILES
from mlmonitor.export.base import Attributes, Family, Histograms, Mask, Point, Series
from mlmonitor.records import QUALITIES, Counts
from mlmonitor.stats.distance import MEASURES, ORDERED, WASSERSTEIN

DETAIL: tuple[tuple[Metric, ...], ...] = (
    (catalog.QUANTILE,),
    (catalog.REFERENCE_BIN,),
    (catalog.DRIFT_THRESHOLD, catalog.QUALITY_THRESHOLD, catalog.DRIFT_CONTRIBUTION_THRESHOLD),
    (catalog.OUTLIERS,),
    (catalog.MIN, catalog.MAX, catalog.DISTINCT),
    (catalog.REFERENCE_MEAN, catalog.REFERENCE_STDDEV),
)
"""What is left out first, a step at a time, for all fields alike. After that whole fields go."""

_OF_FIELD = (*IDENTITY, "segment", "field", "role")
_HISTOGRAM_EXTRAS = 3  # besides its bounds: the bucket to infinity, the sum and the count


def series_count(
    *,
    numeric: int = 0,
    categorical: int = 0,
    kpis: int = 0,
    bins: int = 10,
    categories: int = 50,
    segments: int = 1,
) -> int:
    """How many series of fields a process exports at most, as Prometheus counts them.

    numeric, categorical: fields with a reference, predictions and actuals included; `bins` and
    `categories` are what each has. segments: populations, the whole one included. On top come about
    seventy of calls, labels, errors and our own health. Dynatrace counts fewer: a histogram is a
    counter a bin there.
    """
    values, outliers, moments, band, evidence = len(QUALITIES), 2, 4, 4, 2
    rows = 1
    measures = len({*MEASURES, WASSERSTEIN})
    plain = measures - len({*ORDERED, WASSERSTEIN})
    own = values + outliers + moments + len(STATUS_QUANTILES)
    of_numeric = own + (bins - 1 + _HISTOGRAM_EXTRAS) + band + rows + bins + 2 * measures + evidence
    of_categorical = values + 1 + rows + (categories + 2) + (categories + 1) + 2 * plain + evidence
    of_numeric += _quality(shares=4)
    of_categorical += _quality(shares=3)
    of_kpi = own + _HISTOGRAM_EXTRAS
    explained, new_fields = 2 * (numeric + categorical), 1  # of the whole alone
    fields = segments * (numeric * of_numeric + categorical * of_categorical)
    return fields + kpis * of_kpi + explained + new_fields


def _quality(*, shares: int) -> int:
    """Series of a field's quality: a share, its limit and its alert; and the alerts of runs."""
    return 3 * shares + 2


class _Share(NamedTuple):
    """What is left of a family: some of its rows, as series of their own."""

    rows: Counts
    series: Series


_Rest = _Share | Literal["all", "none"]


class Budget:
    """Holds a process to a number of series, for as long as it runs.

    Promise: where everything fits, everything is sent. Else the steps of `DETAIL` are left out, one
        after another, and then whole fields, the last ones first: a field is there with all that
        was kept, or not at all, and stays so while the series stay the same. What is of no field is
        always sent. Price: nothing while the series stay the same.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: tuple[tuple[str, Series], ...] = ()
        self._shares: list[_Rest] = []
        self.sent: int = 0
        self.left_out: int = 0

    def apply(self, families: Sequence[Family]) -> list[Family]:
        """The families, or what is left of them."""
        known = tuple((family.metric.name, family.series) for family in families)
        if known != self._known:  # series are compared by identity
            self._known, self._shares = known, self._shared(families)
        pairs = zip(families, self._shares, strict=True)
        return [_taken(family, share) for family, share in pairs if share != "none"]

    def points(self, identity: Attributes) -> Iterator[Point]:
        """How many series are sent, and how many are left out."""
        for state, count in (("sent", self.sent), ("left_out", self.left_out)):
            yield Point(catalog.SERIES, (*identity, ("state", state)), float(count))

    def _shared(self, families: Sequence[Family]) -> list[_Rest]:
        prices = [_prices(family) for family in families]
        kept = [True] * len(families)
        total = whole = sum(int(price.sum()) for price in prices)
        for step in DETAIL:
            if total <= self._limit:
                break
            for at, family in enumerate(families):
                if family.metric in step:
                    kept[at] = False
                    total -= int(prices[at].sum())
        self.sent, self.left_out = total, whole - total
        if total <= self._limit:
            return ["all" if is_kept else "none" for is_kept in kept]
        return self._fields(families, prices, kept)

    def _fields(
        self, families: Sequence[Family], prices: Sequence[Counts], kept: Sequence[bool]
    ) -> list[_Rest]:
        """As many whole fields as there is room for, in their order."""
        costs: dict[Hashable, int] = {}
        for family, price, is_kept in zip(families, prices, kept, strict=True):
            if is_kept:
                for field, cost in zip(_fields_of(family.series), price.tolist(), strict=True):
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
        return [_share(family.series, chosen) if is_kept else "none" for family, is_kept in pairs]


def _prices(family: Family) -> Counts:
    """Series that each row of a family is in Prometheus."""
    if isinstance(family.values, Histograms):
        widths = (len(bounds) + _HISTOGRAM_EXTRAS for bounds in family.values.bounds)
        return np.fromiter(widths, np.int64, len(family.series))
    return np.ones(len(family.series), np.int64)


def _fields_of(series: Series) -> Sequence[Hashable]:
    """Which field of which segment each row is of; None for what is of none."""
    known: Sequence[Hashable] | None = series.cache.get("fields")
    if known is None:
        known = series.cache["fields"] = [_field_of(each) for each in series.attributes]
    return known


def _field_of(attributes: Iterable[tuple[str, str]]) -> Hashable:
    told = tuple(pair for pair in attributes if pair[0] in _OF_FIELD)
    return told if any(key == "field" for key, _ in told) else None


def _share(series: Series, chosen: set[Hashable]) -> _Rest:
    rows: Mask = np.fromiter((field in chosen for field in _fields_of(series)), np.bool_)
    if rows.all():
        return "all"
    places = np.flatnonzero(rows)
    if not places.size:
        return "none"
    return _Share(places, Series(series.attributes[at] for at in places.tolist()))


def _taken(family: Family, share: _Rest) -> Family:
    if not isinstance(share, _Share):
        return family
    values, rows = family.values, share.rows
    places = {row: at for at, row in enumerate(rows.tolist())} if family.exemplars else {}
    exemplars = tuple((places[at], each) for at, each in family.exemplars if at in places)
    if not isinstance(values, Histograms):
        return Family(family.metric, share.series, values[rows], exemplars)
    bounds = tuple(values.bounds[at] for at in rows.tolist())
    known = (values.counts[rows], values.sum[rows], values.min[rows], values.max[rows])
    return Family(family.metric, share.series, Histograms(bounds, *known), exemplars)
