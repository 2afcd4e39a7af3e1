"""Alerts on harmful drift: the risk of the live model is compared with that at training."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.row_losses import loss_measures, measure_losses
from mlmonitor.compare.alerts.alert import ESTIMATED_FIELD, PERFORMANCE_FIELD, Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.labels import LabelledOutcomes
from mlmonitor.compare.risk.loss_intake import LossIntake
from mlmonitor.compare.risk.losses_since import HarmFinding, LossesSince
from mlmonitor.compare.risk.pairs.fault_watch import LabelFaultWatch
from mlmonitor.compare.risk.pairs.label_faults import ToleratedLoss
from mlmonitor.compare.risk.projected_alerts import ProjectedAlerts
from mlmonitor.compare.risk.rank_losses import RankLosses, ranked_measures
from mlmonitor.compare.risk.risk import Risk
from mlmonitor.compare.risk.risk_baseline import LOSS_SOURCES, RiskBaseline
from mlmonitor.compare.risk.risk_stream import RiskLimits, RiskStream
from mlmonitor.config import Config
from mlmonitor.formatting import short
from mlmonitor.records import Floats, Role
from mlmonitor.reference.training_losses.rank_pairs import RANKED


class RiskOptions(NamedTuple):
    """How risks are compared.

    tolerance: relative growth of a loss that is ignored. maturity: the share of its labels that a
    cohort must have before its losses count; 0 to count each loss as it arrives. is_projected:
    whether alerts are on projected losses of cohorts instead of the losses so far.
    """

    tolerance: float = 0.02
    maturity: float = 0.0
    is_projected: bool = False

    @classmethod
    def from_config(cls, config: Config) -> "RiskOptions":
        """Return the options of a configuration."""
        return cls(
            config.performance_tolerance,
            config.performance_maturity,
            config.performance_basis == "projected",
        )


class RiskAlerts:
    """Fires alerts if labelled predictions show that a model does worse than at training.

    Each measure is a stream of evidence that is valid at any time; the streams share
    `PERFORMANCE_PART` of `alpha`.
    Price: about 0.3 ms for each measure and evaluation; memory `nbytes`, constant.
    """

    def __init__(
        self,
        baselines: Mapping[str, RiskBaseline],
        significance: Significance,
        table: CohortTable,
        options: RiskOptions,
        *,
        row_clock: RowClock,
        now: float,
    ) -> None:
        self.unevaluated_rows: int = 0
        """Labels since the last evaluation."""
        self.evaluated_at: float = now
        self._baselines, self._table, self._maturity = baselines, table, options.maturity
        limits = RiskLimits(
            significance.performance_threshold, options.tolerance, significance.min_rows
        )
        self._limits = limits._replace(threshold=np.inf) if options.is_projected else limits
        self.projected: ProjectedAlerts | None = None
        """The alerts on projected losses; None if alerts are on the losses so far."""
        if options.is_projected:
            self.projected = ProjectedAlerts(baselines, limits)
        self._intakes: tuple[LossIntake, ...] = ()
        self._plan: OutcomePlan | None = None
        self._effects: GroupEffects | None = None
        self._ranks: RankLosses | None = None
        self.faults: LabelFaultWatch = LabelFaultWatch()
        self._since = LossesSince()
        self._open, self._row_clock = OpenAlerts(), row_clock
        self._ended: list[Alert] = []  # ended by a change of the task, not reported yet

    def begin(self, plan: OutcomePlan, effects: GroupEffects | None = None) -> None:
        """Watch the measures of a task, once it is known; effects: the design effects of groups.

        If a second call changes the task, all losses so far are forgotten and the alerts on them
        end, because the first pairs are ingested again.
        """
        self._plan, self._effects, self.faults = plan, effects, LabelFaultWatch()
        self._since.reset()
        ended, self._open = self._open, OpenAlerts()
        self._ended += self._open.continue_from(ended, np.zeros(len(self._intakes), np.bool_))
        self._intakes = tuple(
            LossIntake(measure, self._baselines.get(measure), self._limits)
            for measure in (*loss_measures(plan), *ranked_measures(plan))
        )
        self._ranks = RankLosses(plan) if ranked_measures(plan) else None
        if self.projected is not None:
            self.projected.begin(plan)

    def watch_cohorts(self, labels: LabelledOutcomes) -> None:
        """Judge the cohorts of `labels`, if alerts are on projected losses."""
        if self.projected is not None:
            self.projected.watch(labels)

    def ingest(self, block: OutcomeBlock, predicted_at: Floats) -> None:
        """Add pairs; predicted_at: the time of each prediction, in seconds since 1970."""
        if self._plan is None:
            return
        periods = np.zeros(block.rows, np.int64)
        if self._maturity:
            periods = np.floor(np.nan_to_num(predicted_at) / self._table.seconds).astype(np.int64)
        losses = measure_losses(self._plan, block)
        if self._ranks is not None:
            losses[RANKED] = self._ranks.measure(block)
        self.faults.ingest(block)
        self._since.ingest(self._by_measure, losses, predicted_at)
        for intake in self._intakes:
            intake.ingest(losses[intake.measure], periods, is_held=bool(self._maturity))
        self.unevaluated_rows += block.rows

    def evaluate(self, *, now: float) -> list[Alert]:
        """Evaluate the labels so far; return the alerts that fired, grew further or resolved."""
        self.unevaluated_rows, self.evaluated_at = 0, now
        fired_at = self._row_clock.read(now)
        mature_before = self._find_immature_period(now)
        fired, resolved = (np.zeros(len(self._intakes), np.bool_) for _ in range(2))
        effects = {} if self._effects is None else self._effects.design_effects()
        most = max(effects.values(), default=1.0)
        for place, intake in enumerate(self._intakes):
            intake.release(mature_before)
            if intake.stream is not None:
                effect = max(effects.get(intake.measure, most), intake.design_effect())
                transitions = intake.stream.evaluate(now=now, design_effect=effect)
                fired[place], resolved[place] = (mask[0] for mask in transitions)
        changed = self._open.apply(
            Transitions(fired, resolved), lambda place: self._build_alert(place, fired_at)
        )
        firing = {alert.measure for alert in self._open}
        changed += [alert for alert in self._ended if alert.measure not in firing]
        self._ended = []
        for place, stream in self._streams.items():
            intake = self._intakes[place]
            effect = max(effects.get(intake.measure, most), intake.design_effect())
            if stream.evaluate_further(design_effect=effect):
                changed.append(self._open.update(place, self._build_alert(place, fired_at)))
        if self.projected is not None:
            changed += self.projected.evaluate(now=now, started_at=fired_at)
        return changed

    def _find_immature_period(self, now: float) -> float:
        """Return the first period whose cohort is not mature; infinite if all labels count."""
        if not self._maturity:
            return np.inf
        shares = self._table.shares_by_age(now)
        mature = np.flatnonzero(shares >= self._maturity)
        current = np.floor(now / self._table.seconds)
        return float(current - mature[0]) if mature.size else -np.inf

    def _build_alert(self, place: int, now: float) -> Alert:
        stream = self._streams[place]
        grown, source = stream.grown_loss, LOSS_SOURCES[stream.baseline.basis]
        return grown.build_alert(
            PERFORMANCE_FIELD,
            started_at=now,
            reason=f"{short(grown.value_before)} {source}, {short(grown.value)} now",
        )

    def examine_pairs(self, drifts: Collection[Hashable]) -> None:
        """Search for a label fault; `drifts` identifies the firing alerts about drift."""
        if self._plan is None:
            return
        tolerated = [
            ToleratedLoss(
                measure,
                stream.baseline.loss * (1 + self._limits.tolerance),
                stream.limit,
                stream.baseline.bins.scale,
            )
            for measure, stream in self._by_measure.items()
        ]
        self.faults.update(self._plan, tolerated, drifts)

    def find_fault(self, alerts: Sequence[Alert]) -> CommonCause | None:
        """Return the label fault that explains alerts on performance; None if there is none."""
        is_ours = any(
            alert.role is Role.PERFORMANCE
            and alert.field != ESTIMATED_FIELD
            and alert.state == "firing"
            for alert in alerts
        )
        return self.faults.current if is_ours else None

    def watch_since(self, times: Collection[float]) -> None:
        """From now on, sum the losses of predictions made since each of these times."""
        self._since.watch(times)

    def judge_since(self, time: float) -> HarmFinding:
        """Return whether a drift that began at `time` is harmful, by the labels so far."""
        worse = [alert for alert in self.alerts if alert.started_at >= time]
        if worse:
            return HarmFinding("harmful", f"{worse[0].measure}: {worse[0].reason}")
        return self._since.judge(time, self._by_measure.values())

    @property
    def _by_measure(self) -> dict[str, RiskStream]:
        return {i.measure: i.stream for i in self._intakes if i.stream is not None}

    @property
    def _streams(self) -> dict[int, RiskStream]:
        """The stream of each measure that has a baseline, by its index in `_intakes`."""
        streams = ((place, intake.stream) for place, intake in enumerate(self._intakes))
        return {place: stream for place, stream in streams if stream is not None}

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that are firing, with `current` over the newest labels."""
        if len(self._open):
            current = np.full(len(self._intakes), np.nan)
            for place, stream in self._streams.items():
                current[place] = stream.current()
            self._open.refresh(current)
        return (*self._open, *(() if self.projected is None else self.projected.alerts))

    @property
    def risks(self) -> Mapping[str, Risk]:
        """The current risk of each measure that has labels and a baseline."""
        risks = {}
        for place, stream in self._streams.items():
            intake = self._intakes[place]
            risk = stream.risk(waiting=intake.waiting if self._maturity else 0)
            if risk is not None:
                risks[intake.measure] = risk
        return MappingProxyType(risks)

    @property
    def nbytes(self) -> int:
        """Maximum memory used, in bytes."""
        return sum(intake.nbytes for intake in self._intakes)
