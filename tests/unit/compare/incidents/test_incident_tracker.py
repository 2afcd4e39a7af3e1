"""Which alerts join an incident, and when it is over."""

from collections.abc import Sequence
from dataclasses import replace

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.incidents.incident_tracker import IncidentTracker
from mlmonitor.records import Role


def alert(field: str, rows: int) -> Alert:
    """Return a drift alert that fires on this many rows."""
    return Alert(field, Role.FEATURE, "all", "psi", 1.0, 1.0, 0.1, 9.0, "firing", rows, 5.0, "")


def resolved(field: str, rows: int) -> Alert:
    """Return the same alert after it has recovered."""
    return replace(alert(field, rows), state="resolved")


def name_fields(alerts: Sequence[Alert]) -> CommonCause:
    """Return a cause whose title lists the fields."""
    return CommonCause("".join(alert.field for alert in alerts), "unknown", "")


def test_alerts_of_one_change_join_one_incident_although_they_fire_at_different_times() -> None:
    """The second fires on rows that began before the first fired."""
    tracker = IncidentTracker()
    (opened,) = tracker.apply([alert("a", 200)], name_fields, row=1_200)
    assert opened.members == (alert("a", 200),)
    assert tracker.apply([alert("b", 400)], name_fields, row=1_400) == []
    (incident,) = tracker.incidents
    assert incident.title == "ab"


def test_a_later_change_is_a_separate_incident() -> None:
    """Its rows began after the newest alert of the first incident had fired."""
    tracker = IncidentTracker()
    tracker.apply([alert("a", 200)], name_fields, row=1_200)
    (second,) = tracker.apply([alert("b", 300)], name_fields, row=9_000)
    assert second.title == "b"
    assert [incident.title for incident in tracker.incidents] == ["a", "b"]


def test_an_incident_is_over_once_all_its_alerts_have_resolved() -> None:
    """It closes once, with all its members."""
    tracker = IncidentTracker()
    tracker.apply([alert("a", 200), alert("b", 200)], name_fields, row=1_200)
    assert tracker.apply([resolved("a", 200)], name_fields, row=3_000) == []
    (closed,) = tracker.apply([resolved("b", 200)], name_fields, row=4_000)
    assert closed.state == "closed"
    assert {member.field for member in closed.members} == {"a", "b"}
    assert tracker.incidents == ()


def test_an_incident_gets_the_cause_that_newer_rows_show() -> None:
    """The cause is searched for all members, and the last one is kept if none shows now."""
    tracker = IncidentTracker()
    tracker.apply([alert("a", 200)], name_fields, row=1_200)
    assert not tracker.is_explained
    assert tracker.reexamine(lambda _: CommonCause("a scaled", "scaled", "")) == []
    assert tracker.reexamine(lambda _: CommonCause("a changed", "unknown", "")) == []
    (incident,) = tracker.incidents
    assert (incident.title, incident.cause) == ("a scaled", "scaled")
    assert [renamed.title for renamed in tracker.drain_renamed()] == ["a scaled"]
    assert tracker.drain_renamed() == []
    tracker.apply([alert("b", 400)], name_fields, row=1_400)
    assert tracker.incidents[0].title == "a scaled"


def test_incidents_of_repeated_rows_are_merged() -> None:
    """The later one closes; the first has the alerts of both, and those of later drift."""
    tracker = IncidentTracker()
    tracker.apply([alert("a", 200)], name_fields, row=1_200)
    tracker.apply([alert("b", 300)], name_fields, row=9_000)
    (ended,) = tracker.reexamine(lambda _: CommonCause("rows repeated", "repeated", ""))
    assert (ended.state, [member.field for member in ended.members]) == ("closed", ["b"])
    assert tracker.apply([alert("c", 300)], name_fields, row=20_000) == []
    (incident,) = tracker.incidents
    assert [member.field for member in incident.members] == ["a", "b", "c"]
    assert tracker.apply([resolved("a", 200), resolved("c", 300)], name_fields, row=30_000) == []
    (closed,) = tracker.apply([resolved("b", 300)], name_fields, row=31_000)
    assert closed.title == "rows repeated"
