"""Business figures (KPIs): reported alongside predictions, or computed from their rows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.derived.kpi_values import RowColumns, compute_kpi
from mlmonitor.errors import CallbackError
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import Block, Field, Kind, Kpi, Role
from mlmonitor.reference.plans import numeric_plan
from mlmonitor.reference.reference import Reference


class FigureSum(NamedTuple):
    """The sum of a figure over the rows of one block that have it, and the number of these rows."""

    name: str
    value: float
    rows: int
    unit: str


class Kpis:
    """Sums, counts, moments and quantiles of each figure, for at most `NAMES` names.

    Memory is bounded: further figures are counted under `OTHER`, and a name of more than 200
    characters is truncated and gets a hash. A figure that the reference has is compared with it,
    like any field.
    """

    NAMES = 100
    OTHER = OTHER

    def __init__(
        self,
        options: ComparisonOptions,
        reference: Reference | None = None,
        declared: Sequence[Kpi] = (),
    ) -> None:
        self.populations: dict[str, Population] = {}
        self.units: dict[str, str] = {
            category_name(kpi.name) or OTHER: kpi.unit for kpi in declared if kpi.unit
        }
        self.failures: dict[str, int] = {}
        """By figure, the number of blocks of rows for which it could not be computed."""
        self._declared = tuple(declared)
        self._options = replace(options, hitters=1)
        self._entries: dict[str, CountedEntry] = {}
        self._reference = reference
        self._sums: list[FigureSum] | None = None
        if reference is not None:
            self._entries = {entry.name: entry for entry in reference.entries([Role.KPI])}

    def keep_sums(self) -> None:
        """Keep the sums of computed figures from now on, until `drain_sums` removes them."""
        self._sums = [] if self._sums is None else self._sums

    def drain_sums(self) -> list[FigureSum]:
        """Remove and return the sums of figures that were computed since the last call."""
        if not self._sums:
            return []
        sums, self._sums = self._sums, []
        return sums

    def ingest(self, figures: Iterable[tuple[str, object]], *, now: float) -> None:
        """Add figures as pairs `(name, value)`."""
        values: dict[str, list[object]] = {}
        for name, value in figures:
            values.setdefault(name, []).append(value)
        for name, column in values.items():
            self._add(name, column, now=now)

    def compute(self, rows: Rows, *, now: float) -> CallbackError | None:
        """Compute the declared figures of some rows; rows of failed calls are left out.

        Returns the error of the first figure that could not be computed; None if all could.
        """
        if not self._declared or not rows.count:
            return None
        columns = RowColumns(
            rows.predictions, rows.features.column, lambda: iter(rows.features.names()), rows.count
        )
        failed = np.array(rows.failed, np.bool_) if rows.failed else None
        fault: CallbackError | None = None
        for kpi in self._declared:
            try:
                values = compute_kpi(kpi, columns, rows.count)
            except CallbackError as error:
                self._count_failure(kpi.name, now)
                fault = fault or error
                continue
            own = values if failed is None else values[~failed]
            self._add(kpi.name, own, now=now)
            if self._sums is not None:
                numbers = parse_floats(own)[0]
                count = int(np.count_nonzero(~np.isnan(numbers)))
                self._sums.append(FigureSum(kpi.name, float(np.nansum(numbers)), count, kpi.unit))
        return fault

    def _count_failure(self, name: str, now: float) -> None:
        """Count a failed block; its figure is shown even if it never has a value."""
        self._find_population(name, now)
        short = category_name(name) or self.OTHER
        self.failures[short] = self.failures.get(short, 0) + 1

    def _add(self, name: str, column: Values, *, now: float) -> None:
        if not len(column):
            return
        numbers, refused = parse_floats(column)
        block = Block(len(column), numbers[None, :], np.array(refused)[None, :], [])
        self._find_population(name, now).update(block, now=now)

    def _find_population(self, name: str, now: float) -> Population:
        """Return the population of a figure; create it if the figure is new."""
        short = category_name(name) or self.OTHER
        if short not in self.populations and len(self.populations) >= self.NAMES:
            short = self.OTHER
        if short not in self.populations:
            self.populations[short] = self._begin(short, now)
        return self.populations[short]

    def _begin(self, name: str, now: float) -> Population:
        field, entry = Field(name, Role.KPI, Kind.NUMERIC), self._entries.get(name)
        if not isinstance(entry, NumericReference) or self._reference is None:
            plan = Plan.build([field], {}, {})
            return Population(plan, [], self._options, now=now)
        plans = {field: numeric_plan(entry, self._options.deviations)}
        plan = Plan.build([field], plans, {}, season=self._reference.season)
        return Population(plan, [entry], self._options, now=now)
