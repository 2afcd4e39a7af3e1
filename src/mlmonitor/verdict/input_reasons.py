"""Verdict reasons from alerts, incidents and missing labels."""

from collections.abc import Sequence
from typing import Final

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.incidents.incident import DATA_FAULTS, Incident
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Role
from mlmonitor.verdict.labelled_windows import maturity_of
from mlmonitor.verdict.verdict import VerdictReason

_NAMED = 3

_DEFECTS: Final = {
    "vanished": "lost",
    "constant": "stuck at one value",
    "wrong_type": "has values of the wrong type",
    "nonfinite": "has values that are not finite",
    "missing": "has missing values",
    "new_category": "has only new values",
}
"""Measures whose alerts show a defective field and not drift, the most severe first."""

_MOSTLY = 0.5  # a field with at least this share of new values is defective


def fault_reason(incidents: Sequence[Incident]) -> VerdictReason | None:
    """Describe open incidents whose cause is a fault of the data; None if there are none."""
    faults = [incident for incident in incidents if incident.cause in DATA_FAULTS]
    if not faults:
        return None
    fields = tuple(dict.fromkeys(alert.field for fault in faults for alert in fault.members))
    titles = ", ".join(truncate(fault.title, 80) for fault in faults[:_NAMED])
    return VerdictReason("input", f"repair the data first: {titles}", fields=fields)


def label_fault_reason(fault: CommonCause | None) -> VerdictReason | None:
    """Describe a fault of the labels, of their join or of the scores; None if `fault` is None."""
    if fault is None:
        return None
    return VerdictReason("input", f"repair the labels first: {fault.title}; {fault.advice}")


def find_defects(alerts: Sequence[Alert]) -> dict[tuple[Role, str], str]:
    """Return the defective fields by role and name, each with the measure of its most severe alert.

    A field is defective if its values are lost, stuck, unreadable or mostly new. Actuals are left
    out.
    """
    defects: dict[tuple[Role, str], str] = {}
    for measure in reversed(_DEFECTS):
        for alert in alerts:
            is_slight = measure == "new_category" and alert.current < _MOSTLY
            if alert.measure == measure and alert.role is not Role.ACTUAL and not is_slight:
                defects[alert.role, alert.field] = measure
    return defects


def defect_reason(alerts: Sequence[Alert]) -> VerdictReason | None:
    """Describe fields that an alert shows to be defective; None if there are none."""
    defects = find_defects(alerts)
    if not defects:
        return None
    fields = tuple(dict.fromkeys(field for _, field in defects))
    named = [f"{truncate(f, 40)} {_DEFECTS[measure]}" for (_, f), measure in defects.items()]
    return VerdictReason("input", f"repair the data: {_join_first(named)}", fields=fields)


def drift_reason(alerts: Sequence[Alert], *, judged_until: float | None) -> VerdictReason | None:
    """Describe drift of features and predictions; None if no alert about it is firing.

    Defective fields are left out: see `defect_reason`. judged_until: the end of the newest cohort
    whose loss has not risen, in seconds since 1970; None if there is none. The harm of drift that
    began later is unknown.
    """
    defective = find_defects(alerts)
    drifted = [
        alert
        for alert in alerts
        if alert.measure == "psi"
        and alert.role is not Role.ACTUAL
        and (alert.role, alert.field) not in defective
    ]
    fields = tuple(dict.fromkeys(alert.field for alert in drifted))
    if not fields:
        return None
    names = _join_first([truncate(name, 40) for name in fields])
    began_at = max(alert.started_at for alert in drifted)
    is_judged = judged_until is not None and began_at < judged_until
    effect = (
        ", without harm to performance"
        if is_judged
        else "; labels do not show yet whether it does harm"
    )
    return VerdictReason("drift", f"drift in {names}{effect}", fields=fields)


def _join_first(texts: Sequence[str]) -> str:
    """Join the first three texts, followed by how many more there are."""
    others = [f"{len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    *most, last = [*texts[:_NAMED], *others]
    return f"{', '.join(most)} and {last}" if most else last


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
