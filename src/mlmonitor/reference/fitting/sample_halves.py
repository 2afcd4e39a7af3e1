"""Learn a derivation from one half of the sampled rows, and fit its fields on the other half."""

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

_DERIVED = 10
"""Assumed number of fields derived together, for which tests of dependence are corrected."""


class Derived(NamedTuple):
    """The entry of a derived field over all rows, and over each segment."""

    entry: CountedEntry
    parts: list[SegmentField]


class SampleHalves:
    """A uniform sample of at most `limit` rows, split in two halves.

    A derivation is learned from one half, and its fields are fitted on the other. Rows from which a
    centre was learned would be closer to it than live rows are.
    """

    def __init__(self, limit: int, rng: "Generator", strata: Stratification) -> None:
        self.slots: Reservoir = Reservoir(limit, rng)
        self._rng = rng
        self._strata = strata.sibling()
        self._halves: tuple[Counts, Counts] | None = None

    def next_chunk(self, rows: int, marks: StratumKeys) -> None:
        """Draw the slots of the next rows, and store the segments and times of the drawn rows."""
        self.slots.next_chunk(rows)
        self._strata.ingest(marks, self.slots)

    @property
    def halves(self) -> tuple[Counts, Counts]:
        """The slots to learn from, and the slots to fit on; a single row is in both."""
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
        """Fit a derived field to `column`, its values in the second half."""
        slots = Reservoir(None, self._rng)  # stores all rows, so it never draws
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
            self._strata.whole(stratified, self.slots, at, fields=_DERIVED),
            self._strata.parts(stratified, segments, self.slots, at),
        )
