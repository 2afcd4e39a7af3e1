"""The verdict on a model: a pure function of its snapshot and of the previous verdict."""

from dataclasses import replace
from datetime import UTC, datetime

from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.verdict.bound_reasons import LossBreach, estimate_reason, find_breach
from mlmonitor.verdict.early_rise import find_early_rise, find_standing_rise
from mlmonitor.verdict.input_reasons import (
    defect_reason,
    drift_reason,
    fault_reason,
    label_fault_reason,
    label_reason,
)
from mlmonitor.verdict.labelled_windows import LabelledWindow, list_mature, list_windows
from mlmonitor.verdict.loss_reasons import (
    Miscalibration,
    age_reason,
    calibration_reason,
    find_miscalibration,
    rise_reason,
    stable_reason,
)
from mlmonitor.verdict.loss_rise import LossRise, VerdictLimits, find_rise
from mlmonitor.verdict.verdict import Action, Verdict, VerdictReason

Reasons = list[VerdictReason]


def judge(
    snapshot: ModelSnapshot, limits: VerdictLimits, previous: Verdict | None = None
) -> Verdict:
    """Return the verdict on a snapshot: keep, recalibrate or retrain the model.

    Promise: the action changes only with evidence, and returns to `keep` only once the loss is
        within half the tolerance again. While there are too few labels, the previous action stands.
        Price: some milliseconds with sixty cohorts.
    """
    action, reasons = _decide(snapshot, limits, previous)
    is_unknown = bool(reasons) and reasons[0].code == "few_labels"
    if is_unknown and previous is not None and previous.action != "keep":
        standing = [
            r
            for r in previous.reasons
            if r.code not in ("few_labels", "estimate", "drift", "input")
        ]
        action, reasons = previous.action, [*standing, *reasons]
    rows_at = snapshot.time if snapshot.rows_at is None else snapshot.rows_at
    now = datetime.fromtimestamp(rows_at, UTC)
    since = previous.since if previous is not None and previous.action == action else now
    return Verdict(action, tuple(reasons), since)


def _decide(
    snapshot: ModelSnapshot, limits: VerdictLimits, previous: Verdict | None
) -> tuple[Action, Reasons]:
    """Return the action and its reasons, the decisive one first."""
    action, reasons = _decide_by_labels(snapshot, limits, previous)
    fault = fault_reason(snapshot.incidents) or label_fault_reason(snapshot.labels.fault)
    if action != "keep" and fault is not None:
        return "keep", [fault, *reasons]
    age = age_reason(snapshot, limits.max_age_seconds)
    if action == "keep" and age is None:
        defect = fault or defect_reason(snapshot.alerts)
        reasons = [*reasons, *_list_if_any(defect)]
    if age is not None:
        return "retrain", [age, *reasons] if action != "retrain" else [*reasons, age]
    return action, reasons


def _decide_by_labels(
    snapshot: ModelSnapshot, limits: VerdictLimits, previous: Verdict | None
) -> tuple[Action, Reasons]:
    standing = "keep" if previous is None else previous.action
    mature = list_mature(snapshot.labels.cohorts)
    early = find_early_rise(snapshot.labels.cohorts, snapshot.reference, limits)
    early = early or find_standing_rise(previous, mature)
    windows = list_windows(mature, min_labels=limits.min_labels)
    if not windows and early is None:
        drift = drift_reason(snapshot.alerts, judged_until=None)
        estimate = estimate_reason(snapshot, limits)
        few = label_reason(snapshot, limits.min_labels)
        return "keep", [few, *_list_if_any(estimate), *_list_if_any(drift)]
    rise = find_rise(mature, snapshot.reference, limits)
    offset = find_miscalibration(windows, limits, is_standing=standing == "recalibrate")
    if rise is not None and (rise.is_high or (standing == "retrain" and not rise.is_recovered)):
        return _act_on_rise(rise, offset, limits)
    if early is not None:
        older = _report_stable(windows[0], rise) if windows else None
        return "retrain", [early, *([] if older is None else [_about_older(older)])]
    is_recovered = rise is not None and rise.is_recovered
    breach = find_breach(snapshot, limits, is_recovered=is_recovered)
    if breach is not None:
        return _act_on_breach(breach, offset)
    if offset is not None:
        return "recalibrate", [
            calibration_reason(offset),
            *_list_if_any(_report_stable(windows[0], rise)),
        ]
    judged_until = None if rise is None else mature[-1].end.timestamp()
    drift = drift_reason(snapshot.alerts, judged_until=judged_until)
    return "keep", [stable_reason(windows[0], rise), *_list_if_any(drift)]


def _act_on_rise(
    rise: LossRise, offset: Miscalibration | None, limits: VerdictLimits
) -> tuple[Action, Reasons]:
    """Recalibrate if that would bring the loss back within the tolerance, otherwise retrain."""
    reasons = [rise_reason(rise, limits.tolerance)]
    if offset is None:
        return "retrain", reasons
    corrected = rise.loss * offset.line.corrected_share
    reasons.append(calibration_reason(offset))
    is_enough = corrected <= rise.baseline_loss * (1 + limits.tolerance)
    return ("recalibrate" if is_enough else "retrain"), reasons


def _act_on_breach(breach: LossBreach, offset: Miscalibration | None) -> tuple[Action, Reasons]:
    """Recalibrate if that would bring the loss back to what is accepted, otherwise retrain."""
    if offset is None:
        return "retrain", [breach.reason]
    is_enough = breach.excess * offset.line.corrected_share <= 1
    return ("recalibrate" if is_enough else "retrain"), [breach.reason, calibration_reason(offset)]


def _report_stable(newest: LabelledWindow, rise: LossRise | None) -> VerdictReason | None:
    return None if rise is None else stable_reason(newest, rise)


def _about_older(reason: VerdictReason) -> VerdictReason:
    return replace(reason, text=f"for older predictions, {reason.text}")


def _list_if_any(reason: VerdictReason | None) -> Reasons:
    return [] if reason is None else [reason]
