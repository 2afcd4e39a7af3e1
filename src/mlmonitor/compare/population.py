"""Population: the fields of some rows, their values so far, and their drift and quality."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.exemplars import FieldExemplars
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.recent_groups import RecentGroups
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.sketches.group_sizes import hash_groups
from mlmonitor.aggregate.staging import StagingBuffer
from mlmonitor.aggregate.window import View, Window
from mlmonitor.capture.trace_context import Origin
from mlmonitor.capture.values import Values
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.change_sample import SHARED_ROWS, ChangeSample
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.decomposition import Shift, ShiftDecomposition
from mlmonitor.compare.drift.drift import Drift
from mlmonitor.compare.drift.embedding_drift import mmd_of
from mlmonitor.compare.drift.new_names import join_new_names, shown_hitters
from mlmonitor.compare.drift.row_dependence import (
    EffectiveCounts,
    design_effects,
    effective_rows,
    is_dependence_known,
    limit_effects,
)
from mlmonitor.compare.population_snapshot import (
    STATUS_QUANTILES,
    PopulationSnapshot,
    TracedValues,
)
from mlmonitor.compare.quality.field_quality import FieldQuality
from mlmonitor.compare.quality.new_fields import NewFieldDetector
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Floats
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.distance import WASSERSTEIN_RANKS
from mlmonitor.stats.mmd import MMD

_AMONG_RANKS = [round(100 * q) - 1 for q in STATUS_QUANTILES]  # indices in `WASSERSTEIN_RANKS`


class Checks(NamedTuple):
    """Optional checks of a population besides the drift and quality of its fields."""

    rules: Rules | None = None
    decomposition: ShiftDecomposition | None = None
    new_fields: NewFieldDetector | None = None


_NO_CHECKS = Checks()


class Population:
    """A window of rows with the fields of one plan, and the reference's entries for them, if any.

    Without entries nothing is compared: `drift` and `field_quality` are None.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        options: ComparisonOptions,
        *,
        now: float,
        segment: str = ALL,
        checks: Checks = _NO_CHECKS,
    ) -> None:
        self.segment: str = segment
        self.plan: Plan = plan
        self._options, self._checks = options, checks
        self.entries: tuple[CountedEntry, ...] = tuple(entries)
        self.window: Window = Window(plan, options.span, hitters=options.hitters, now=now)
        self.drift: Drift | None = None
        self.field_quality: FieldQuality | None = None
        grouping = options.grouping
        self.groups: RecentGroups | None = None if grouping is None else RecentGroups(grouping.size)
        self.dependence: DesignEffects | None = None
        """Design effects of the fields; None if their rows are independent."""
        if entries:
            self.drift, self.field_quality = self._begin_comparing()
        self.decomposition: ShiftDecomposition | None = checks.decomposition
        self.rules: Rules | None = checks.rules
        self.unevaluated_rows: int = 0
        """Rows since the last evaluation."""
        self.evaluated_at: float = now
        self.exemplars: FieldExemplars | None = None
        """Exemplars of traced rows; None before the first traced row."""
        self.sample: ChangeSample | None = None
        """The rows since an incident began, while its cause is examined."""
        self._sample_bytes = ChangeSample(plan, options.hitters).nbytes if entries else 0
        self._shared_bytes = 8 * SHARED_ROWS * len(plan.schema.numeric) if entries else 0

    def begin_sample(self) -> None:
        """Start to sample the next rows, to find the cause of an incident in them."""
        if self.entries:
            self.window.limit_staging(StagingBuffer.ROWS - SHARED_ROWS)
            self.sample = ChangeSample(self.plan, self._options.hitters)

    def end_sample(self) -> None:
        """Discard the sample."""
        if self.sample is not None:
            self.sample = None
            self.window.limit_staging()

    def _begin_comparing(self) -> tuple[Drift, FieldQuality]:
        """Return new comparisons with the entries, still without evidence."""
        plan, entries, options = self.plan, self.entries, self._options
        dependence = design_effects(entries, options.grouping, self.groups)
        self.dependence = dependence
        level, names = options.significance, self._new_names
        effective = EffectiveCounts(dependence, is_dependence_known(entries, options.grouping))
        drift = Drift(plan, entries, level, self.segment, names, effective=effective)
        quality = FieldQuality(
            plan,
            entries,
            level,
            self.segment,
            self._checks.new_fields,
            names,
            dependence=dependence,
        )
        return drift, quality

    def accept(self, place: int, entry: CountedEntry, *, now: float) -> list[Alert]:
        """Compare one field with another entry from `now` on; return the alerts that changed.

        place: the index of the field. The evidence about all fields starts again, but alerts of
        other fields keep firing.
        """
        before, quality_before = self.drift, self.field_quality
        if before is None or quality_before is None:
            return []
        changed = self.evaluate(now=now)
        self.entries = (*self.entries[:place], entry, *self.entries[place + 1 :])
        drift, quality = self._begin_comparing()
        total = self.window.total()
        drift.skip(total)
        quality.skip(total)
        changed += drift.continue_alerts(before, total, without=place)
        changed += quality.continue_alerts(quality_before, without=place)
        self.drift, self.field_quality = drift, quality
        return changed

    def update(self, block: Block, *, now: float) -> None:
        """Add rows of calls that ended about `now`."""
        if self.drift is not None and self.plan.season is not None:
            self.drift.begin_season(self.plan.season.at(now), self.window.total)
        self.window.update(block, now=now)
        if self.rules is not None:
            self.rules.update(block)
        if self.sample is not None:
            self.sample.update(block)
        self.unevaluated_rows += block.rows

    def absorb(self, view: View, *, is_recent: bool = True) -> None:
        """Add the counts of rows that were aggregated elsewhere over the same plan.

        is_recent: whether they are part of the window.
        """
        self.window.absorb(view, is_recent=is_recent)
        self.unevaluated_rows += view.profile.rows

    def update_groups(self, values: Values) -> None:
        """Add the groups of rows. values: the name or number of each row's group."""
        if self.groups is not None:
            self.groups.update(*hash_groups(values))

    def count_only(self, block: Block) -> None:
        """Count rows in the totals without comparing them, because they became the reference."""
        self.window.count_only(block)
        if self.rules is not None:
            self.rules.update(block)
        if self.drift is not None and self.field_quality is not None:
            total = self.window.total()
            self.drift.skip(total)
            self.field_quality.skip(total)

    def update_exemplars(
        self, block: Block, rows: Sequence[int], origins: Sequence[Origin], time_ns: int
    ) -> None:
        """Store some rows of an ingested block as exemplars, with the trace of each.

        rows: their positions in the block. time_ns: the time of the exemplars, in nanoseconds.
        """
        if not rows:
            return
        if self.exemplars is None:
            self.exemplars = FieldExemplars(self.plan)
        self.exemplars.update(block, rows, origins, time_ns)

    def evaluate(self, *, now: float) -> list[Alert]:
        """Evaluate the rows since the last evaluation; return the alerts that fired or resolved.

        Alerts start at the time of the newest rows, which is `now` unless rows carry their time.
        """
        if self.drift is None or self.field_quality is None:
            return []
        self.unevaluated_rows, self.evaluated_at = 0, now
        fired_at = self._options.row_clock.read(now)
        total = self.window.total()
        yield_gil()
        changed = self.drift.evaluate(total, now=fired_at)
        yield_gil()
        changed += self.field_quality.evaluate(total, self.window.drain_extremes(), now=fired_at)
        return changed + ([] if self.rules is None else self.rules.evaluate(total, now=fired_at))

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The firing alerts."""
        if self.drift is None or self.field_quality is None:
            return ()
        rules = () if self.rules is None else self.rules.alerts
        return (*self.drift.alerts, *self.field_quality.alerts, *rules)

    @property
    def memory_bytes(self) -> int:
        """Upper bound of the memory in bytes."""
        dictionaries = sum(dictionary.nbytes for dictionary in self.plan.dictionaries)
        parts = (
            *(self.drift, self.field_quality, self.decomposition, self.rules),
            *(self.exemplars, self.groups, self.dependence),
        )
        compared = sum(part.nbytes for part in parts if part is not None)
        shared = 0 if self.sample is None else self._shared_bytes
        sampled = shared + max(self._sample_bytes - self._shared_bytes, 0)
        return self.window.memory_bytes + dictionaries + compared + sampled

    def snapshot(self, *, now: float, with_history: bool = False) -> PopulationSnapshot:
        """Return the window and its reference at `now`, and refresh `current` of the alerts."""
        self.window.advance(now)
        view = self.window.view()
        yield_gil()
        percentiles = view.shapes.digests.quantile(WASSERSTEIN_RANKS)
        yield_gil()
        scores, thresholds = self._compute_scores(view, percentiles)
        yield_gil()
        size, drift = len(self.plan.schema), self.drift
        quality = None if self.field_quality is None else self.field_quality.snapshot(view.profile)
        total = self.window.total()
        if drift is not None:
            drift.refresh_alerts(total, view.profile)
        yield_gil()
        for profile in (total, view.profile):
            profile.freeze()
        history = self.window.history() if with_history else None
        yield_gil()
        return PopulationSnapshot(
            segment=self.segment,
            plan=self.plan,
            entries=self.entries,
            total=total,
            view=view,
            quantiles=percentiles[:, _AMONG_RANKS],
            scores=MappingProxyType(scores),
            thresholds=MappingProxyType(thresholds),
            log10_e_value=np.full(size, np.nan) if drift is None else drift.log10_e_value,
            is_firing=np.zeros(size, np.bool_) if drift is None else drift.is_firing,
            quality=quality,
            rules=() if self.rules is None else self.rules.results(),
            alerts=self.alerts,
            exemplars=None if self.exemplars is None else TracedValues.copy_from(self.exemplars),
            explained_by=None if self.decomposition is None else self.decomposition.explained_by,
            shift=self._compute_shift(view.profile),
            effective_rows=effective_rows(view.profile, self.dependence),
            design_effects=limit_effects(size, self.dependence),
            has_groups=self.groups is not None,
            history=history,
            drift_history=None if history is None or drift is None else drift.history(history),
        )

    def _compute_shift(self, recent: FieldProfile) -> Shift | None:
        if self.decomposition is None:
            return None
        return self.decomposition.explain(recent, EffectiveCounts(self.dependence))

    def _new_names(self, place: int) -> str:
        hitters = self.window.new_names(place - len(self.plan.schema.numeric))
        return join_new_names(shown_hitters(hitters, self.entries[place]))

    def _compute_scores(
        self, view: View, percentiles: Floats
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Scores and thresholds of the window, by measure; empty if there is no reference."""
        if self.drift is None:
            return {}, {}
        scores, thresholds = self.drift.window.compare(view, percentiles)
        if self.plan.kernels:
            scores[MMD], thresholds[MMD] = mmd_of(self.plan, view.profile)
        return scores, thresholds
