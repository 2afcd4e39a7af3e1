"""Alerts on the projected losses of cohorts whose labels are still arriving."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomePlan
from mlmonitor.aggregate.outcomes.row_losses import loss_measures, to_measure
from mlmonitor.compare.alerts.alert import PROJECTED_FIELD, Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.estimate import TWO_SIDED_95
from mlmonitor.compare.performance.labels import LabelledOutcomes
from mlmonitor.compare.risk.grown_loss import GrownLoss
from mlmonitor.compare.risk.risk_baseline import LOSS_SOURCES, RiskBaseline
from mlmonitor.compare.risk.risk_stream import RiskLimits
from mlmonitor.formatting import short
from mlmonitor.stats.sequential.normal_mixture import log_evidence
from mlmonitor.stats.special import ONE_IN_TEN

_WINDOWS: Final = (1, 2, 3, 4, 6, 8)
"""The numbers of newest cohorts that are judged together."""

_LEAST_LABELS: Final = 100
"""Minimum number of labels of a projection, so that their mean is close to normal."""


class _Projection(NamedTuple):
    """A projected mean loss over adjacent cohorts, and the evidence that it is too large.

    maturity: the share of their labels that have arrived. start: when the oldest cohort began.
    """

    loss: float
    error: float
    labels: int
    maturity: float
    start: datetime
    log_e: float = 0.0


class ProjectedAlerts:
    """Fires alerts on cohorts that, by their labels so far, will do worse than at training.

    The loss of a cohort is projected by the chain ladder of earlier cohorts, so cohorts count only
    once three older ones show how much a mean changes with further labels. The evidence is that of
    a normal mixture, for the newest 1, 2, 3, 4, 6 and 8 cohorts; the allowed error is divided among
    these windows and over time. An alert resolves once newer cohorts may be within the limit.
    Price: some milliseconds at each evaluation, to compute all cohorts.
    """

    def __init__(self, baselines: Mapping[str, RiskBaseline], limits: RiskLimits) -> None:
        self._baselines, self._limits = baselines, limits
        self._measures: tuple[str, ...] = ()
        self._labels: LabelledOutcomes | None = None
        self._scales: Mapping[str, float] = {}
        self._first: datetime | None = None
        self._strongest: dict[str, _Projection] = {}
        self._fired_after: dict[str, datetime] = {}
        self._open = OpenAlerts()

    def watch(self, labels: LabelledOutcomes) -> None:
        """Judge the cohorts of `labels` from now on."""
        self._labels = labels

    def _list_cohorts(self, now: float) -> list[Cohort]:
        """Return the cohorts that have a projection, the oldest first."""
        tracker = None if self._labels is None else self._labels.tracker
        cohorts = () if tracker is None else tracker.cohorts(now=now)
        return [cohort for cohort in cohorts if cohort.projected]

    def begin(self, plan: OutcomePlan) -> None:
        """Watch the measures of a task that have a baseline from training."""
        self._measures = tuple(m for m in loss_measures(plan) if m in self._baselines)
        # With several classes, the baseline of the Brier score is half of the measure.
        halves = ("brier",) if plan.task == "multiclass" else ()
        self._scales = {m: 2.0 if m in halves else 1.0 for m in self._measures}

    def evaluate(self, *, now: float, started_at: float) -> list[Alert]:
        """Evaluate the cohorts at `now`; return the alerts that fired or resolved."""
        cohorts = self._list_cohorts(now)
        fired, resolved = (np.zeros(len(self._measures), np.bool_) for _ in range(2))
        for place, measure in enumerate(self._measures):
            projections = self._list_projections(measure, cohorts)
            if not projections:
                continue
            strongest = max(projections, key=lambda projection: projection.log_e)
            if measure not in self._fired_after:
                self._strongest[measure] = strongest
                fired[place] = (
                    strongest.log_e >= self._limits.threshold
                    and strongest.labels >= self._limits.min_rows
                )
                if fired[place]:
                    self._fired_after[measure] = cohorts[-1].start
            elif self._has_recovered(measure, projections):
                resolved[place] = True
                del self._fired_after[measure]
        return self._open.apply(
            Transitions(fired, resolved), lambda place: self._build(place, started_at)
        )

    def _list_projections(self, measure: str, cohorts: Sequence[Cohort]) -> list[_Projection]:
        """Return the projections over windows of the newest cohorts that have enough labels."""
        # A cohort may lack a measure, such as recall without positive labels.
        own = [
            cohort
            for cohort in cohorts
            if measure in cohort.projected and np.isfinite(cohort.projected[measure].low)
        ]
        if not own:
            return []
        self._first = self._first or own[0].start
        seconds = (own[-1].end - own[-1].start).total_seconds()
        number = max((own[-1].start - self._first).total_seconds() / seconds, 0.0)
        stake = np.log((number + 1) * (number + 2) * len(_WINDOWS))
        limit, deviation = self._read_baseline(measure)
        joined = [
            self._join(measure, own[-size:], older=len(own) - size)
            for size in _WINDOWS
            if size <= len(own)
        ]
        return [
            part._replace(
                log_e=log_evidence(
                    part.loss - limit, float(np.hypot(part.error, deviation)), part.labels
                )
                - float(stake)
            )
            for part in joined
            if part.labels >= _LEAST_LABELS
        ]

    def _read_baseline(self, measure: str) -> tuple[float, float]:
        """Return the largest tolerated mean loss, and its standard error."""
        baseline = self._baselines[measure]
        growth = 1 + self._limits.tolerance
        shares, rows = baseline.bins.values, float(baseline.counts.sum())
        mean = float(shares @ baseline.counts) / rows
        variance = max(float(shares**2 @ baseline.counts) / rows - mean * mean, 0.0)
        deviation = baseline.bins.scale * (variance / rows) ** 0.5
        is_exact = baseline.basis == "training_metrics"
        return baseline.loss * growth, 0.0 if is_exact else deviation * growth

    def _join(self, measure: str, cohorts: Sequence[Cohort], *, older: int) -> _Projection:
        """Join the projections of cohorts, weighted by their expected numbers of labels.

        Each cohort has an error of its own, and all share the error of the projection factor, which
        is a mean over `older` cohorts.
        """
        scale, parts = self._scales[measure], [cohort.projected[measure] for cohort in cohorts]
        weights = np.array(
            [
                part.count / max(cohort.maturity or 1.0, 1e-9)
                for part, cohort in zip(parts, cohorts, strict=True)
            ]
        )
        losses = np.array([to_measure(measure, part.value) for part in parts]) / scale
        errors = np.array([(part.high - part.low) / 2 / TWO_SIDED_95 for part in parts]) / scale
        labels, total = sum(part.count for part in parts), float(weights.sum())
        return _Projection(
            loss=float(weights @ losses) / total,
            error=float(
                np.hypot(np.linalg.norm(weights * errors), weights @ errors / max(older, 3) ** 0.5)
            )
            / total,
            labels=labels,
            maturity=min(labels / total, 1.0),
            start=cohorts[0].start,
        )

    def _has_recovered(self, measure: str, projections: Sequence[_Projection]) -> bool:
        """Whether the cohorts after those that fired the alert may be within the limit."""
        limit, _ = self._read_baseline(measure)
        newer = [p for p in projections if p.start > self._fired_after[measure]]
        return any(p.loss - ONE_IN_TEN * p.error <= limit for p in newer[-1:])

    def _build(self, place: int, started_at: float) -> Alert:
        measure = self._measures[place]
        projection, baseline = self._strongest[measure], self._baselines[measure]
        grown = GrownLoss(
            measure=measure,
            loss=projection.loss,
            before=baseline.loss,
            limit=self._read_baseline(measure)[0],
            log_e=projection.log_e,
            rows=projection.labels,
        )
        return grown.build_alert(
            PROJECTED_FIELD,
            started_at=started_at,
            reason=f"{short(grown.value_before)} {LOSS_SOURCES[baseline.basis]}, "
            f"{short(grown.value)} projected from {projection.maturity:.0%} of the labels",
        )

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that are firing."""
        return tuple(self._open)
