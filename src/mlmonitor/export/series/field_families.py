"""Families about the fields of a population: their values, moments, drift and alerts."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.export.base import Attributes, Family, Histograms
from mlmonitor.export.series.field_series import FieldSeries
from mlmonitor.export.series.grouping import SnapshotCache
from mlmonitor.records import Floats


def population_families(
    population: PopulationSnapshot, identity: Attributes, cache: SnapshotCache, *, deviations: float
) -> Iterator[Family]:
    """Yield all families about the fields of a population; `cache` stores their attributes."""
    series = _find_field_series(population, identity, cache, deviations)
    total, schema = population.total, population.plan.schema
    yield Family(catalog.VALUES, series.qualities, total.quality.ravel())
    if schema.numeric:
        yield from _describe_numeric(population, series)
    if schema.categorical:
        yield Family(catalog.BIN, series.bins, total.categories[series.are_bins])
        yield Family(catalog.DISTINCT, series.categorical, _count_distinct(population))
    yield from (family for family in series.reference if len(family.series))
    if population.scores:
        scores, thresholds = population.scores, population.thresholds
        yield Family(catalog.DRIFT_SCORE, series.measures, _concatenate(scores, scores))
        yield Family(catalog.DRIFT_THRESHOLD, series.measures, _concatenate(thresholds, scores))
        yield Family(catalog.DRIFT_EVIDENCE, series.fields, population.log10_e_value)
        yield Family(catalog.EFFECTIVE_ROWS, series.fields, population.effective_rows)
        yield Family(catalog.DESIGN_EFFECT, series.fields, population.design_effects)
        yield Family(catalog.DRIFT_ALERT, series.fields, population.is_firing.astype(np.float64))


def _find_field_series(
    population: PopulationSnapshot, identity: Attributes, cache: SnapshotCache, deviations: float
) -> FieldSeries:
    key = (population.plan, identity)
    series = cache.find(key)
    if series is None or series.entries is not population.entries:
        series = cache.keep(key, FieldSeries(population, identity, deviations=deviations))
    assert isinstance(series, FieldSeries)  # noqa: S101 - such keys hold only these
    return series


def _describe_numeric(population: PopulationSnapshot, series: FieldSeries) -> Iterator[Family]:
    total, recent = population.total, population.view.profile.moments
    has_any = total.moments.count > 0
    # Extremes, quantiles and exemplars of an id-like field are ids.
    is_shown = ~population.is_id_like
    smallest = np.where(has_any & is_shown, total.moments.min, np.nan)
    largest = np.where(has_any & is_shown, total.moments.max, np.nan)
    # A sum that falls looks like a restart, so it is sent only while no value was negative.
    sums = np.where(has_any & (total.moments.min < 0), np.nan, total.sums)
    histograms = Histograms(series.bounds, total.bins, sums, smallest, largest)
    traced = population.exemplars
    bins, sides = ((), ()) if traced is None else (traced.bins, traced.sides)
    bins = tuple(pair for pair in bins if is_shown[pair[0]])
    sides = tuple(pair for pair in sides if is_shown[pair[0] // 2])
    yield Family(catalog.DISTRIBUTION, series.numeric, histograms, bins)
    yield Family(catalog.OUTLIERS, series.sides, total.outliers.ravel(), sides)
    has_values = recent.count > 0
    for metric, values in (
        (catalog.MEAN, recent.mean),
        (catalog.STDDEV, recent.stddev),
        (catalog.MIN, np.where(is_shown, recent.min, np.nan)),
        (catalog.MAX, np.where(is_shown, recent.max, np.nan)),
    ):
        yield Family(metric, series.numeric, np.where(has_values, values, np.nan))
    quantiles = np.where((has_values & is_shown)[:, None], population.quantiles, np.nan)
    yield Family(catalog.QUANTILE, series.quantiles, quantiles.ravel())


def _count_distinct(population: PopulationSnapshot) -> Floats:
    positions = range(len(population.plan.schema.categorical))
    counts = (population.count_categories(position) for position in positions)
    return np.array([np.nan if count is None else count for count in counts], np.float64)


def _concatenate(columns: Mapping[str, Floats], measures: Iterable[str]) -> Floats:
    return np.concatenate([columns[measure] for measure in measures])
