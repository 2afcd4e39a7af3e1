"""Whether the realised loss, from mature labels, has risen above its baseline."""

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
"""Measures of each task in order of preference: the first one with a baseline is used."""

BETTER_HIGH = frozenset(
    {"r2", "accuracy", "balanced_accuracy", "f1", "precision", "recall", "specificity", "ndcg"}
    | {"mrr", "roc_auc", "pr_auc"}
)
"""Measures that are better when higher: their loss is one minus the measure."""


def measures_of(task: str) -> tuple[str, ...]:
    """Return the measures that a task is judged by, in order of preference."""
    return _BY_TASK.get(task, ())


class VerdictLimits(NamedTuple):
    """The settings of a verdict.

    tolerance: the relative rise of the loss that needs no action.
    min_labels: windows with fewer labels are not judged.
    alpha: the probability of ever acting without a cause.
    performance_maturity: as in `Config`.
    max_age_seconds: None for no limit.
    """

    tolerance: float = 0.1
    min_labels: int = 100
    alpha: float = 0.01
    performance_maturity: float = 0.0
    max_age_seconds: float | None = None


class LossBaseline(NamedTuple):
    """The value that a measure is compared with, where it is from, and its standard error."""

    measure: str
    value: float
    source: str
    deviation: float = 0.0


class LossRise(NamedTuple):
    """A measure over one window, with its baseline.

    value, limit: the measure itself, and its limit.
    loss, baseline_loss: the measure and its baseline, reversed if needed so that higher is worse.
    is_high: whether the evidence for a loss beyond the limit suffices.
    is_recovered: whether the newest labels are within half the tolerance again.
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
        """The change of the loss relative to its baseline; infinite if the baseline is 0."""
        return self.loss / self.baseline_loss - 1 if self.baseline_loss > 0 else float("inf")


def find_rise(
    mature: Sequence[Cohort], reference: ReferenceInfo | None, limits: VerdictLimits
) -> LossRise | None:
    """Compare the newest mature cohorts with training, or else with the oldest cohorts.

    Returns the window with the strongest evidence of a rise, or else the shortest window. None if
    there are too few labels or there is nothing to compare with.
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
    """Choose the measure to judge by, and its baseline; None if there is nothing to compare with.

    The loss over the reference's own rows precedes the declared training metric, as for alerts on
    harmful drift. Without either, the oldest cohorts are the baseline.
    """
    available = [n for n in measures_of(newest.performance.task) if n in newest.performance]
    if reference is not None:
        trained = {name.lower(): value for name, value in reference.training_metrics.items()}
        # With several classes, the reference's Brier score is on another scale.
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
    """Return the estimate as a loss: one minus the measure if higher is better."""
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
