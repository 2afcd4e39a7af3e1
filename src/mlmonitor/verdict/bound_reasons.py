"""Verdict reasons from risk alerts, declared bounds and estimated performance."""

from typing import NamedTuple

from mlmonitor.aggregate.outcomes.row_losses import to_measure
from mlmonitor.compare.performance.performance import MEASURES
from mlmonitor.compare.risk.risk import Risk
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.formatting import amount, short
from mlmonitor.verdict.labelled_windows import MATURE, maturity_of
from mlmonitor.verdict.loss_rise import VerdictLimits, measures_of, to_loss
from mlmonitor.verdict.verdict import VerdictReason

_JUDGED = ("mae", "brier", "accuracy", "ndcg", "mrr")
"""Risks that a verdict uses. Recall and precision also change with the mix of classes."""

_IMMATURE_SHARE = 0.2


class LossBreach(NamedTuple):
    """A loss beyond its accepted limit, shown by evidence that is valid at any time.

    excess: the loss divided by the largest accepted loss.
    """

    reason: VerdictReason
    excess: float


def find_breach(
    snapshot: ModelSnapshot, limits: VerdictLimits, *, is_recovered: bool
) -> LossBreach | None:
    """Return the worst firing risk or broken bound of performance; None if there is neither.

    A risk or bound does not count if more than a fifth of its labels belong to immature cohorts,
    because the first labels of a cohort are not a random sample. is_recovered: whether the newest
    mature labels are good again. Risks are then ignored, because a risk covers all labels since its
    alert fired and recovers later.
    """
    risks = () if is_recovered else snapshot.labels.risks.values()
    breaches = [
        _describe_risk_breach(risk, limits)
        for risk in risks
        if risk.is_firing and risk.measure in _JUDGED and _is_mature(snapshot, risk.count, limits)
    ]
    breaches += _list_broken_bounds(snapshot, limits)
    beyond = [breach for breach in breaches if breach.excess > 1]
    return max(beyond, key=lambda breach: breach.excess, default=None)


def estimate_reason(snapshot: ModelSnapshot, limits: VerdictLimits) -> VerdictReason | None:
    """Describe the performance estimated without labels; None if it or its baseline is unknown.

    An estimate never changes the action: a harder mix of rows worsens it as well, and a new model
    would not make these rows easier.
    """
    estimated, reference = snapshot.labels.estimated, snapshot.reference
    if estimated is None or reference is None:
        return None
    for measure in measures_of(estimated.task):
        trained = reference.losses.get(measure, reference.training_metrics.get(measure))
        if measure not in estimated or trained is None:
            continue
        estimate = estimated[measure]
        loss = to_loss(measure, estimate)
        limit = to_measure(measure, to_measure(measure, trained) * (1 + limits.tolerance))
        is_beyond = loss.low > to_measure(measure, limit)
        refutation = estimated.refutation if measure in estimated.refuted else None
        text = (
            f"{measure} is estimated at {short(estimate.value)} ({short(estimate.low)} to "
            f"{short(estimate.high)}) without labels, and was {short(trained)} at training: "
        )
        text += refutation or (
            f"{'beyond' if is_beyond else 'not beyond'} the tolerance, if {estimated.assumption}"
        )
        return VerdictReason(
            "estimate",
            text,
            measure=measure,
            value=float(estimate.value),
            baseline=float(trained),
            limit=float(limit),
            count=int(estimate.count),
        )
    return None


def _is_mature(snapshot: ModelSnapshot, labels: int, limits: VerdictLimits) -> bool:
    """Whether at most a fifth of the newest `labels` labels belong to immature cohorts.

    Always true if `performance_maturity` excludes immature cohorts anyway.
    """
    if limits.performance_maturity >= MATURE:
        return True
    young = [c.labelled for c in snapshot.labels.cohorts if maturity_of(c) < MATURE]
    return sum(young) <= _IMMATURE_SHARE * labels


def _describe_risk_breach(risk: Risk, limits: VerdictLimits) -> LossBreach:
    loss, before = to_measure(risk.measure, risk.value), to_measure(risk.measure, risk.reference)
    accepted = before * (1 + limits.tolerance)
    verb = "fell" if risk.value < risk.reference else "rose"
    text = (
        f"{risk.measure} {verb} from {short(risk.reference)} to {short(risk.value)} over the "
        f"newest {amount(risk.count, 'label')}, beyond the tolerance of "
        f"{100 * limits.tolerance:g}%, with evidence that is valid at any time"
    )
    reason = VerdictReason(
        "risk",
        text,
        measure=risk.measure,
        value=float(risk.value),
        baseline=float(risk.reference),
        limit=float(to_measure(risk.measure, accepted)),
        count=int(risk.count),
        log10_e_value=float(risk.log10_e_value),
    )
    return LossBreach(reason, loss / accepted if accepted > 0 else float("inf"))


def _list_broken_bounds(snapshot: ModelSnapshot, limits: VerdictLimits) -> list[LossBreach]:
    """Return the declared performance objectives that are not met."""
    breaches = []
    for status in snapshot.objectives:
        bound = status.objective.maximum
        is_above = bound is not None and status.value > bound
        bound = bound if is_above else status.objective.minimum
        is_judged = status.objective.measure in MEASURES and status.is_met is False
        if not is_judged or bound is None or not _is_mature(snapshot, status.count, limits):
            continue
        text = (
            f"{status.objective.measure} is {short(status.value)} over "
            f"{amount(status.count, 'label')}, and the declared "
            f"{'maximum' if is_above else 'minimum'} is {short(bound)}"
        )
        reason = VerdictReason(
            "bounds",
            text,
            measure=status.objective.measure,
            value=float(status.value),
            limit=float(bound),
            count=int(status.count),
            log10_e_value=float(status.log10_e_value),
        )
        ratio = status.value / bound if is_above else bound / status.value
        breaches.append(LossBreach(reason, float(ratio) if ratio > 1 else 1.0 + 1e-9))
    return breaches
