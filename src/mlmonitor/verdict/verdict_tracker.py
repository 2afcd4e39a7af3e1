"""Tracks the verdict on a model from snapshot to snapshot."""

from collections.abc import Hashable

from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.config import Config
from mlmonitor.verdict.judge import judge
from mlmonitor.verdict.loss_reasons import age_reason
from mlmonitor.verdict.loss_rise import VerdictLimits
from mlmonitor.verdict.verdict import Verdict


class VerdictTracker:
    """Keeps the last verdict, because an action stands until it is refuted.

    Price: some milliseconds when labels or alerts have changed, otherwise negligible.
    """

    def __init__(self, config: Config) -> None:
        self._limits = VerdictLimits(
            tolerance=config.verdict_tolerance,
            min_labels=config.verdict_min_labels,
            alpha=config.alpha,
            performance_maturity=config.performance_maturity,
            max_age_seconds=config.max_model_age_seconds,
        )
        self.verdict: Verdict | None = None
        self._grounds: Hashable = None

    def update(self, snapshot: ModelSnapshot) -> Verdict | None:
        """Judge the model; return the verdict if its action has changed, and None otherwise.

        The first verdict counts as a change unless it is to keep the model.
        """
        grounds = _list_grounds(snapshot, self._limits)
        if self.verdict is not None and grounds == self._grounds:
            return None
        before = "keep" if self.verdict is None else self.verdict.action
        self.verdict, self._grounds = judge(snapshot, self._limits, self.verdict), grounds
        return self.verdict if self.verdict.action != before else None


def _list_grounds(snapshot: ModelSnapshot, limits: VerdictLimits) -> Hashable:
    """Return everything that a verdict depends on; equal grounds give equal verdicts."""
    labels = snapshot.labels
    predictions = snapshot.calls.predictions if labels.estimated is not None else 0
    return (
        tuple((c.start, c.predicted, c.labelled, c.maturity) for c in labels.cohorts),
        tuple((a.role, a.field, a.segment, a.measure) for a in snapshot.alerts),
        tuple((incident.cause, incident.title) for incident in snapshot.incidents),
        labels.fault,
        tuple((risk.measure, risk.count, risk.is_firing) for risk in labels.risks.values()),
        tuple(
            (objective.objective, objective.count, objective.is_met)
            for objective in snapshot.objectives
        ),
        predictions,
        age_reason(snapshot, limits.max_age_seconds) is not None,
    )
