"""Incidents: what happened, and what to do next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import SELF_EXPLANATORY, Alert
from mlmonitor.formatting import amount, moment, share, short
from mlmonitor.present.names import field_id, show_name
from mlmonitor.present.views.performance_charts import caption_measure
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.records import Role

_SHARES = ("missing", "nonfinite", "wrong_type", "out_of_range", "new_category", "new_field")


@dataclass(frozen=True, slots=True)
class AlertItem:
    """One alert: its subject, its values when it fired and now, and its reason.

    link: the identifier of the alert's field; empty if the page does not list that field.
    """

    link: str
    title: str
    numbers: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentItem:
    """One incident with its alerts; `since` is in UTC."""

    title: str
    advice: str
    since: str
    is_open: bool
    alerts: tuple[AlertItem, ...]


def list_incidents(reading: ModelReading) -> tuple[IncidentItem, ...]:
    """Return all incidents, open ones first; alerts without an incident form one more item."""
    linked = {(field.role, field.name) for field in reading.status.fields}
    items = [
        IncidentItem(
            title=show_name(incident.title),
            advice=show_name(incident.advice),
            since=f"{moment(incident.started_at)}",
            is_open=incident.state == "open",
            alerts=describe_alerts(_refresh(incident.members, reading.status.alerts), linked),
        )
        for incident in reading.status.incidents
    ]
    members = {
        _make_key(alert) for incident in reading.status.incidents for alert in incident.members
    }
    others = [alert for alert in reading.status.alerts if _make_key(alert) not in members]
    if others:
        since = moment(min(alert.started_at for alert in others))
        title = f"{amount(len(others), 'further alert')}"
        items.append(
            IncidentItem(title, "", since, is_open=True, alerts=describe_alerts(others, linked))
        )
    return tuple(sorted(items, key=lambda item: not item.is_open))


def describe_alerts(
    alerts: Sequence[Alert], linked: Collection[tuple[Role, str]]
) -> tuple[AlertItem, ...]:
    """Describe each alert, with its value and its threshold.

    linked: role and name of the fields whose details can be linked.
    """
    return tuple(_describe(alert, has_link=(alert.role, alert.field) in linked) for alert in alerts)


def _describe(alert: Alert, *, has_link: bool) -> AlertItem:
    name = show_name(alert.field)
    where = "" if alert.segment == ALL else f" in {show_name(alert.segment)}"
    what = caption_measure(alert.measure)
    numbers = ""
    if alert.measure not in SELF_EXPLANATORY:
        then, now, chance = (
            _format_number(alert, x) for x in (alert.value, alert.current, alert.threshold)
        )
        rows = amount(alert.rows, "row")
        numbers = f"{now} now, {then} over {rows} when it fired; chance explains up to {chance}"
    if alert.state == "resolved":
        numbers = "over"
    return AlertItem(
        link=field_id(alert.role, alert.field) if has_link else "",
        title=f"{name}{where}: {what}",
        numbers=numbers,
        reason=show_name(alert.reason),
    )


def _format_number(alert: Alert, value: float) -> str:
    return share(round(value * 1e6), 1_000_000) if alert.measure in _SHARES else short(value)


def _make_key(alert: Alert) -> tuple[str, str, str, str]:
    return alert.role, alert.field, alert.segment, alert.measure


def _refresh(members: Sequence[Alert], firing: Sequence[Alert]) -> list[Alert]:
    """Return an incident's members; those still firing are returned in their current state."""
    now = {_make_key(alert): alert for alert in firing}
    return [now.get(_make_key(alert), alert) for alert in members]
