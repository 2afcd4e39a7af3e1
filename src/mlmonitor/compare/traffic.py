"""Features and predictions of one model, compared with a given or a learned reference."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mlmonitor.aggregate.segments import MOST_SEGMENTS, Codes
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.row_slices import cut_rows
from mlmonitor.capture.read.rows import Rows
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.decomposition import ShiftDecomposition
from mlmonitor.compare.drift.row_dependence import find_group_column
from mlmonitor.compare.estimated.estimator import Estimator
from mlmonitor.compare.population import Checks, Population
from mlmonitor.compare.quality.declared_columns import DeclaredColumns
from mlmonitor.compare.quality.new_fields import NewFieldDetector
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.compare.segment_populations import Segmentation, SegmentPopulations, share_alpha
from mlmonitor.derived.deriver import Deriver, reader_of
from mlmonitor.forks import hold_forks
from mlmonitor.formatting import find_similar
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Declared, Role
from mlmonitor.reference.reference import Reference

if TYPE_CHECKING:
    from mlmonitor.reference.learner import Learner

OTHER_FIELDS = "__unknown__"  # stands for all unknown fields beyond those kept by name

_ROLES = (Role.FEATURE, Role.PREDICTION, Role.DERIVED)


class ReadRows(NamedTuple):
    """Rows, the block read from them, and each row's segment; None if there are no segments."""

    rows: Rows
    block: Block
    codes: Codes | None


@dataclass(frozen=True, slots=True, eq=False)
class Comparing:
    """The reference in use, and everything that compares rows with it.

    outbox: the rows read since it was last emptied, if `keeps_rows`.
    """

    reference: Reference
    deriver: Deriver
    reader: Reader
    population: Population
    segmentation: Segmentation | None
    keeps_rows: bool = False
    outbox: list[ReadRows] = field(default_factory=list)
    groups: str | None = None
    """The column with the group of each row; None if there are no groups."""
    estimator: Estimator | None = None
    """Estimates performance; None if the reference has no calibration."""

    @classmethod
    def begin(
        cls,
        reference: Reference,
        options: ComparisonOptions,
        declared: Declared,
        *,
        now: float,
        keeps_rows: bool = False,
    ) -> "Comparing":
        """Prepare to compare rows with this reference from `now` on; `now` is in seconds."""
        has_segments = bool(declared.segments)
        plan = reference.plan(_ROLES, deviations=options.deviations)
        entries = reference.entries(_ROLES)
        deriver = Deriver(reference.content, plan.schema)
        keeps_reasons = has_segments or keeps_rows
        shared = share_alpha(options, reference, has_segments=has_segments)
        groups = None if shared.grouping is None else shared.grouping.column
        ignore = declared.ignore if groups is None else declared.ignore | {groups}
        reader = reader_of(deriver, plan.schema, ignore=ignore, keeps_reasons=keeps_reasons)
        checks = Checks(
            rules=Rules(plan.schema, declared.fields) if declared.fields else None,
            decomposition=ShiftDecomposition.from_entries(
                plan, entries, reference.content.explained
            ),
            new_fields=NewFieldDetector(
                reader.unknown,
                reference_rows=reference.rows,
                has_predictions=any(f.role is Role.PREDICTION for f in plan.schema.fields),
                significance=shared.significance,
            ),
        )
        segmentation = None
        if has_segments:
            split = SegmentPopulations(reference, _ROLES, plan, shared, now=now)
            segmentation = Segmentation(reference, split)
        population = Population(plan, entries, shared, now=now, checks=checks)
        calibration = reference.content.calibration
        return cls(
            *(reference, deriver, reader, population, segmentation, keeps_rows),
            groups=groups,
            estimator=None
            if calibration is None
            else Estimator(
                calibration, plan, options.span, now=now, cohort_seconds=options.cohort_seconds
            ),
        )

    @property
    def nbytes(self) -> int:
        """Memory used, apart from that of the populations, in bytes."""
        parts = self.deriver, self.segmentation, self.estimator
        return sum(part.nbytes for part in parts if part is not None)

    def update(self, rows: Rows, codes: Codes | None, *, now: float) -> Block:
        """Compare rows of calls that ended about `now`; return the block read from them."""
        block = self.reader.read_block(rows)
        yield_gil()
        groups = None if self.groups is None else rows.features.column(self.groups)
        if groups is not None:
            self.population.update_groups(groups)
        self.population.update(block, now=now)
        if self.estimator is not None:
            self.estimator.ingest(block, now=now, times=rows.times)
        if self.segmentation is not None:
            codes = self.segmentation.codes(rows) if codes is None else codes
            self.segmentation.split.update_groups(groups, codes)
            self.segmentation.update(block, rows, codes, now=now)
        if self.keeps_rows:
            self.outbox.append(ReadRows(rows, block, codes))
        return block

    def count_only(self, rows: Rows) -> None:
        """Count rows without comparing them, because they became the reference."""
        block = self.reader.read_block(rows)
        self.population.count_only(block)
        if self.segmentation is not None:
            self.segmentation.count_only(block, rows)
        if self.keeps_rows:
            codes = None if self.segmentation is None else self.segmentation.codes(rows)
            self.outbox.append(ReadRows(rows, block, codes))


class Traffic:
    """Ingests rows: learns a reference first if there is none, then compares.

    Comparing begins with `begin_comparing`, or within `ingest` once enough rows were learned. Rows
    that became the reference are counted in the totals, but not compared with themselves. All later
    rows are compared, even those of the same batch.
    """

    def __init__(
        self,
        reference: Reference | None,
        options: ComparisonOptions,
        declared: Declared,
        *,
        baseline_rows: int,
        most_segments: int = MOST_SEGMENTS,
        keeps_rows: bool = False,
    ) -> None:
        self._named: frozenset[str] = frozenset()
        """Features of the reference before ignored ones were removed."""
        if reference is not None:
            self._named = frozenset(f.name for f in reference.fields if f.role is Role.FEATURE)
            reference = reference.without(declared.ignore)
        self.reference: Reference | None = reference
        self.baseline_rows: int = baseline_rows
        self.learner: Learner | None = (
            None
            if reference is not None
            else _begin_learning(baseline_rows, declared, most_segments)
        )
        self.comparing: Comparing | None = None
        self._options, self._declared = options, declared
        self.keeps_rows: bool = keeps_rows
        self.declared_columns: DeclaredColumns = DeclaredColumns(
            declared,
            is_learning=reference is None,
            groups=find_group_column(reference, declared.groups),
        )

    def drain_read_rows(self) -> list[ReadRows]:
        """Remove and return the rows read since the last call; empty unless `keeps_rows`."""
        if self.comparing is None:
            return []
        read, self.comparing.outbox[:] = list(self.comparing.outbox), []
        return read

    @property
    def row_clock(self) -> RowClock:
        """The time of the newest rows."""
        return self._options.row_clock

    @property
    def unknown_fields(self) -> dict[str, int]:
        """Number of values by field name, for fields outside the reference."""
        unknown = {} if self.comparing is None else self.comparing.reader.unknown
        return {name or OTHER_FIELDS: count for name, count in unknown.items()}

    @property
    def estimator(self) -> Estimator | None:
        """The estimator of performance; None before comparing begins or without a calibration."""
        return None if self.comparing is None else self.comparing.estimator

    @property
    def population(self) -> Population | None:
        """The fields of all rows; None before comparing begins."""
        return None if self.comparing is None else self.comparing.population

    @property
    def segmentation(self) -> Segmentation | None:
        """The segments; None if there are no segments or before comparing begins."""
        return None if self.comparing is None else self.comparing.segmentation

    def codes(self, rows: Rows) -> Codes | None:
        """The segment of each row; None if there are no segments or before comparing begins."""
        return None if self.segmentation is None else self.segmentation.codes(rows)

    def begin_comparing(self, *, now: float) -> None:
        """Compare from `now` on if there is a reference; a second call has no effect."""
        if self.comparing is None and self.reference is not None:
            self.comparing = self._begin(self.reference, now=now)

    def _begin(self, reference: Reference, *, now: float) -> Comparing:
        return Comparing.begin(
            reference, self._options, self._declared, now=now, keeps_rows=self.keeps_rows
        )

    def ingest(self, rows: Rows, codes: Codes | None = None, *, now: float) -> Block | None:
        """Learn from rows until there is a reference; return the rows compared, as a block.

        None if no rows were compared.
        """
        block = self._ingest(rows, codes, now=now)
        self.declared_columns.update(rows.features)
        return block

    def _ingest(self, rows: Rows, codes: Codes | None, *, now: float) -> Block | None:
        rest: Rows | None = rows
        if self.learner is not None:
            first, rest = cut_rows(rows, self.learner.expected - self.learner.learned)
            if self.learner.ingest(first):
                self._finish_learning(self.learner, now=now)
        if rest is None or self.comparing is None:
            return None
        return self.comparing.update(rest, codes, now=now)

    def _finish_learning(self, learner: "Learner", *, now: float) -> None:
        """Start to compare; learn again from later rows if these do not make a reference."""
        learned = learner.rows
        try:
            reference = learner.reference()
        finally:
            learner.rows = []
        comparing = self._begin(reference, now=now)
        self.reference, self.comparing, self.learner = reference, comparing, None
        for rows in learned:
            comparing.count_only(rows)

    @property
    def group_hints(self) -> tuple[str, ...]:
        """Side effects of the declared groups, as text; empty if the reference has groups."""
        column, reference = self._declared.groups, self.reference
        if column is None or reference is None or reference.is_learned:
            return ()
        hints = []
        if column in self._named:
            hints.append(f"{column} names the groups, so it is not compared as a feature")
        if reference.content.grouped is None:
            hints.append(
                f"the reference has no groups, so all rows of one {column} count as one row: fit "
                f"it with groups= to measure how alike they are"
            )
        return tuple(hints)

    @property
    def unused_ignores(self) -> tuple[str, ...]:
        """Ignored names that neither the reference nor any row had, each with a similar name."""
        if self.comparing is None:
            return ()
        reader = self.comparing.reader
        names = self._named | {f.name for f in reader.schema.fields}
        unused = self._declared.ignore - reader.ignored - self._named
        return tuple(_with_similar(name, names) for name in sorted(unused))


def _begin_learning(rows: int, declared: Declared, most_segments: int) -> "Learner":
    """Prepare to learn a reference: import the modules that fit one, which takes a while."""
    with hold_forks():
        from mlmonitor.reference.learner import Learner

    return Learner(rows, declared, most_segments=most_segments)


def _with_similar(name: str, names: Collection[str]) -> str:
    similar = find_similar(name, names)
    return f"{name} (there is {similar[0]})" if similar else name
