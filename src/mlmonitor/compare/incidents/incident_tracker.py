"""Grouping of alerts: the only place where incidents open, grow and close."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.common_cause import CommonCause
from mlmonitor.compare.incidents.incident import Incident

_Key = tuple[str, str, str, str]


class _OpenIncident:
    """An incident, its alerts that are still firing, and the row at which the last one fired."""

    def __init__(self, incident: Incident, fired_at_row: int) -> None:
        self.incident = incident
        self.firing: set[_Key] = set()
        self.fired_at_row = fired_at_row


class IncidentTracker:
    """Groups alerts whose changes began in the same rows.

    An alert joins an open incident if its change began before the newest alert of that incident
    fired, if both fired in one evaluation, or if it is about a field of its members. An incident
    closes once none of its alerts is firing. Price: nothing until an alert fires; memory for the
    alerts that are open.
    """

    def __init__(self) -> None:
        self._open: list[_OpenIncident] = []

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that are open, the oldest first."""
        return tuple(each.incident for each in self._open)

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

    def _add(
        self,
        fired: Sequence[Alert],
        find_cause: Callable[[Sequence[Alert]], CommonCause],
        row: int,
    ) -> list[Incident]:
        target = next((each for each in self._open if _shares_rows(each, fired, row)), None)
        is_new = target is None
        members = list(fired)
        if target is not None:
            by_key = {_make_key(alert): alert for alert in (*target.incident.members, *fired)}
            members = list(by_key.values())
        title, cause, advice = find_cause(members)
        started_at = min(alert.started_at for alert in members)
        incident = Incident(title, cause, advice, tuple(members), started_at)
        if target is None:
            target = _OpenIncident(incident, row)
            self._open.append(target)
        target.incident, target.fired_at_row = incident, row
        target.firing |= {_make_key(alert) for alert in fired}
        return [incident] if is_new else []

    def _resolve(self, resolved: set[_Key]) -> list[Incident]:
        for each in self._open:
            each.firing -= resolved
        closed = [replace(e.incident, state="closed") for e in self._open if not e.firing]
        self._open = [each for each in self._open if each.firing]
        return closed


def _shares_rows(incident: _OpenIncident, fired: Sequence[Alert], row: int) -> bool:
    """Whether the change behind any of the alerts began before the incident's last alert fired.

    The rows of a segment have no position among all rows, so its alerts join by field.
    """
    began = [row - alert.rows for alert in fired if alert.segment == ALL]
    fields = {(alert.role, alert.field) for alert in incident.incident.members}
    is_same_field = any((alert.role, alert.field) in fields for alert in fired)
    return is_same_field or any(start < incident.fired_at_row for start in began)


def _make_key(alert: Alert) -> _Key:
    return alert.role.value, alert.field, alert.segment, alert.measure
