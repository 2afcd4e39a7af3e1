"""Attributions: the contribution of each feature to predictions, now and at training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.capture.host.attribution_entries import AttributionEntry
from mlmonitor.capture.read.attribution_rows import read_attributions
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.errors import SchemaError
from mlmonitor.records import Block, Field, Floats, Kind, Role
from mlmonitor.reference.reference import Reference


@dataclass(frozen=True, slots=True, eq=False)
class AttributionsSnapshot:
    """Attributions over the window.

    mean_absolute: by feature, the largest first. reference: the same at training, or else the
    reference's importances; empty if neither exists. ndcg: how well the ranking now agrees with
    that of the reference, 1 if they are equal; None if there is no reference ranking.
    """

    population: PopulationSnapshot
    mean_absolute: Mapping[str, float]
    reference: Mapping[str, float]
    ndcg: float | None


class Attributions:
    """The distribution and the mean absolute value of each feature's attributions.

    The features are those with attributions in the reference, or else those of the first row. Other
    features are refused. Price: two numeric fields for each feature.
    """

    def __init__(self, options: ComparisonOptions, reference: Reference | None) -> None:
        self.population: Population | None = None
        self._sizes: Population | None = None
        self._options, self._reference = options, reference
        entries = () if reference is None else reference.entries([Role.ATTRIBUTION])
        self._has_entries = bool(entries)

    def ingest(self, entries: Sequence[AttributionEntry], *, now: float) -> None:
        """Add the attributions of some rows.

        Raises:
            SchemaError: some could not be read, or belong to unknown features; all others were
                added.
        """
        fault: SchemaError | None = None
        for rows, given in _join_rows(entries):
            try:
                self._add(read_attributions(given, rows, ()), rows, now=now)
            except SchemaError as error:
                fault = fault or error
        if fault is not None:
            raise fault

    def _add(self, columns: Mapping[str, Floats], rows: int, *, now: float) -> None:
        if self.population is None or self._sizes is None:
            self._begin(list(columns), now=now)
        assert self.population is not None  # noqa: S101 - just begun
        assert self._sizes is not None  # noqa: S101 - as above
        names = [field.name for field in self.population.plan.schema.fields]
        nothing = np.full(rows, np.nan)
        numbers = np.stack([columns.get(name, nothing) for name in names])
        is_missing = np.isnan(numbers).sum(axis=1)
        is_nonfinite = np.isinf(numbers).sum(axis=1)
        refused = np.stack([is_missing, is_nonfinite, 0 * is_missing], axis=1)
        numbers[~np.isfinite(numbers)] = np.nan
        self.population.update(Block(rows, numbers, refused, []), now=now)
        self._sizes.update(Block(rows, np.abs(numbers), refused, []), now=now)
        unknown = [name for name in columns if name not in set(names)]
        if unknown:
            raise SchemaError(f"attributions: there is no feature {unknown[0]!r}")

    def _begin(self, names: Sequence[str], *, now: float) -> None:
        fields = [Field(name, Role.ATTRIBUTION, Kind.NUMERIC) for name in names]
        if self._has_entries and self._reference is not None:
            entries = self._reference.entries([Role.ATTRIBUTION])
            fields = [Field(entry.name, Role.ATTRIBUTION, Kind.NUMERIC) for entry in entries]
            plan = self._reference.plan([Role.ATTRIBUTION], deviations=self._options.deviations)
            self.population = Population(plan, entries, self._options, now=now)
        else:
            plan = Plan.build(fields, {}, {})
            self.population = Population(plan, [], self._options, now=now)
        self._sizes = Population(Plan.build(fields, {}, {}), [], self._options, now=now)

    def snapshot(
        self, population: PopulationSnapshot, *, now: float
    ) -> AttributionsSnapshot | None:
        """Rank the features over the window; None before the first row."""
        if self._sizes is None:
            return None
        self._sizes.window.advance(now)
        moments = self._sizes.window.view().profile.moments
        names = [field.name for field in self._sizes.plan.schema.fields]
        means = dict(zip(names, moments.mean.tolist(), strict=True))
        has_values = dict(zip(names, (moments.count > 0).tolist(), strict=True))
        ranked = sorted((n for n in names if has_values[n]), key=lambda n: -means[n])
        trained = self._read_trained()
        return AttributionsSnapshot(
            population=population,
            mean_absolute=MappingProxyType({name: means[name] for name in ranked}),
            reference=MappingProxyType(trained),
            ndcg=compute_ndcg(ranked, trained) if ranked and trained else None,
        )

    def _read_trained(self) -> dict[str, float]:
        if self._reference is None:
            return {}
        content = self._reference.content
        return dict(content.attributions or content.importances)

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes of the absolute values; `population` is counted elsewhere."""
        return 0 if self._sizes is None else self._sizes.memory_bytes


def _join_rows(entries: Sequence[AttributionEntry]) -> Iterator[tuple[int, Any]]:
    """Yield batches unchanged and neighbouring single rows joined, each with its number of rows."""
    for is_single, group in groupby(entries, key=lambda entry: entry.rows == 1):
        if is_single:
            rows = [entry.by_feature for entry in group]
            yield len(rows), rows
        else:
            yield from group


def compute_ndcg(ranked: Sequence[str], gains: Mapping[str, float]) -> float:
    """Return the normalised discounted cumulative gain of a ranking.

    gains: the relevance of each feature, by its absolute value; a feature without a gain counts 0.
    Source: Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    sizes = [abs(gains.get(name, 0.0)) for name in ranked]
    best = sorted((abs(gain) for gain in gains.values()), reverse=True)
    ideal = _discount_gains(best)
    return _discount_gains(sizes) / ideal if ideal > 0 else 1.0


def _discount_gains(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(place + 2) for place, gain in enumerate(gains)))
