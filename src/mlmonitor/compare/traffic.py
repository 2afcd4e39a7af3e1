"""Features and predictions of one model: learned from, or compared with a reference."""

from collections.abc import Collection

from mlmonitor.aggregate.segments import MOST_SEGMENTS, Codes
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.row_slices import cut_rows
from mlmonitor.capture.read.rows import Rows
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.decomposition import ShiftDecomposition
from mlmonitor.compare.population import Population
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.compare.segment_populations import Segmented, Split, shared_lens
from mlmonitor.derived.deriver import Deriver, reader_of
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Declared, Role
from mlmonitor.reference.learner import Learner
from mlmonitor.reference.reference import Reference

_ROLES = (Role.FEATURE, Role.PREDICTION, Role.DERIVED)


class Traffic:
    """Takes rows in. While there is no reference it learns one; from then on it compares.

    The rows that became the reference are counted in the totals, but not compared with themselves;
    the row after the last of them is compared, if it came in the same batch.
    """

    def __init__(
        self,
        reference: Reference | None,
        lens: ComparisonOptions,
        declared: Declared,
        *,
        baseline_rows: int,
        most_segments: int = MOST_SEGMENTS,
    ) -> None:
        self._named: frozenset[str] = frozenset()
        """Features that the reference had before those to ignore were left out."""
        if reference is not None:
            self._named = frozenset(f.name for f in reference.fields if f.role is Role.FEATURE)
            reference = reference.without(declared.ignore)
        self.reference: Reference | None = reference
        self.population: Population | None = None
        self.baseline_rows: int = baseline_rows
        self.learner: Learner | None = None
        if reference is None:
            self.learner = Learner(baseline_rows, declared, most_segments=most_segments)
        self.reader: Reader | None = None
        self.deriver: Deriver | None = None
        self.segmented: Segmented | None = None
        self._has_segments = bool(declared.segments)
        self._lens, self._declared = lens, declared

    def codes(self, rows: Rows, *, now: float) -> Codes | None:
        """The segment of each row; None where there are no segments, or none are known yet."""
        self.ready(now=now)
        return None if self.segmented is None else self.segmented.codes(rows)

    def take(self, rows: Rows, codes: Codes | None = None, *, now: float) -> Block | None:
        """Learn from these rows, or compare them; the last of them, which were compared."""
        left: Rows | None = rows
        if self.learner is not None:
            first, left = cut_rows(rows, self.learner.expected - self.learner.learned)
            if self.learner.take(first):
                self._end_of_learning(self.learner, now=now)
        population = self.ready(now=now)
        if left is None or population is None or self.reader is None:
            return None
        block = self.reader.block(left)
        yield_gil()
        population.update(block, now=now)
        if self.segmented is not None:
            known = self.segmented.codes(left) if codes is None else codes
            self.segmented.update(block, left, known, now=now)
        return block

    def _end_of_learning(self, learner: Learner, *, now: float) -> None:
        """Compare from now on; if nothing can be learned from these rows, start over."""
        kept = learner.rows
        try:
            reference = learner.reference()
        finally:
            learner.rows = []
        reader, population = self._begin(reference, now=now)
        self.learner = None
        for rows in kept:
            block = reader.block(rows)
            population.count_only(block)
            if self.segmented is not None:
                self.segmented.count_only(block, rows)

    def _begin(self, reference: Reference, *, now: float) -> tuple[Reader, Population]:
        plan = reference.plan(_ROLES, deviations=self._lens.deviations)
        self.deriver = Deriver(reference.content, plan.schema)
        reader = reader_of(
            self.deriver,
            plan.schema,
            ignore=self._declared.ignore,
            keeps_reasons=self._has_segments,
        )
        entries = reference.entries(_ROLES)
        lens = shared_lens(self._lens, reference, has_segments=self._has_segments)
        population = Population(plan, entries, lens, now=now)
        if population.soundness is not None:
            population.soundness.watch_names(reader.unknown, reference.rows)
        if self._declared.fields:
            population.rules = Rules(plan.schema, self._declared.fields)
        population.why = ShiftDecomposition.of(plan, entries, reference.content.explained)
        self.reference, self.reader, self.population = reference, reader, population
        if self._has_segments:
            split = Split(reference, _ROLES, plan, lens, now=now)
            self.segmented = Segmented(reference, split)
        return reader, population

    @property
    def never_came(self) -> tuple[str, ...]:
        """Names to ignore that neither the reference nor any row has had, with one that is near."""
        if self.reader is None:
            return ()
        known = self._named | {f.name for f in self.reader.schema.fields}
        lost = self._declared.ignore - self.reader.ignored - self._named
        return tuple(_with_near(name, known) for name in sorted(lost))

    def ready(self, *, now: float) -> Population | None:
        """The population to report, made now if a reference waits for its first row."""
        if self.population is None and self.reference is not None and self.learner is None:
            self._begin(self.reference, now=now)
        return self.population


def _with_near(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1)
    return f"{name} (there is {near[0]})" if near else name
