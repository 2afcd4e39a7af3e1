"""The attributes of a population's series, and the constant series of its reference."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.population_snapshot import STATUS_QUANTILES, PopulationSnapshot
from mlmonitor.export.base import Attributes, Family, Mask, Series
from mlmonitor.export.series.bin_labels import bin_attributes
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Role


class FieldSeries:
    """The series of one population under one identity; made once and used by all its snapshots.

    Price: about 150 bytes a series, and 160 more once it is sent over OTLP.
    """

    def __init__(
        self, population: PopulationSnapshot, identity: Attributes, *, deviations: float
    ) -> None:
        schema, plan = population.plan.schema, population.plan
        self.entries: Sequence[CountedEntry] = population.entries
        by_field = [
            (*identity, ("field", field.name), ("role", field.role.value))
            for field in schema.fields
        ]
        numeric, categorical = by_field[: len(schema.numeric)], by_field[len(schema.numeric) :]
        qualities = [quality.value for quality in QUALITIES]
        self.fields: Series = Series(by_field)
        self.numeric: Series = Series(numeric)
        self.categorical: Series = Series(categorical)
        self.qualities: Series = Series(_combine_labels(by_field, "quality", qualities))
        self.sides: Series = Series(_combine_labels(numeric, "side", ("low", "high")))
        self.quantiles: Series = Series(
            _combine_labels(numeric, "quantile", map(str, STATUS_QUANTILES))
        )
        self.measures: Series = Series(
            (*attributes, ("measure", measure))
            for measure in population.scores
            for attributes in by_field
        )
        pairs = zip(categorical, plan.dictionaries, strict=True)
        self.bins: Series = Series(
            labelled
            for attributes, dictionary in pairs
            for labelled in _combine_labels([attributes], "bin", dictionary.names)
        )
        widths = np.array([[len(dictionary.names)] for dictionary in plan.dictionaries], np.int64)
        self.are_bins: Mask = np.arange(plan.widest_dictionary) < widths.reshape(-1, 1)
        self.bounds: tuple[tuple[float, ...], ...] = tuple(
            tuple(dictionary.edges.tolist()) for dictionary in plan.numeric
        )
        self.reference: tuple[Family, ...] = tuple(
            _describe_reference(population, by_field, deviations)
        )


def _combine_labels(
    series: Iterable[Attributes], name: str, values: Iterable[str]
) -> Iterator[Attributes]:
    """Combine each series with each value of a label; the label varies fastest."""
    labels = tuple((name, value) for value in values)
    return ((*attributes, label) for attributes in series for label in labels)


def _describe_reference(
    population: PopulationSnapshot, by_field: Sequence[Attributes], deviations: float
) -> Iterator[Family]:
    """Yield the gauges that describe the reference, which never change."""
    entries = {(Role(entry.role), entry.name): entry for entry in population.entries}
    fields = population.plan.schema.fields
    pairs = [
        (attributes, entry, place)
        for place, (field, attributes) in enumerate(zip(fields, by_field, strict=True))
        if (entry := entries.get((field.role, field.name))) is not None
    ]
    moments = [
        (attributes, entry.mean, entry.stddev)
        for attributes, entry, _ in pairs
        if isinstance(entry, NumericReference)
        and entry.mean is not None
        and entry.stddev is not None
    ]
    series = Series(attributes for attributes, _, _ in moments)
    mean, stddev = (np.array([row[i] for row in moments], np.float64) for i in (1, 2))
    with np.errstate(over="ignore"):
        yield Family(catalog.REFERENCE_MEAN, series, mean)
        yield Family(catalog.REFERENCE_STDDEV, series, stddev)
        yield Family(catalog.REFERENCE_LOWER, series, mean - deviations * stddev)
        yield Family(catalog.REFERENCE_UPPER, series, mean + deviations * stddev)
    counted = Series(attributes for attributes, _, _ in pairs)
    rows = np.array([sum(entry.expected[:-1]) for _, entry, _ in pairs], np.float64)
    yield Family(catalog.REFERENCE_VALUES, counted, rows)
    shares = [
        ((*attributes, *labels), share)
        for attributes, entry, place in pairs
        for labels, share in _list_shares(population, entry, place)
    ]
    bins = Series(attributes for attributes, _ in shares)
    yield Family(catalog.REFERENCE_BIN, bins, np.array([share for _, share in shares], np.float64))


def _list_shares(
    population: PopulationSnapshot, entry: CountedEntry, place: int
) -> Iterator[tuple[Attributes, float]]:
    """Yield the labels of each bin of a field, with the reference's share of values in it."""
    *expected, _ = entry.expected
    total = max(sum(expected), 1)
    if isinstance(entry, NumericReference):
        labels = bin_attributes(entry.edges) if entry.mean is not None else []
        for attributes, count in zip(labels, expected, strict=False):
            yield attributes, count / total
        return
    names = population.plan.dictionaries[place - len(population.plan.schema.numeric)].names
    # Only a held-out half of the training rows has a count of new categories.
    counted = expected if entry.held_out else expected[:-1]
    for name, count in zip(names, counted, strict=False):
        yield (("bin", name),), count / total
