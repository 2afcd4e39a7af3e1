"""The attributes of a population's series, and what of the reference never changes."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mlmonitor import catalog
from mlmonitor.compare.population import STATUS_QUANTILES, Compared
from mlmonitor.export.base import Attributes, Family, Mask, Series
from mlmonitor.export.series.bin_labels import bin_attributes
from mlmonitor.formats.reference import CategoricalReference, CountedEntry, NumericReference
from mlmonitor.records import QUALITIES, Role


class FieldSeries:
    """Series of one population under one identity, made once: a snapshot adds the numbers.

    Price: about 150 bytes a series, and once they are sent over OTLP 160 more.
    """

    def __init__(self, compared: Compared, identity: Attributes, *, deviations: float) -> None:
        schema, plan = compared.plan.schema, compared.plan
        self.entries: Sequence[CountedEntry] = compared.entries
        known = [
            (*identity, ("field", field.name), ("role", field.role.value))
            for field in schema.fields
        ]
        numeric, categorical = known[: len(schema.numeric)], known[len(schema.numeric) :]
        qualities = [quality.value for quality in QUALITIES]
        self.fields: Series = Series(known)
        self.numeric: Series = Series(numeric)
        self.categorical: Series = Series(categorical)
        self.qualities: Series = Series(_each(known, "quality", qualities))
        self.sides: Series = Series(_each(numeric, "side", ("low", "high")))
        self.quantiles: Series = Series(_each(numeric, "quantile", map(str, STATUS_QUANTILES)))
        self.measures: Series = Series(
            (*attributes, ("measure", measure))
            for measure in compared.scores
            for attributes in known
        )
        books = zip(categorical, plan.dictionaries, strict=True)
        self.bins: Series = Series(
            found for attributes, book in books for found in _each([attributes], "bin", book.names)
        )
        widths = np.array([[len(book.names)] for book in plan.dictionaries], np.int64)
        self.are_bins: Mask = np.arange(plan.widest_dictionary) < widths.reshape(-1, 1)
        self.bounds: tuple[tuple[float, ...], ...] = tuple(
            tuple(each.edges.tolist()) for each in plan.numeric
        )
        self.reference: tuple[Family, ...] = tuple(_reference(compared, known, deviations))


def _each(known: Iterable[Attributes], name: str, values: Iterable[str]) -> Iterator[Attributes]:
    """Every one of the attributes with every value, the values of one beside each other."""
    told = tuple(values)
    return ((*attributes, (name, value)) for attributes in known for value in told)


def _reference(
    compared: Compared, known: Sequence[Attributes], deviations: float
) -> Iterator[Family]:
    """The reference's gauges, which stay as they are."""
    entries = {(Role(entry.role), entry.name): entry for entry in compared.entries}
    fields = compared.plan.schema.fields
    pairs = [
        (attributes, entry, at)
        for at, (field, attributes) in enumerate(zip(fields, known, strict=True))
        if (entry := entries.get((field.role, field.name))) is not None
    ]
    told = [
        (attributes, entry.mean, entry.stddev)
        for attributes, entry, _ in pairs
        if isinstance(entry, NumericReference)
        and entry.mean is not None
        and entry.stddev is not None
    ]
    series = Series(attributes for attributes, _, _ in told)
    mean, stddev = (np.array([row[at] for row in told], np.float64) for at in (1, 2))
    with np.errstate(over="ignore"):
        yield Family(catalog.REFERENCE_MEAN, series, mean)
        yield Family(catalog.REFERENCE_STDDEV, series, stddev)
        yield Family(catalog.REFERENCE_LOWER, series, mean - deviations * stddev)
        yield Family(catalog.REFERENCE_UPPER, series, mean + deviations * stddev)
    counted = Series(attributes for attributes, _, _ in pairs)
    rows = np.array([sum(_expected(entry)) for _, entry, _ in pairs], np.float64)
    yield Family(catalog.REFERENCE_VALUES, counted, rows)
    shares = [
        ((*attributes, *labels), share)
        for attributes, entry, at in pairs
        for labels, share in _shares(compared, entry, at)
    ]
    bins = Series(attributes for attributes, _ in shares)
    yield Family(catalog.REFERENCE_BIN, bins, np.array([share for _, share in shares], np.float64))


def _shares(compared: Compared, entry: CountedEntry, at: int) -> Iterator[tuple[Attributes, float]]:
    """The share of the reference in each bin of a field, by what the bin is called."""
    expected = _expected(entry)
    whole = max(sum(expected), 1)
    if isinstance(entry, NumericReference):
        named = bin_attributes(entry.edges) if entry.mean is not None else []
        for labels, count in zip(named, entry.counts, strict=False):
            yield labels, count / whole
        return
    names = compared.plan.dictionaries[at - len(compared.plan.schema.numeric)].names
    for name, count in zip(names, expected, strict=False):
        yield (("bin", name),), count / whole


def _expected(entry: CountedEntry) -> Sequence[int]:
    """The counts that a window is compared with, missing values aside."""
    if isinstance(entry, CategoricalReference) and entry.held_out:
        return entry.held_out[:-1]
    return entry.counts
