"""Grouping of alerts: the only place where incidents open, grow and close."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.drift.drift import PSI
from mlmonitor.compare.incidents.incident import Incident

_Key = tuple[str, str, str, str]

UNKNOWN: Final = "unknown"
"""The cause of an incident that is to be examined again."""

_REPEATED: Final = "repeated"
_PERFORMANCE: Final = "performance"


class _OpenIncident:
    """An incident, its alerts that are still firing, and the row at which the latest one fired."""

    def __init__(self, incident: Incident, fired_at_row: int) -> None:
        self.incident = incident
        self.firing: set[_Key] = {_make_key(alert) for alert in incident.members}
        self.fired_at_row = fired_at_row
        self.is_examined = False
        """Whether the cause was found in rows that arrived since the incident opened."""

    def grow(
        self,
        fired: Sequence[Alert],
        find_cause: Callable[[Sequence[Alert]], CommonCause],
        row: int,
    ) -> None:
        """Add alerts; a cause found in the window does not replace one from newer rows."""
        self._join(fired)
        self.fired_at_row = row
        if not self.is_examined:
            common = find_cause(self.incident.members)
            if common.cause != UNKNOWN or self.incident.cause == UNKNOWN:
                self.incident = _explain(self.incident, common)

    def absorb(self, other: "_OpenIncident") -> None:
        """Add the alerts of another incident of the same cause."""
        firing = self.firing | other.firing
        self._join(other.incident.members)
        self.firing, self.fired_at_row = firing, max(self.fired_at_row, other.fired_at_row)

    def _join(self, alerts: Sequence[Alert]) -> None:
        members = {_make_key(alert): alert for alert in (*self.incident.members, *alerts)}
        started_at = min(alert.started_at for alert in members.values())
        self.incident = replace(
            self.incident, members=tuple(members.values()), started_at=started_at
        )
        self.firing |= {_make_key(alert) for alert in alerts}


class IncidentTracker:
    """Groups alerts whose changes began in the same rows.

    An alert joins an open incident if its change began before the newest alert of that incident
    fired, if both fired in one evaluation, or if the incident has an alert about the same field.
    All drift alerts join an incident of repeated rows, if one is open. An incident closes once none
    of its alerts is firing.
    Price: nothing until an alert fires; then the memory of the open alerts.
    """

    def __init__(self) -> None:
        self._open: list[_OpenIncident] = []
        self._renamed: list[Incident] = []

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that are open, the oldest first."""
        return tuple(open_incident.incident for open_incident in self._open)

    def apply(
        self,
        changed: Sequence[Alert],
        find_cause: Callable[[Sequence[Alert]], CommonCause],
        *,
        row: int,
    ) -> list[Incident]:
        """Sort alerts that fired or resolved at this row; return incidents that opened or closed.

        find_cause: returns the cause of alerts; called only for incidents that grew.
        """
        fired = [alert for alert in changed if alert.state == "firing"]
        resolved = {_make_key(alert) for alert in changed if alert.state == "resolved"}
        opened = self._add(fired, find_cause, row) if fired else []
        return [*opened, *self._resolve(resolved)]

    @property
    def is_explained(self) -> bool:
        """Whether the cause of each open incident is known."""
        return all(open_incident.incident.cause != UNKNOWN for open_incident in self._open)

    def reexamine(self, find_cause: Callable[[Sequence[Alert]], CommonCause]) -> list[Incident]:
        """Update the cause of open incidents, except where a cause is no longer found.

        All incidents of repeated rows become one, because they have the same cause wherever their
        changes began. Returns those that were absorbed, as closed.
        """
        for open_incident in self._open:
            common = find_cause(open_incident.incident.members)
            is_known = common.cause != UNKNOWN
            if is_known or open_incident.incident.cause == UNKNOWN:
                has_changed = common.title != open_incident.incident.title
                open_incident.incident = _explain(open_incident.incident, common)
                open_incident.is_examined |= is_known
                self._renamed += [open_incident.incident] if has_changed else []
        repeated = [
            open_incident
            for open_incident in self._open
            if open_incident.incident.cause == _REPEATED
        ]
        for other in repeated[1:]:
            repeated[0].absorb(other)
        self._open = [
            open_incident for open_incident in self._open if open_incident not in repeated[1:]
        ]
        return [replace(open_incident.incident, state="closed") for open_incident in repeated[1:]]

    def name_fault(self, fault: CommonCause) -> None:
        """Name the label fault behind incidents of performance, once newer labels have shown it."""
        for open_incident in self._open:
            if open_incident.incident.cause == _PERFORMANCE:
                open_incident.incident, open_incident.is_examined = (
                    _explain(open_incident.incident, fault),
                    True,
                )
                self._renamed.append(open_incident.incident)

    def drain_renamed(self) -> list[Incident]:
        """Return the incidents whose title has changed since the last call, for the event log."""
        renamed, self._renamed = self._renamed, []
        return renamed

    def _add(
        self,
        fired: Sequence[Alert],
        find_cause: Callable[[Sequence[Alert]], CommonCause],
        row: int,
    ) -> list[Incident]:
        target = next(
            (
                open_incident
                for open_incident in self._open
                if _shares_rows(open_incident, fired, row)
            ),
            None,
        )
        if target is not None:
            target.grow(fired, find_cause, row)
            return []
        started_at = min(alert.started_at for alert in fired)
        incident = Incident(*find_cause(fired), tuple(fired), started_at)
        target = _OpenIncident(incident, row)
        self._open.append(target)
        return [incident]

    def _resolve(self, resolved: set[_Key]) -> list[Incident]:
        for open_incident in self._open:
            open_incident.firing -= resolved
        closed = [replace(e.incident, state="closed") for e in self._open if not e.firing]
        self._open = [open_incident for open_incident in self._open if open_incident.firing]
        return closed


def _shares_rows(incident: _OpenIncident, fired: Sequence[Alert], row: int) -> bool:
    """Whether alerts belong to an incident, because their changes share rows or a field.

    Rows are shared if a change began before the incident's newest alert fired. The rows of a
    segment have no position among all rows, so its alerts join only by field.
    """
    began = [row - alert.rows for alert in fired if alert.segment == ALL]
    fields = {(alert.role, alert.field) for alert in incident.incident.members}
    is_same_field = any((alert.role, alert.field) in fields for alert in fired)
    if incident.incident.cause == _REPEATED and all(alert.measure == PSI for alert in fired):
        return True
    return is_same_field or any(start < incident.fired_at_row for start in began)


def _explain(incident: Incident, common: CommonCause) -> Incident:
    title, cause, advice = common
    return replace(incident, title=title, cause=cause, advice=advice)


def _make_key(alert: Alert) -> _Key:
    return alert.role.value, alert.field, alert.segment, alert.measure
