"""Alerts on declared objectives."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from mlmonitor.aggregate.call_stats import TimedCalls
from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import OBJECTIVE_FIELD, Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.objectives.bound_watch import BoundWatch, broken_bound
from mlmonitor.compare.objectives.call_watch import CallWatch, latency_quantile
from mlmonitor.compare.objectives.count_watch import CountWatch
from mlmonitor.compare.objectives.measure_watch import LabelStretches, MeasureWatch
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.risk.risk_stream import RiskLimits
from mlmonitor.compare.service.traffic_counts import TrafficCounts
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import ask_similar, short
from mlmonitor.records import Floats, Objective, Role

TRAFFIC_RATE: Final = "predictions_per_second"
LABEL_MATURITY: Final = "label_maturity"
MATURE: Final = 0.95
"""Share of its final labels that a cohort must have to count for `label_maturity`."""

_LOWER_IS_BETTER: Final = frozenset(
    {"mae", "rmse", "mape", "wape", "pinball", "log_loss", "brier", "ece"}
)
_HIGHER_IS_BETTER: Final = frozenset(
    {
        *("r2", "accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy"),
        *("roc_auc", "pr_auc", "ndcg", "mrr"),
    }
)

SERVICE_MEASURES: Final = ("error_rate", TRAFFIC_RATE)


class ObjectiveAlerts:
    """Watches every declared objective; they share `OBJECTIVES_PART` of `alpha`.

    Failures, latency and performance need evidence that is valid at any time. Traffic and the
    maturity of labels are counted, so whether they break a bound is certain.
    Price: up to 9 kB for each objective, and eight outcome tables if any is about performance.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        significance: Significance,
        *,
        traffic: TrafficCounts,
        table: CohortTable,
        row_clock: RowClock,
        now: float,
    ) -> None:
        self.evaluated_at: float = now
        self._traffic, self._table, self._row_clock = traffic, table, row_clock
        threshold = significance.objective_threshold(len(objectives))
        self._limits = RiskLimits(threshold, 0.0, significance.min_rows)
        self._watches: tuple[BoundWatch, ...] = tuple(map(self._watch, objectives))
        self._of_calls = tuple(w for w in self._watches if isinstance(w, CallWatch))
        self._of_labels = tuple(w for w in self._watches if isinstance(w, MeasureWatch))
        self._stretches: LabelStretches | None = None
        self._new_rows = 0
        self._open = OpenAlerts()

    def _watch(self, objective: Objective) -> BoundWatch:
        measure = objective.measure
        if measure == "error_rate" or latency_quantile(measure) is not None:
            return CallWatch(objective, self._limits)
        if measure == TRAFFIC_RATE:
            return CountWatch(objective, lambda now: self._traffic.rate(now=now))
        if measure == LABEL_MATURITY:
            return CountWatch(objective, self._estimate_maturity, min_rows=self._limits.min_rows)
        return MeasureWatch(objective, threshold=self._limits.threshold)

    def _estimate_maturity(self, now: float) -> tuple[float, int] | None:
        """Return the labelled share of predictions old enough to have a label, and their number.

        A cohort in which every prediction has a label counts at any age. None if there are no
        predictions.
        """
        shares, current = self._table.shares_by_age(now), np.floor(now / self._table.seconds)
        order = self._table.order()
        ages = (current - self._table.periods[order] - 1).astype(np.int64)
        is_old = ages >= 0
        ages = np.clip(ages, 0, shares.size - 1)
        is_complete = self._table.labelled[order] >= np.maximum(self._table.predicted[order], 1)
        mature = np.array(order, np.int64)[is_complete | (is_old & (shares[ages] >= MATURE))]
        predicted = int(self._table.predicted[mature].sum())
        if not predicted:
            return None
        return float(self._table.labelled[mature].sum()) / predicted, predicted

    def ingest_calls(self, calls: TimedCalls) -> None:
        """Add calls that have ended."""
        if self._of_calls and calls.seconds.size:
            for watch in self._of_calls:
                watch.ingest(calls)
            self._new_rows += calls.seconds.size

    def begin(self, plan: OutcomePlan, effects: GroupEffects | None = None) -> None:
        """Watch measures of performance, once the task is known.

        effects: the dependence within declared groups; None if there are no groups.
        """
        if self._of_labels:
            measures = [watch.objective.measure for watch in self._of_labels]
            self._stretches = LabelStretches(plan, measures, effects)
            for watch in self._of_labels:
                watch.begin(self._stretches)

    def ingest(self, block: OutcomeBlock, predicted_at: Floats) -> None:  # noqa: ARG002 - protocol
        """Add pairs of predictions and actuals."""
        if self._stretches is not None:
            self._stretches.ingest(block)
            for watch in self._of_labels:
                watch.ingest(block)
            self._new_rows += block.rows

    @property
    def unevaluated_rows(self) -> int:
        """Calls and labels since the last evaluation; at least 1 if counts are watched."""
        has_counts = len(self._watches) > len(self._of_calls) + len(self._of_labels)
        return max(self._new_rows, int(has_counts))

    def evaluate(self, *, now: float) -> list[Alert]:
        """Evaluate every objective; return the alerts that fired or resolved."""
        self._new_rows, self.evaluated_at = 0, now
        evaluations = [watch.evaluate(now=now) for watch in self._watches]
        fired = np.array([evaluation[0] for evaluation in evaluations], np.bool_)
        resolved = np.array([evaluation[1] for evaluation in evaluations], np.bool_)
        return self._open.apply(
            Transitions(fired, resolved), lambda place: self._build_alert(place, now)
        )

    def _build_alert(self, place: int, now: float) -> Alert:
        watch = self._watches[place]
        breach, objective = watch.breach(now=now), watch.objective
        return Alert(
            field=OBJECTIVE_FIELD,
            role=role_of(objective.measure),
            segment=ALL,
            measure=objective.measure,
            value=breach.value,
            current=breach.current,
            threshold=broken_bound(objective, breach.value),
            log10_e_value=breach.log10_e_value,
            state="firing",
            rows=breach.rows,
            started_at=self._row_clock.read(now),
            reason=f"declared: {objective}; {short(breach.value)} now",
        )

    def alerts(self, *, now: float) -> tuple[Alert, ...]:
        """The alerts that are firing, with `current` over the newest rows."""
        if len(self._open):
            current = [watch.breach(now=now).current for watch in self._watches]
            self._open.refresh(np.array(current))
        return tuple(self._open)

    def statuses(self, *, now: float) -> tuple[ObjectiveStatus, ...]:
        """The current status of every objective, in the order of their declaration."""
        return tuple(watch.status(now=now) for watch in self._watches)

    @property
    def nbytes(self) -> int:
        """Maximum memory used once the task is known, in bytes."""
        stretches = 0 if self._stretches is None else self._stretches.nbytes
        return 9_000 * len(self._watches) + stretches


def role_of(measure: str) -> Role:
    """Return the role of an alert about this measure: the service for calls, else performance."""
    is_service = measure in SERVICE_MEASURES or latency_quantile(measure) is not None
    return Role.SERVICE if is_service else Role.PERFORMANCE


def check_objective(objective: Objective, measures: Collection[str]) -> None:
    """Check that the measure of an objective is known, and that its bound is on the right side.

    measures: the names of performance measures, including custom ones.

    Raises:
        ConfigError: the measure is unknown, or the bound is on the wrong side or out of range.
    """
    name = objective.measure
    is_of_calls = name == "error_rate" or latency_quantile(name) is not None
    if not is_of_calls and name not in (TRAFFIC_RATE, LABEL_MATURITY) and name not in measures:
        names = (*measures, "error_rate", "latency_p99_seconds", TRAFFIC_RATE, LABEL_MATURITY)
        raise ConfigError(
            f"objectives: no measure {name!r}{ask_similar(name, names)}: expected error_rate, "
            f"latency_p99_seconds or another quantile, {TRAFFIC_RATE}, {LABEL_MATURITY}, or one of "
            f"{', '.join(sorted(measures))}"
        )
    if objective.minimum is not None and (is_of_calls or name in _LOWER_IS_BETTER):
        raise ConfigError(f"objectives: {name}: less is better, so expected maximum= alone")
    if objective.maximum is not None and name in (*_HIGHER_IS_BETTER, LABEL_MATURITY):
        raise ConfigError(f"objectives: {name}: more is better, so expected minimum= alone")
    shares = [b for b in (objective.minimum, objective.maximum) if b is not None]
    if name in ("error_rate", LABEL_MATURITY) and not 0 <= shares[0] <= 1:
        raise ConfigError(f"objectives: {name}: expected a share from 0 to 1, such as 0.01")
    if latency_quantile(name) is not None and shares[0] <= 0:
        raise ConfigError(f"objectives: {name}: expected seconds above 0")
