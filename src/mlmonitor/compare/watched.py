"""Features and predictions of one model: learned from, or compared with a reference."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mlmonitor.aggregate.window import Span
from mlmonitor.capture.calls import Rows
from mlmonitor.capture.reader import Reader
from mlmonitor.compare.cut import cut_rows
from mlmonitor.compare.derive import Deriver, reader_of
from mlmonitor.compare.drift import Level
from mlmonitor.compare.learner import Learner
from mlmonitor.compare.population import Population
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.segments import MOST_SEGMENTS, Codes, SegmentCodes
from mlmonitor.compare.split import Split, Tally, segment_places, shared_level
from mlmonitor.records import Kind, Role

_NO_KINDS: Mapping[str, Kind] = MappingProxyType({})
_ROLES = (Role.FEATURE, Role.PREDICTION, Role.DERIVED)


class Watched:
    """Takes rows in. While there is no reference it learns one; from then on it compares.

    The rows that became the reference are counted in the totals, but not compared with themselves;
    the row after the last of them is compared, if it came in the same batch.
    """

    def __init__(  # noqa: PLR0913 - what it is of, and how it is looked at
        self,
        reference: Reference | None,
        span: Span,
        *,
        level: Level,
        learn_rows: int,
        deviations: float,
        hitters: int,
        ignore: Collection[str],
        segments: Sequence[str] = (),
        most_segments: int = MOST_SEGMENTS,
        schema: Mapping[str, Kind] = _NO_KINDS,
    ) -> None:
        self.reference = reference
        self.population: Population | None = None
        self.learn_rows: int = learn_rows
        self.learner: Learner | None = None
        if reference is None:
            self.learner = Learner(
                learn_rows,
                ignore=ignore,
                segments=segments,
                most_segments=most_segments,
                schema=schema,
            )
        self.reader: Reader | None = None
        self.deriver: Deriver | None = None
        self.tally: Tally | None = None
        self.split: Split | None = None
        self._codes: SegmentCodes | None = None
        self._has_segments = bool(segments)
        self._span, self._hitters = span, hitters
        self._deviations, self._ignore, self._level = deviations, ignore, level

    def codes(self, rows: Rows, *, now: float) -> Codes | None:
        """The segment of each row; None where there are no segments, or none are known yet."""
        self.ready(now=now)
        return None if self._codes is None else self._codes.of(rows)

    def take(self, rows: Rows, codes: Codes | None = None, *, now: float) -> None:
        """Learn from these rows, or compare them."""
        left: Rows | None = rows
        if self.learner is not None:
            first, left = cut_rows(rows, self.learner.wanted - self.learner.learned)
            if self.learner.take(first):
                self._end_of_learning(self.learner, now=now)
        population = self.ready(now=now)
        if left is not None and population is not None and self.reader is not None:
            block = self.reader.block(left)
            population.update(block, now=now)
            if self.split is not None and self._codes is not None and self.tally is not None:
                known = codes if codes is not None else self._codes.of(left)
                self.split.update(block, known, now=now)
                self.tally.count(left, known)

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
            if self.split is not None and self._codes is not None and self.tally is not None:
                known = self._codes.of(rows)
                self.split.count_only(block, known)
                self.tally.count(rows, known)

    def _begin(self, reference: Reference, *, now: float) -> tuple[Reader, Population]:
        plan = reference.plan(_ROLES, deviations=self._deviations)
        self.deriver = Deriver(reference.content, plan.schema)
        reader = reader_of(
            self.deriver, plan.schema, ignore=self._ignore, keeps_reasons=self._has_segments
        )
        entries = reference.entries(_ROLES)
        level = shared_level(self._level, reference, has_segments=self._has_segments)
        population = Population(
            plan, entries, self._span, hitters=self._hitters, level=level, now=now
        )
        self.reference, self.reader, self.population = reference, reader, population
        if self._has_segments:
            known = [values for values in reference.segment_values if values is not None]
            self._codes = SegmentCodes(reference.segments, known)
            self.tally = Tally(segment_places(reference))
            self.split = Split(
                reference, _ROLES, plan, self._span, hitters=self._hitters, level=level, now=now
            )
        return reader, population

    @property
    def codes_nbytes(self) -> int:
        """Memory of what tells the segments of rows apart."""
        return 0 if self._codes is None else self._codes.nbytes

    def ready(self, *, now: float) -> Population | None:
        """The population to report, made now if a reference waits for its first row."""
        if self.population is None and self.reference is not None and self.learner is None:
            self._begin(self.reference, now=now)
        return self.population
