"""Populations as families of the catalogue: whole columns, and attributes made once."""

from collections.abc import Iterator, Mapping

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.population import Compared
from mlmonitor.export.base import Attributes, Family, Histograms
from mlmonitor.export.series.field_series import FieldSeries
from mlmonitor.export.series.grouping import Book
from mlmonitor.records import Floats
from mlmonitor.status.field_status import distinct_categories


def population_families(
    compared: Compared, identity: Attributes, book: Book, *, deviations: float
) -> Iterator[Family]:
    """Everything about each field of a population; `book` keeps the attributes."""
    titles = _titles(compared, identity, book, deviations)
    total, schema = compared.total, compared.plan.schema
    yield Family(catalog.VALUES, titles.qualities, total.quality.ravel())
    if schema.numeric:
        yield from _numeric(compared, titles)
    if schema.categorical:
        yield Family(catalog.BIN, titles.bins, total.categories[titles.are_bins])
        yield Family(catalog.DISTINCT, titles.categorical, _distinct(compared))
    yield from (family for family in titles.reference if len(family.series))
    if compared.scores:
        yield Family(catalog.DRIFT_SCORE, titles.measures, _stacked(compared.scores, compared))
        yield Family(
            catalog.DRIFT_THRESHOLD, titles.measures, _stacked(compared.critical, compared)
        )
        yield Family(catalog.DRIFT_EVIDENCE, titles.fields, compared.log10_e_value)
        yield Family(catalog.DRIFT_ALERT, titles.fields, np.array(compared.is_firing, np.float64))


def _titles(compared: Compared, identity: Attributes, book: Book, deviations: float) -> FieldSeries:
    key = (compared.plan, identity)
    known = book.find(key)
    if known is None or known.entries is not compared.entries:
        known = book.keep(key, FieldSeries(compared, identity, deviations=deviations))
    assert isinstance(known, FieldSeries)  # noqa: S101 - what is kept by such keys
    return known


def _numeric(compared: Compared, titles: FieldSeries) -> Iterator[Family]:
    total, recent = compared.total, compared.view.profile.moments
    smallest = np.where(total.moments.count > 0, total.moments.min, np.nan)
    largest = np.where(total.moments.count > 0, total.moments.max, np.nan)
    # A sum that could fall would be taken for a restart: it is told while no value was negative.
    sums = np.where(smallest < 0, np.nan, total.sums)
    found = Histograms(titles.bounds, total.bins, sums, smallest, largest)
    traced = compared.exemplars
    bins, sides = ((), ()) if traced is None else (traced.bins, traced.sides)
    yield Family(catalog.DISTRIBUTION, titles.numeric, found, bins)
    yield Family(catalog.OUTLIERS, titles.sides, total.outliers.ravel(), sides)
    is_known = recent.count > 0
    for metric, values in (
        (catalog.MEAN, recent.mean),
        (catalog.STDDEV, recent.stddev),
        (catalog.MIN, recent.min),
        (catalog.MAX, recent.max),
    ):
        yield Family(metric, titles.numeric, np.where(is_known, values, np.nan))
    quantiles = np.where(is_known[:, None], compared.quantiles, np.nan)
    yield Family(catalog.QUANTILE, titles.quantiles, quantiles.ravel())


def _distinct(compared: Compared) -> Floats:
    places = range(len(compared.plan.schema.categorical))
    found = (distinct_categories(compared, place) for place in places)
    return np.array([np.nan if each is None else each for each in found], np.float64)


def _stacked(scores: Mapping[str, Floats], compared: Compared) -> Floats:
    return np.concatenate([scores[measure] for measure in compared.scores])
