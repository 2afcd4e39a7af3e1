"""The verdict from snapshot to snapshot."""

from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.config import Config
from mlmonitor.verdict.judge import judge
from mlmonitor.verdict.loss_rise import VerdictLimits
from mlmonitor.verdict.verdict import Verdict


class VerdictTracker:
    """Keeps the last verdict, because an action stays until it is refuted."""

    def __init__(self, config: Config) -> None:
        self._limits = VerdictLimits(
            tolerance=config.verdict_tolerance,
            min_labels=config.verdict_min_labels,
            alpha=config.alpha,
            performance_maturity=config.performance_maturity,
            max_age_seconds=config.max_model_age_seconds,
        )
        self.verdict: Verdict | None = None

    def update(self, snapshot: ModelSnapshot) -> Verdict | None:
        """Judge the model; return the verdict if its action has changed, and None otherwise.

        The first verdict is a change only if it is not to keep the model.
        """
        before = "keep" if self.verdict is None else self.verdict.action
        self.verdict = judge(snapshot, self._limits, self.verdict)
        return self.verdict if self.verdict.action != before else None
