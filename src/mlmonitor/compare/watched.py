"""Features and predictions of one model: learned from, or compared with a reference."""

from collections.abc import Collection, Sequence

from mlmonitor.aggregate.window import Span
from mlmonitor.capture.calls import Rows
from mlmonitor.capture.reader import Reader
from mlmonitor.compare.constraints import Rules
from mlmonitor.compare.cut import cut_rows
from mlmonitor.compare.drift import Level
from mlmonitor.compare.learner import Learner
from mlmonitor.compare.population import Population
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.why import Why
from mlmonitor.records import Field, Role

_ROLES = (Role.FEATURE, Role.PREDICTION)


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
        declared: Sequence[Field] = (),
    ) -> None:
        self.reference = reference
        self.population: Population | None = None
        self.learn_rows: int = learn_rows
        self.learner = Learner(learn_rows, ignore=ignore) if reference is None else None
        self.reader: Reader | None = None
        self._span, self._hitters = span, hitters
        self._deviations, self._ignore, self._level = deviations, ignore, level
        self._declared = declared

    def take(self, rows: Rows, *, now: float) -> None:
        """Learn from these rows, or compare them."""
        left: Rows | None = rows
        if self.learner is not None:
            first, left = cut_rows(rows, self.learner.wanted - self.learner.learned)
            if self.learner.take(first):
                self._end_of_learning(self.learner, now=now)
        population = self.ready(now=now)
        if left is not None and population is not None and self.reader is not None:
            population.update(self.reader.block(left), now=now)

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
            population.count_only(reader.block(rows))

    def _begin(self, reference: Reference, *, now: float) -> tuple[Reader, Population]:
        plan = reference.plan(_ROLES, deviations=self._deviations)
        reader = Reader(plan.schema, ignore=self._ignore)
        entries = reference.entries(_ROLES)
        level = self._level._replace(fields=len(reference.fields))
        population = Population(
            plan, entries, self._span, hitters=self._hitters, level=level, now=now
        )
        if population.soundness is not None:
            population.soundness.watch_names(reader.unknown, reference.rows)
        if self._declared:
            population.rules = Rules(plan.schema, self._declared)
        population.why = Why.of(plan, entries, reference.content.explained)
        self.reference, self.reader, self.population = reference, reader, population
        return reader, population

    def ready(self, *, now: float) -> Population | None:
        """The population to report, made now if a reference waits for its first row."""
        if self.population is None and self.reference is not None and self.learner is None:
            self._begin(self.reference, now=now)
        return self.population
