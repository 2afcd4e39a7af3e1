"""Actuals as a monitored field, as a whole and by segment, and errors by prediction bin."""

from collections.abc import Callable

import numpy as np

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.segments import Codes
from mlmonitor.capture.outputs import ACTUAL, PREDICTION
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import (
    SegmentPopulations,
    ordered_segment_names,
    share_alpha,
    split_block,
)
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import Block, Field, Floats, Kind, Role
from mlmonitor.reference.reference import Reference


class ActualPopulation:
    """The population of actuals, and the sums of errors of each prediction bin.

    population, split: None until the kind of the actuals is known. edges: the boundaries of the
    prediction bins.
    """

    def __init__(
        self, reference: Reference | None, lens: ComparisonOptions, *, has_segments: bool
    ) -> None:
        self.population: Population | None = None
        self.split: SegmentPopulations | None = None
        self.edges: Floats = _read_prediction_edges(reference)
        self.segment_names: tuple[str, ...] = ()
        self._reference, self._has_segments = reference, has_segments
        self._lens = lens
        if reference is not None:
            self._lens = share_alpha(lens, reference, has_segments=has_segments)
            if has_segments:
                self.segment_names = tuple(ordered_segment_names(reference))
        self.errors: ErrorSums
        self.segment_errors: list[ErrorSums]
        self.errors, self.segment_errors = self._start_sums()

    def _start_sums(self) -> tuple[ErrorSums, list[ErrorSums]]:
        return ErrorSums(self.edges), [ErrorSums(self.edges) for _ in self.segment_names]

    def begin(self, infer_kind: Callable[[], Kind], *, now: float) -> Population:
        """Build the population from the reference, or else for the inferred kind of actuals.

        All sums start at zero. A second call is made only if the actuals turn out to be of another
        kind.
        """
        entries = list_entries(self._reference, Role.ACTUAL)
        if entries and self._reference is not None:
            plan = self._reference.plan([Role.ACTUAL], deviations=self._lens.deviations)
        else:
            plan = Plan.build([Field(ACTUAL, Role.ACTUAL, infer_kind())], {}, {})
        if self._has_segments and self._reference is not None:
            self.split = SegmentPopulations(
                self._reference, [Role.ACTUAL], plan, self._lens, now=now
            )
        self.errors, self.segment_errors = self._start_sums()
        self.population = Population(plan, entries, self._lens, now=now)
        return self.population

    def update(self, block: Block, segments: Codes, *, now: float) -> None:
        """Ingest actuals as a whole and by segment; a negative code is an unknown segment."""
        if self.population is not None:
            self.population.update(block, now=now)
        if self.split is not None:
            for code, part in split_block(block, segments):
                if code >= 0:
                    self.split.populations[code].update(part, now=now)

    def add_errors(self, predicted: Floats, actuals: Floats, segments: Codes) -> None:
        """Add the errors of numeric predictions."""
        self.errors.update(predicted, actuals)
        for code, sums in enumerate(self.segment_errors):
            own = segments == code
            if own.any():
                sums.update(predicted[own], actuals[own])


def list_entries(reference: Reference | None, role: Role) -> list[CountedEntry]:
    """Return the reference's entries of a role; empty if there is no reference."""
    return [] if reference is None else reference.entries([role])


def _read_prediction_edges(reference: Reference | None) -> Floats:
    for entry in list_entries(reference, Role.PREDICTION):
        if isinstance(entry, NumericReference) and entry.name == PREDICTION:
            return np.array(entry.edges, np.float64)
    return np.empty(0)
