"""From rows to a notified person: the shipped rules, Prometheus, Alertmanager and a webhook."""

import json
import time
from pathlib import Path

import pytest

from mlmonitor import Otlp
from support.alerting import NEEDS_ALERTMANAGER, RUNBOOKS, Inbox, start_rules
from support.backends import Prometheus
from support.history import MINUTES, lived_through

EVALUATIONS_SECONDS = 30.0

pytestmark = [pytest.mark.integration, NEEDS_ALERTMANAGER]


def test_an_alert_on_drift_reaches_a_person_with_its_runbook(
    alerting_prometheus: Prometheus, inbox: Inbox, tmp_path: Path
) -> None:
    """It names the field that drifted and does not mention the model that did not drift."""
    with lived_through(lambda: [Otlp.collector(f"{alerting_prometheus.otlp}/v1/metrics")]):
        start_rules(alerting_prometheus, tmp_path, minute_seconds=1.0, with_windows=False)
        for name, page in (("MlmonitorDrift", "drift"), ("MlmonitorFleetPsi", "fleet-psi")):
            alerts = inbox.wait_for(
                name, seconds=EVALUATIONS_SECONDS, field="amount", role="feature"
            )
            assert {alert["labels"]["model_name"] for alert in alerts} == {"severity"}
            texts = {alert["annotations"]["summary"] for alert in alerts}
            assert any(
                text.startswith("Field amount (feature) of severity 7 has drifted")
                for text in texts
            )
            links = {alert["annotations"]["runbook_url"] for alert in alerts}
            assert links == {f"{RUNBOOKS}/{page}.md"}
    for alert in inbox.alerts:
        assert "error expanding" not in json.dumps(alert["annotations"]), alert
        assert "<no value>" not in json.dumps(alert["annotations"]), alert


def test_no_one_is_notified_while_nothing_is_wrong(
    alerting_prometheus: Prometheus, inbox: Inbox, tmp_path: Path
) -> None:
    """The same hour without drift, missing values and failures sends no notification."""
    with lived_through(
        lambda: [Otlp.collector(f"{alerting_prometheus.otlp}/v1/metrics")],
        drift_minute=MINUTES,
        is_clean=True,
    ) as history:
        assert history.severity[0].status().alerts == ()
        start_rules(alerting_prometheus, tmp_path, minute_seconds=1.0, with_windows=False)
        time.sleep(EVALUATIONS_SECONDS / 2)
        evaluated = 'count(mlmonitor:field_psi_1h{field="amount",role="feature"})'
        alerting_prometheus.wait_for_number(evaluated, 2)
    assert inbox.alerts == []
