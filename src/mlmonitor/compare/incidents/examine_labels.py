"""Searches for a fault of labels, and names it in the incidents that it explains."""

from collections.abc import Iterable

from mlmonitor.compare.drift.drift import PSI
from mlmonitor.compare.incidents.incident_tracker import IncidentTracker
from mlmonitor.compare.population import Population
from mlmonitor.compare.risk.risk_alerts import RiskAlerts
from mlmonitor.records import Role

_MOVED = (Role.FEATURE, Role.PREDICTION, Role.ACTUAL)


def examine_labels(
    risk: RiskAlerts | None, populations: Iterable[Population], incidents: IncidentTracker
) -> None:
    """Search for a fault of labels in the pairs that arrived since the last call.

    Price: nothing without new pairs.
    """
    if risk is None or not risk.faults.is_due:
        return
    drifts = {
        (alert.role, alert.field, alert.segment)
        for population in populations
        for alert in population.alerts
        if alert.measure == PSI and alert.role in _MOVED
    }
    risk.examine_pairs(drifts)
    if risk.faults.current is not None:
        incidents.name_fault(risk.faults.current)
