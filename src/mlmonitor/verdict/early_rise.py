"""Detection of a risen loss while some labels are still to arrive."""

from collections.abc import Sequence
from typing import NamedTuple

from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.snapshot import ReferenceInfo
from mlmonitor.formatting import short
from mlmonitor.verdict.evidence import log10_excess_e_value, required_log10_e_value
from mlmonitor.verdict.labelled_windows import MATURE, LabelledWindow, list_windows, maturity_of
from mlmonitor.verdict.loss_rise import (
    BETTER_HIGH,
    LossBaseline,
    VerdictLimits,
    find_baseline,
    to_loss,
)
from mlmonitor.verdict.verdict import Verdict, VerdictReason, describe_labels

MOSTLY_MATURE, PARTLY_MATURE = 0.8, 0.5
"""The smallest shares of a cohort's labels that can show a rise; see `find_early_rise`."""

_ADDITIVE = frozenset({"mae", "mape", "log_loss", "brier", "accuracy", "ndcg", "mrr"})
"""Measures that are means of row losses, none of them negative."""


class _Assumption(NamedTuple):
    """An assumption about missing labels, for cohorts whose maturity is at least `maturity`."""

    maturity: float
    has_no_loss: bool
    words: str


_ASSUMPTIONS = (
    _Assumption(MOSTLY_MATURE, has_no_loss=False, words="show a loss as before"),
    _Assumption(PARTLY_MATURE, has_no_loss=True, words="show no loss at all"),
)


def find_early_rise(
    cohorts: Sequence[Cohort], reference: ReferenceInfo | None, limits: VerdictLimits
) -> VerdictReason | None:
    """Return why the loss has risen even before all labels have arrived; None otherwise.

    The first labels of a cohort are not a random sample. Cohorts with at least 80% of their labels
    are judged as if the missing labels had the baseline's loss. Cohorts with at least 50% are
    judged as if the missing labels had no loss, the least possible. Immature cohorts can thus show
    a rise, but not the absence of one.
    """
    for assumption in _ASSUMPTIONS:
        partly = [c for c in cohorts if c.labelled and maturity_of(c) >= assumption.maturity]
        windows = list_windows(partly, min_labels=limits.min_labels)
        baseline = find_baseline(partly, windows[0], reference, limits) if windows else None
        if baseline is None or baseline.measure not in _ADDITIVE:
            return None
        if min(map(maturity_of, partly)) >= MATURE:  # mature cohorts need no assumption
            continue
        if _is_low(windows[0], baseline, limits):  # then older windows do not matter
            continue
        reasons = [
            _compare_losses(window, partly, baseline, (limits, assumption)) for window in windows
        ]
        needed = required_log10_e_value(limits.alpha)
        high = [reason for reason in reasons if (reason.log10_e_value or 0.0) >= needed]
        if high:
            return max(high, key=lambda reason: reason.log10_e_value or 0.0)
    return None


def find_standing_rise(previous: Verdict | None, mature: Sequence[Cohort]) -> VerdictReason | None:
    """Return the early rise of the previous verdict while newer cohorts are immature, or None.

    It stands until a cohort that began at or after the rise is mature. The estimated maturity of a
    cohort may fall when a new cohort begins, and older predictions cannot refute a rise among newer
    ones.
    """
    for reason in () if previous is None else previous.reasons:
        since = reason.predictions_since
        if since is not None and not any(cohort.start >= since for cohort in mature):
            return reason
    return None


def _is_low(newest: LabelledWindow, baseline: LossBaseline, limits: VerdictLimits) -> bool:
    """Whether the loss of the newest window is within half the tolerance."""
    loss = to_loss(baseline.measure, newest.performance[baseline.measure]).value
    return loss <= _compute_baseline_loss(baseline) * (1 + limits.tolerance / 2)


def _compute_baseline_loss(baseline: LossBaseline) -> float:
    return 1 - baseline.value if baseline.measure in BETTER_HIGH else baseline.value


def _compare_losses(
    window: LabelledWindow,
    partly: Sequence[Cohort],
    baseline: LossBaseline,
    how: tuple[VerdictLimits, _Assumption],
) -> VerdictReason:
    """Compare a window's loss, completed by the assumption about missing labels, with its limit."""
    measure, (limits, assumption) = baseline.measure, how
    members = [cohort for cohort in partly if cohort.start >= window.start]
    expected = sum(cohort.labelled / maturity_of(cohort) for cohort in members)
    share = sum(cohort.labelled for cohort in members) / expected
    trained = _compute_baseline_loss(baseline)
    rest = 0.0 if assumption.has_no_loss else (1 - share) * trained
    loss = to_loss(measure, window.performance[measure])
    whole = loss._replace(
        value=share * loss.value + rest, low=share * loss.low + rest, high=share * loss.high + rest
    )
    limit = trained * (1 + limits.tolerance)
    evidence = log10_excess_e_value(whole, limit, deviation=baseline.deviation)
    text = (
        f"the loss ({measure}) is {short(whole.value)} even if the labels still to arrive "
        f"{assumption.words}, and was {short(trained)} {baseline.source}: beyond the tolerance of "
        f"{100 * limits.tolerance:g}% ({describe_labels(window.labelled, share)})"
    )
    return VerdictReason(
        "risk",
        text,
        measure=measure,
        value=float(window.performance[measure].value),
        baseline=float(baseline.value),
        limit=float(1 - limit if measure in BETTER_HIGH else limit),
        count=window.labelled,
        maturity=float(share),
        log10_e_value=float(evidence),
        predictions_since=window.start,
    )
