"""From rows to a person: the shipped rules, Prometheus, Alertmanager, and a webhook."""

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mlmonitor import Otlp
from mlmonitor.present.dashboards.shipped_files import write_files
from support.backends import Prometheus, program, running
from support.collector_sink import free_port
from support.history import MINUTES, lived_through

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
RUNBOOKS = "https://wiki.example/runbooks"
EVALUATIONS_SECONDS = 30.0

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        ALERTMANAGER is None, reason="needs Debian's prometheus-alertmanager, or alertmanager"
    ),
]


class Inbox:
    """A webhook that keeps the alerts it is told of."""

    def __init__(self) -> None:
        alerts: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                alerts.extend(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.alerts = alerts
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def wait_for(self, name: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts of one name, awaited until one has these labels, for some evaluations."""
        deadline = time.monotonic() + EVALUATIONS_SECONDS
        while time.monotonic() < deadline:
            if any(alert["labels"].items() >= labels.items() for alert in self.named(name)):
                break
            time.sleep(0.2)
        return self.named(name)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The alerts of one name."""
        return [alert for alert in self.alerts if alert["labels"]["alertname"] == name]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A running webhook."""
    people = Inbox()
    thread = Thread(target=people.server.serve_forever)
    thread.start()
    yield people
    people.server.shutdown()
    thread.join()
    people.server.server_close()


@pytest.fixture
def prometheus(tmp_path: Path, inbox: Inbox) -> Iterator[Prometheus]:
    """With an Alertmanager, and no rules yet."""
    route = {"receiver": "person", "group_wait": "0s", "group_interval": "1s"}
    receiver = {"name": "person", "webhook_configs": [{"url": inbox.url}]}
    (tmp_path / "alertmanager.yml").write_text(
        json.dumps({"route": route, "receivers": [receiver]})
    )
    alerting, port = free_port(), free_port()
    target = {"static_configs": [{"targets": [f"127.0.0.1:{alerting}"]}]}
    settings = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [f"{tmp_path}/*.rules.yml"],
        "alerting": {"alertmanagers": [target]},
        "storage": {"tsdb": {"out_of_order_time_window": "2h"}},
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    assert ALERTMANAGER is not None
    manager: list[str | Path] = [
        ALERTMANAGER,
        f"--config.file={tmp_path}/alertmanager.yml",
        f"--storage.path={tmp_path}/alertmanager",
        f"--web.listen-address=127.0.0.1:{alerting}",
        "--cluster.listen-address=",
    ]
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
        "--web.enable-lifecycle",
    ]
    with (
        running(manager, alerting, tmp_path / "alertmanager.log"),
        running(command, port, tmp_path / "prometheus.log"),
    ):
        yield Prometheus(port)


def start_rules(prometheus: Prometheus, folder: Path) -> None:
    """Evaluate the shipped rules from now on, a minute of theirs a second long."""
    for path in write_files("alerts", folder, runbooks=RUNBOOKS):
        text = path.read_text(encoding="utf-8")
        for minutes in (1, 5, 10, 15, 30):
            text = text.replace(f"for: {minutes}m\n", f"for: {minutes}s\n")
        path.write_text(text.replace("interval: 1m", "interval: 1s"), encoding="utf-8")
    url = f"http://127.0.0.1:{prometheus.port}/-/reload"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60):
        pass


def test_a_drift_reaches_a_person_with_its_runbook(
    prometheus: Prometheus, inbox: Inbox, tmp_path: Path
) -> None:
    """Of the field that drifted, in words; the model that did not drift is not mentioned."""
    with lived_through(lambda: [Otlp.collector(f"{prometheus.otlp}/v1/metrics")]):
        start_rules(prometheus, tmp_path)
        for name, page in (("MlmonitorDrift", "drift"), ("MlmonitorFleetPsi", "fleet-psi")):
            alerts = inbox.wait_for(name, field="amount", role="feature")
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
        start_rules(prometheus, tmp_path)
        time.sleep(EVALUATIONS_SECONDS / 2)
        evaluated = 'count(mlmonitor:field_psi_1h{field="amount",role="feature"})'
        prometheus.wait_for_number(evaluated, 2)
    assert inbox.alerts == []
