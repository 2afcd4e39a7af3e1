"""From rows to a person: the shipped rules, Prometheus, Alertmanager, and a webhook."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmonitor import Otlp
from support.alerting import (
    ALERTMANAGER,
    RUNBOOKS,
    Inbox,
    open_inbox,
    run_with_alertmanager,
    start_rules,
)
from support.backends import Prometheus
from support.history import MINUTES, lived_through

EVALUATIONS_SECONDS = 30.0

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        ALERTMANAGER is None, reason="needs Debian's prometheus-alertmanager, or alertmanager"
    ),
]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A running webhook."""
    with open_inbox() as inbox:
        yield inbox


@pytest.fixture
def prometheus(tmp_path: Path, inbox: Inbox) -> Iterator[Prometheus]:
    """With an Alertmanager, and no rules yet."""
    with run_with_alertmanager(tmp_path, inbox) as prometheus:
        yield prometheus


def test_a_drift_reaches_a_person_with_its_runbook(
    prometheus: Prometheus, inbox: Inbox, tmp_path: Path
) -> None:
    """Of the field that drifted, in words; the model that did not drift is not mentioned."""
    with lived_through(lambda: [Otlp.collector(f"{prometheus.otlp}/v1/metrics")]):
        start_rules(prometheus, tmp_path, minute_seconds=1.0, with_windows=False)
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


def test_nobody_is_called_while_all_is_well(
    prometheus: Prometheus, inbox: Inbox, tmp_path: Path
) -> None:
    """The same hour without its drift, its missing values and its failures."""
    with lived_through(
        lambda: [Otlp.collector(f"{prometheus.otlp}/v1/metrics")],
        drift_minute=MINUTES,
        is_clean=True,
    ) as history:
        assert history.severity[0].status().alerts == ()
        start_rules(prometheus, tmp_path, minute_seconds=1.0, with_windows=False)
        time.sleep(EVALUATIONS_SECONDS / 2)
        evaluated = 'count(mlmonitor:field_psi_1h{field="amount",role="feature"})'
        prometheus.wait_for_number(evaluated, 2)
    assert inbox.alerts == []
