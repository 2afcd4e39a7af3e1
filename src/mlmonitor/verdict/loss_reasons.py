"""Verdict reasons from realised losses and from the model's age."""

from collections.abc import Sequence
from typing import NamedTuple

from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.formatting import duration, short
from mlmonitor.verdict.evidence import log10_mixture_e_value, required_log10_e_value
from mlmonitor.verdict.labelled_windows import LabelledWindow
from mlmonitor.verdict.loss_rise import LossRise, VerdictLimits
from mlmonitor.verdict.recalibration import Recalibration, compute_recalibration
from mlmonitor.verdict.verdict import VerdictReason, describe_labels

_EXCESS = 0.05
"""The smallest part of the squared error that makes a correction worthwhile if it is removed."""

_BIAS = 0.1
"""Bias relative to the mean actual above which a correction is worthwhile."""


class Miscalibration(NamedTuple):
    """A window whose predictions a line would correct, and the evidence for it."""

    window: LabelledWindow
    line: Recalibration
    log10_e_value: float


def find_miscalibration(
    windows: Sequence[LabelledWindow], limits: VerdictLimits, *, is_standing: bool
) -> Miscalibration | None:
    """Return the window with the most evidence that its predictions should be corrected by a line.

    None if the newest predictions need no correction, if the evidence does not suffice, or if
    predictions do not rank the actuals, because a line would not help then. is_standing: whether
    recalibration is advised already; half the effect then suffices, with any amount of evidence.
    """
    part = 0.5 if is_standing else 1.0
    candidates = []
    for window in windows:
        line = compute_recalibration(window.performance.calibration_terms)
        if line is not None:
            evidence = log10_mixture_e_value(line.statistic, line.count, dimensions=2)
            candidates.append(Miscalibration(window, line, evidence))
    off = [candidate for candidate in candidates if _is_off(candidate.line, part)]
    if not off or off[0] is not candidates[0]:  # the newest labels need no correction
        return None
    worst = max(off, key=lambda candidate: candidate.log10_e_value)
    is_evident = worst.log10_e_value >= required_log10_e_value(limits.alpha)
    return worst if is_standing or is_evident else None


def _is_off(line: Recalibration, part: float) -> bool:
    """Whether a correction is worthwhile and the predictions are correlated with the actuals."""
    is_large = line.excess > _EXCESS * part or abs(line.relative_bias) > _BIAS * part
    ranks = line.correlation > 0 and line.correlation**2 * line.count > 9  # three standard errors
    return is_large and ranks


def calibration_reason(offset: Miscalibration) -> VerdictReason:
    """Describe the error that a line would correct, and the line."""
    line = offset.line
    direction = "high" if line.bias > 0 else "low"
    text = (
        f"predictions are {100 * abs(line.relative_bias):.0f}% too {direction} on average"
        if abs(line.relative_bias) > _BIAS / 2
        else f"predictions are too {'extreme' if line.slope < 1 else 'moderate'}"
    )
    text += (
        f": {short(line.intercept)} + {short(line.slope)} x prediction would remove "
        f"{100 * (1 - line.corrected_share**2):.0f}% of the squared error, and their order is "
        f"intact (correlation {line.correlation:.2f}, "
        f"{describe_labels(offset.window.labelled, offset.window.maturity)})"
    )
    return VerdictReason(
        "calibration",
        text,
        measure="bias",
        value=line.bias,
        baseline=0.0,
        count=offset.window.labelled,
        maturity=offset.window.maturity,
        log10_e_value=offset.log10_e_value,
    )


def rise_reason(rise: LossRise, tolerance: float) -> VerdictReason:
    """Describe a loss above the tolerance."""
    verb = "fell" if rise.value < rise.baseline.value else "rose"
    text = (
        f"{rise.baseline.measure} {verb} from {short(rise.baseline.value)} "
        f"{rise.baseline.source} to {short(rise.value)}, a loss {100 * rise.change:.0f}% higher, "
        f"where {100 * tolerance:g}% is tolerated "
        f"({describe_labels(rise.window.labelled, rise.window.maturity)})"
    )
    return _build_loss_reason("risk", text, rise)


def stable_reason(newest: LabelledWindow, rise: LossRise | None) -> VerdictReason:
    """Describe a loss within the tolerance, or the lack of a baseline."""
    labels = describe_labels(newest.labelled, newest.maturity)
    if rise is None:
        return VerdictReason(
            "no_baseline",
            f"there is no performance at training to compare with ({labels}): give "
            "training_metrics to Reference.fit",
            count=newest.labelled,
            maturity=newest.maturity,
        )
    text = (
        f"{rise.baseline.measure} is {short(rise.value)}, and was {short(rise.baseline.value)} "
        f"{rise.baseline.source}: no rise beyond the tolerance ({labels})"
    )
    return _build_loss_reason("stable", text, rise)


def _build_loss_reason(code: str, text: str, rise: LossRise) -> VerdictReason:
    return VerdictReason(
        "risk" if code == "risk" else "stable",
        text,
        measure=rise.baseline.measure,
        value=rise.value,
        baseline=rise.baseline.value,
        limit=rise.limit,
        count=rise.window.labelled,
        maturity=rise.window.maturity,
        log10_e_value=rise.log10_e_value,
    )


def age_reason(snapshot: ModelSnapshot, max_age_seconds: float | None) -> VerdictReason | None:
    """Describe a model older than its declared maximum; None if it is not or its age is unknown."""
    trained_at = None if snapshot.reference is None else snapshot.reference.trained_at
    if max_age_seconds is None or trained_at is None:
        return None
    age = snapshot.time - trained_at.timestamp()
    if age <= max_age_seconds:
        return None
    text = (
        f"the model is {duration(age)} old, and the declared limit is {duration(max_age_seconds)}"
    )
    return VerdictReason("age", text, measure="age_seconds", value=age, limit=max_age_seconds)
