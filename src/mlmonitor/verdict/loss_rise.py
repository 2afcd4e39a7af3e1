"""Whether the realised loss has risen over that at training, from mature labels."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.compare.snapshot import ReferenceInfo
from mlmonitor.verdict.evidence import log10_excess_e_value, required_log10_e_value, standard_error
from mlmonitor.verdict.labelled_windows import LabelledWindow, find_first, list_windows

_BY_TASK: Mapping[str, tuple[str, ...]] = {
    "regression": ("mae", "rmse", "wape", "mape", "pinball", "r2"),
    "binary": ("log_loss", "brier", "accuracy", "balanced_accuracy", "f1", "precision", "recall"),
    "multiclass": ("log_loss", "brier", "accuracy", "balanced_accuracy", "f1"),
    "ranking": ("ndcg", "mrr"),
}
"""The measures that a task is judged by; the first one that has a baseline."""

BETTER_HIGH = frozenset(
    {"r2", "accuracy", "balanced_accuracy", "f1", "precision", "recall", "specificity", "ndcg"}
    | {"mrr", "roc_auc", "pr_auc"}
)
"""Measures of which more is better: their loss is one minus the measure."""


def measures_of(task: str) -> tuple[str, ...]:
    """Return the measures that a task is judged by, the most telling one first."""
    return _BY_TASK.get(task, ())


class VerdictLimits(NamedTuple):
    """What a verdict depends on besides the snapshot.

    tolerance: the rise of the loss that needs no action. min_labels: fewer are not judged. alpha:
    the probability of ever acting without a cause. performance_maturity: as in `Config`.
    max_age_seconds: None for no limit.
    """

    tolerance: float = 0.1
    min_labels: int = 100
    alpha: float = 0.01
    performance_maturity: float = 0.0
    max_age_seconds: float | None = None


class LossBaseline(NamedTuple):
    """What a measure is compared with, and the standard error of that value."""

    measure: str
    value: float
    source: str
    deviation: float = 0.0


class LossRise(NamedTuple):
    """The measure over one window beside its baseline; losses grow with the damage.

    is_high: whether the evidence suffices. is_recovered: whether the newest labels are back within
    half the tolerance.
    """

    window: LabelledWindow
    baseline: LossBaseline
    value: float
    limit: float
    loss: float
    baseline_loss: float
    log10_e_value: float
    is_high: bool
    is_recovered: bool

    @property
    def change(self) -> float:
        """The relative change of the loss."""
        return self.loss / self.baseline_loss - 1 if self.baseline_loss > 0 else float("inf")


def find_rise(
    mature: Sequence[Cohort], reference: ReferenceInfo | None, limits: VerdictLimits
) -> LossRise | None:
    """Compare the newest mature cohorts with training, or else with the oldest cohorts.

    None if there are too few labels or there is nothing to compare with.
    """
    windows = list_windows(mature, min_labels=limits.min_labels)
    if not windows:
        return None
    baseline = find_baseline(mature, windows[0], reference, limits)
    if baseline is None:
        return None
    rises = [_measure_rise(window, windows[0], baseline, limits) for window in windows]
    high = [rise for rise in rises if rise.is_high]
    return max(high, key=lambda rise: rise.log10_e_value) if high else rises[0]


def find_baseline(
    mature: Sequence[Cohort],
    newest: LabelledWindow,
    reference: ReferenceInfo | None,
    limits: VerdictLimits,
) -> LossBaseline | None:
    """Choose the measure and its baseline.

    The losses of the rows of the reference precede its metrics, as for alerts on harmful drift.
    """
    available = [n for n in measures_of(newest.performance.task) if n in newest.performance]
    if reference is not None:
        trained = {name.lower(): value for name, value in reference.training_metrics.items()}
        # Over several classes the reference's Brier score is on another scale.
        is_binary = newest.performance.task == "binary"
        own = {n: v for n, v in reference.losses.items() if is_binary or n != "brier"}
        for name in available:
            if name in own:
                estimate = newest.performance[name]
                spread = standard_error(estimate) * (estimate.count / reference.rows) ** 0.5
                return LossBaseline(name, own[name], "in the reference", spread)
            if name in trained:
                return LossBaseline(name, trained[name], "at training")
    first = find_first(mature, min_labels=limits.min_labels)
    if first is None or not available:
        return None
    estimate = first.performance[available[0]]
    return LossBaseline(
        available[0], estimate.value, "in the first cohorts", standard_error(estimate)
    )


def to_loss(measure: str, estimate: Estimate) -> Estimate:
    """Turn a measure around if more of it is better."""
    if measure not in BETTER_HIGH:
        return estimate
    value, low, high = (1 - number for number in (estimate.value, estimate.high, estimate.low))
    return estimate._replace(value=value, low=low, high=high)


def _measure_rise(
    window: LabelledWindow, newest: LabelledWindow, baseline: LossBaseline, limits: VerdictLimits
) -> LossRise:
    measure, sign = baseline.measure, -1 if baseline.measure in BETTER_HIGH else 1
    loss = to_loss(measure, window.performance[measure])
    trained = 1 - baseline.value if sign < 0 else baseline.value
    limit, recovered = (trained * (1 + limits.tolerance * part) for part in (1.0, 0.5))
    evidence = log10_excess_e_value(loss, limit, deviation=baseline.deviation)
    is_recovered = to_loss(measure, newest.performance[measure]).value <= recovered
    return LossRise(
        window=window,
        baseline=baseline,
        value=float(window.performance[measure].value),
        limit=1 - limit if sign < 0 else limit,
        loss=float(loss.value),
        baseline_loss=trained,
        log10_e_value=float(evidence),
        is_high=evidence >= required_log10_e_value(limits.alpha) and not is_recovered,
        is_recovered=is_recovered,
    )
