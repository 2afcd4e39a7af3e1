"""Rows to learn a derivation from, and others to fit what is derived: no row is in both."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlmonitor.capture.read.refusals import Reasons
from mlmonitor.capture.values import Values
from mlmonitor.formats.reference import CountedEntry, SegmentField, SegmentReference
from mlmonitor.records import Counts, Kind, Role
from mlmonitor.reference.fitting.field_sample import FieldSample
from mlmonitor.reference.fitting.reservoir import Reservoir
from mlmonitor.reference.fitting.stratification import Stratification, StratumKeys
from mlmonitor.reference.fitting.stratified_field import StratifiedField, refused_of
from mlmonitor.reference.thresholds import FieldOptions

if TYPE_CHECKING:
    from numpy.random import Generator


class Derived(NamedTuple):
    """A derived field, and what it looks like in each segment."""

    entry: CountedEntry
    parts: list[SegmentField]


class SampleHalves:
    """A uniform sample of at most `limit` rows in two halves, and what splits them.

    A row lies nearer to a centre that it helped to make than any later row: so what a derivation
    learns is learned from one half of the rows, and what is derived is fitted on the other.
    """

    def __init__(self, limit: int, rng: "Generator", strata: Stratification) -> None:
        self.slots: Reservoir = Reservoir(limit, rng)
        self._rng = rng
        self._strata = strata.sibling()
        self._halves: tuple[Counts, Counts] | None = None

    def next_chunk(self, rows: int, marks: StratumKeys) -> None:
        """Draw for the next rows, and keep their marks."""
        self.slots.next_chunk(rows)
        self._strata.ingest(marks, self.slots)

    @property
    def halves(self) -> tuple[Counts, Counts]:
        """The slots to learn from, and the others; of a single row, it and it."""
        if self._halves is None:
            drawn = self._rng.permutation(self.slots.kept)
            half = max(drawn.size // 2, 1)
            rest = drawn[half:] if drawn.size > 1 else drawn
            self._halves = np.sort(drawn[:half]), np.sort(rest)
        return self._halves

    def field(
        self,
        name: str,
        kind: Kind,
        column: Values,
        reasons: Reasons,
        segments: Sequence[SegmentReference],
        options: FieldOptions,
    ) -> Derived:
        """The field whose values in the second half are `column`."""
        slots = Reservoir(None, self._rng)  # draws nothing: all rows are kept
        slots.next_chunk(len(column))
        sample = FieldSample(Role.DERIVED, name, declared=kind)
        sample.ingest(column, slots)
        entry = sample.entry(slots, options)
        entry = entry.model_copy(update=refused_of(reasons))
        stratified = StratifiedField(
            entry, sample.rows(slots), reasons, thresholds=options.thresholds
        )
        at = self.halves[1]
        return Derived(
            self._strata.whole(stratified, self.slots, at),
            self._strata.parts(stratified, segments, self.slots, at),
        )
