"""Values in a notebook: fragments of HTML, with every name as text."""

from mlmonitor import Reference
from support.html_checks import Document
from support.shown_models import HOSTILE, claims_reference, hostile_monitor, shifted_monitor


def test_status_alert_incident_and_reference_are_shown_in_a_notebook() -> None:
    """They show what their text says, partly as tables."""
    with shifted_monitor() as monitor:
        status = monitor.status()
    status_html = Document(status._repr_html_())
    assert "table" in status_html.tags
    assert status.incidents[0].title in status_html.text
    alert = next(alert for alert in status.alerts if alert.field == "limit")
    assert "limit" in Document(alert._repr_html_()).text
    assert alert.reason in Document(alert._repr_html_()).text
    incident = Document(status.incidents[0]._repr_html_())
    assert status.incidents[0].advice in incident.text
    reference = Document(claims_reference()._repr_html_())
    assert "4,000 rows" in reference.text
    assert "customer_age" in reference.text
    for document in (status_html, incident, reference):
        assert document.problems == []


def test_hostile_names_are_shown_as_text_in_a_notebook() -> None:
    """The fragment becomes part of the notebook's page and must not run anything."""
    with hostile_monitor() as monitor:
        status, reference = monitor.status(), monitor.reference
    assert isinstance(reference, Reference)
    values = (status, reference, *status.alerts, *status.incidents)
    assert len(values) > 4
    for value in values:
        document = Document(value._repr_html_())
        assert document.problems == []
        assert "script" not in document.tags
        assert document.find_active() == []
    assert HOSTILE[0] in Document(status._repr_html_()).text
