"""The fields of one population, what was seen of them, and how far that is from the reference."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.exemplars import FieldExemplars
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.window import View, Window
from mlmonitor.capture.trace_context import Origin
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.decomposition import Shift, ShiftDecomposition
from mlmonitor.compare.drift.drift import Drift
from mlmonitor.compare.drift.embedding_drift import mmd_of
from mlmonitor.compare.quality.field_quality import FieldQuality
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Floats
from mlmonitor.stats.mmd import MMD

STATUS_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Compared(NamedTuple):
    """A population at one moment. Scores are `[fields]` in the order of the plan's schema."""

    plan: Plan
    entries: Sequence[CountedEntry]
    total: Profile
    view: View
    quantiles: Floats
    scores: Mapping[str, Floats]
    critical: Mapping[str, Floats]
    log10_e_value: Floats
    is_firing: Sequence[bool]
    exemplars: FieldExemplars | None = None
    shift: Shift | None = None


class Population:
    """A window of blocks over one plan, beside the reference's entries for it, if there are any.

    `drift` and `soundness` are what these say to the counts; None where there is nothing to compare
    them with.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        lens: ComparisonOptions,
        *,
        now: float,
        segment: str = ALL,
    ) -> None:
        self.segment: str = segment
        self.plan: Plan = plan
        self.entries: Sequence[CountedEntry] = entries
        self.window: Window = Window(plan, lens.span, hitters=lens.hitters, now=now)
        self.drift: Drift | None = None
        self.soundness: FieldQuality | None = None
        if entries:
            self.drift = Drift(plan, entries, lens.level, segment)
            self.soundness = FieldQuality(plan, entries, lens.level, segment)
        self.why: ShiftDecomposition | None = None
        """What explains the shift of its prediction, if it has one."""
        self.rules: Rules | None = None
        """What was declared about its fields, if anything."""
        self.unweighed: int = 0
        """Rows that have come since the last look."""
        self.looked_at: float = now
        """When that look was."""
        self.exemplars: FieldExemplars | None = None
        """Of rows that were traced, once there was one."""

    def update(self, block: Block, *, now: float) -> None:
        """Take in rows that ended about `now`."""
        if self.drift is not None and self.plan.season is not None:
            self.drift.begin(self.plan.season.at(now), self.window.total)
        self.window.update(block, now=now)
        if self.rules is not None:
            self.rules.update(block)
        self.unweighed += block.rows

    def count_only(self, block: Block) -> None:
        """Count rows in the totals without comparing them: the rows that became the reference."""
        self.window.count_only(block)
        if self.rules is not None:
            self.rules.update(block)
        if self.drift is not None and self.soundness is not None:
            total = self.window.total()
            self.drift.skip(total)
            self.soundness.skip(total)

    def note(
        self, block: Block, rows: Sequence[int], origins: Sequence[Origin], time_ns: int
    ) -> None:
        """Remember the origins of some rows of a block that was taken in."""
        if not rows:
            return
        if self.exemplars is None:
            self.exemplars = FieldExemplars(self.plan)
        self.exemplars.update(block, rows, origins, time_ns)

    def look(self, *, now: float) -> list[Alert]:
        """Weigh what has come since the last look; the alerts that this raised or cleared."""
        if self.drift is None or self.soundness is None:
            return []
        self.unweighed, self.looked_at = 0, now
        total = self.window.total()
        yield_gil()
        turned = self.drift.look(total, now=now)
        yield_gil()
        turned += self.soundness.look(total, self.window.drain_extremes(), now=now)
        return turned + ([] if self.rules is None else self.rules.look(total, now=now))

    @property
    def alerts(self) -> list[Alert]:
        """The alerts that hold."""
        if self.drift is None or self.soundness is None:
            return []
        rules = [] if self.rules is None else self.rules.alerts
        return [*self.drift.alerts.values(), *self.soundness.alerts, *rules]

    @property
    def memory_bytes(self) -> int:
        """What it holds at most."""
        books = sum(book.nbytes for book in self.plan.dictionaries)
        judges = self.drift, self.soundness, self.why, self.rules
        held = sum(each.nbytes for each in (*judges, self.exemplars) if each is not None)
        return self.window.memory_bytes + books + held

    def compared(self, *, now: float) -> Compared:
        """The window beside the reference, as of `now`."""
        self.window.advance(now)
        view = self.window.view()
        yield_gil()
        quantiles = view.shapes.digests.quantile(np.array(STATUS_QUANTILES))
        unknown = np.full(len(self.plan.schema), np.nan)
        drift = self.drift
        yield_gil()
        scores = {} if drift is None else drift.scores(view)
        yield_gil()
        critical = {} if drift is None else drift.critical(view)
        if self.plan.kernels and drift is not None:
            scores[MMD], critical[MMD] = mmd_of(self.plan, view.profile)
        return Compared(
            plan=self.plan,
            entries=self.entries,
            total=self.window.total(),
            view=view,
            quantiles=quantiles,
            scores=scores,
            critical=critical,
            log10_e_value=unknown if drift is None else drift.log10_e_value,
            is_firing=[False] * len(unknown) if drift is None else drift.is_firing,
            exemplars=self.exemplars,
            shift=None if self.why is None else self.why.explain(view.profile),
        )
