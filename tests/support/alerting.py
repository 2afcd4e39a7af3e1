"""Run the shipped rules in a real Prometheus, with an Alertmanager that calls a webhook."""

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlmonitor.present.dashboards.shipped_files import write_files
from support.backends import Prometheus, run_prometheus, running
from support.collector_sink import free_port
from support.hook_server import HookServer, Reply, receive_hooks

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
NEEDS_ALERTMANAGER = pytest.mark.skipif(
    ALERTMANAGER is None, reason="needs Debian's prometheus-alertmanager, or alertmanager"
)
RUNBOOKS = "https://wiki.example/runbooks"
_UNIT_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_ANSWERS = 100_000  # more than any test waits for: Alertmanager expects a 200


class Inbox(NamedTuple):
    """A webhook that stores the alerts that it receives."""

    server: HookServer

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All alerts so far; with a new alert, Alertmanager repeats the others of its group."""
        return [
            alert for hook in list(self.server.hooks) for alert in json.loads(hook.body)["alerts"]
        ]

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the alerts with this name."""
        return [alert for alert in self.alerts if alert["labels"]["alertname"] == name]

    def wait_for(self, name: str, *, seconds: float, **labels: str) -> list[dict[str, Any]]:
        """Wait for an alert with this name and these labels; return all alerts with the name."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(alert["labels"].items() >= labels.items() for alert in self.named(name)):
                break
            time.sleep(0.2)
        return self.named(name)


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Run a webhook."""
    with receive_hooks(*[Reply(200)] * _ANSWERS) as server:
        yield Inbox(server)


@contextmanager
def run_with_alertmanager(folder: Path, inbox: Inbox) -> Iterator[Prometheus]:
    """Run Prometheus with an Alertmanager that calls the inbox, and without rules."""
    assert ALERTMANAGER is not None
    route = {"receiver": "person", "group_wait": "0s", "group_interval": "1s"}
    receiver = {"name": "person", "webhook_configs": [{"url": inbox.server.url}]}
    (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
    alerting = free_port()
    target = {"static_configs": [{"targets": [f"127.0.0.1:{alerting}"]}]}
    settings = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [f"{folder}/*.rules.yml"],
        "alerting": {"alertmanagers": [target]},
        "storage": {"tsdb": {"out_of_order_time_window": "2h"}},
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    manager: list[str | Path] = [
        ALERTMANAGER,
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{alerting}",
        "--cluster.listen-address=",
    ]
    with (
        running(manager, alerting, folder / "alertmanager.log"),
        run_prometheus(folder, "--web.enable-lifecycle") as prometheus,
    ):
        yield prometheus


def start_rules(
    prometheus: Prometheus, folder: Path, *, minute_seconds: float, with_windows: bool
) -> None:
    """Evaluate the shipped rules from now on, accelerated: one minute takes `minute_seconds`.

    with_windows: also shorten the ranges in expressions, for samples that arrive at that pace;
    otherwise only the rules' intervals and `for` durations are shortened.
    """
    prefixes = r"for: |interval: |\[|offset " if with_windows else "for: |interval: "
    pattern = re.compile(rf"({prefixes})(\d+)([mhd])\b")

    def shorten(duration: re.Match[str]) -> str:
        prefix, count, unit = duration.groups()
        milliseconds = int(count) * _UNIT_SECONDS[unit] / 60 * minute_seconds * 1_000
        return f"{prefix}{milliseconds:.0f}ms"

    for path in write_files("alerts", folder, runbooks=RUNBOOKS):
        path.write_text(pattern.sub(shorten, path.read_text(encoding="utf-8")), encoding="utf-8")
    url = f"http://127.0.0.1:{prometheus.port}/-/reload"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60):
        pass
