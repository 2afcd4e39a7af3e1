"""Reasons that alerts, incidents and the lack of labels give."""

from collections.abc import Sequence

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Role
from mlmonitor.verdict.labelled_windows import maturity_of
from mlmonitor.verdict.verdict import VerdictReason

_FAULTS = (
    *("renamed", "respelt", "merged", "exchanged", "unreadable"),
    *("swapped", "filled", "lost", "stuck", "repeated"),
)
"""Causes that are repaired in the data; a model trained on such rows would learn the fault."""

_NAMED = 3


def fault_reason(incidents: Sequence[Incident]) -> VerdictReason | None:
    """Describe open incidents whose cause is a fault of the data; None if there are none."""
    faults = [incident for incident in incidents if incident.cause in _FAULTS]
    if not faults:
        return None
    fields = tuple(dict.fromkeys(alert.field for fault in faults for alert in fault.members))
    titles = ", ".join(truncate(fault.title, 80) for fault in faults[:_NAMED])
    return VerdictReason("input", f"repair the data first: {titles}", fields=fields)


def label_fault_reason(fault: CommonCause | None) -> VerdictReason | None:
    """Describe a fault of the labels, of their join or of the scores; None if there is none."""
    if fault is None:
        return None
    return VerdictReason("input", f"repair the labels first: {fault.title}; {fault.advice}")


def drift_reason(alerts: Sequence[Alert], *, judged_until: float | None) -> VerdictReason | None:
    """Describe drift of features and predictions; None if no alert about it is firing.

    judged_until: the end of the newest cohort whose loss has not risen, in seconds since 1970; None
    if there is none. Drift that began later has not been judged.
    """
    drifted = [a for a in alerts if a.measure == "psi" and a.role is not Role.ACTUAL]
    fields = tuple(dict.fromkeys(alert.field for alert in drifted))
    if not fields:
        return None
    names = ", ".join(truncate(name, 40) for name in fields[:_NAMED])
    more = f" and {len(fields) - _NAMED} more" if len(fields) > _NAMED else ""
    began_at = max(alert.started_at for alert in drifted)
    is_judged = judged_until is not None and began_at < judged_until
    effect = "without harm" if is_judged else "whose harm is unknown"
    return VerdictReason("drift", f"drift of {names}{more} {effect}", fields=fields)


def label_reason(snapshot: ModelSnapshot, min_labels: int) -> VerdictReason:
    """Describe how many labels there are, and how many a verdict needs."""
    cohorts = snapshot.labels.cohorts
    labelled = sum(cohort.labelled for cohort in cohorts)
    predicted = sum(cohort.predicted for cohort in cohorts)
    maturity = min(map(maturity_of, cohorts), default=None)
    text = f"too few labels to judge: {labelled:,} of {amount(predicted, 'prediction')}"
    if labelled >= min_labels:
        text += ", and most labels of these predictions are still to arrive"
    else:
        text += f", and {min_labels:,} are needed"
    return VerdictReason(
        "few_labels", text, limit=float(min_labels), count=labelled, maturity=maturity
    )
