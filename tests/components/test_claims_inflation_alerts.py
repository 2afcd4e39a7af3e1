"""The demo's claims before and after their inflation: which alerts fire, and how soon.

A minute of the rules lasts half a second here and covers ten days of claims, since all durations in
the rules are shortened by the same factor. Steps are paced by evaluations, so a slow machine takes
longer but gives the same results.

The model is watched for a year before the rules start. Its first labels are those of claims that
close fast, which is a real change of the actual values that monitor and rules report.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

from mlmonitor import Config, Monitor, Otlp
from support.alerting import NEEDS_ALERTMANAGER, Inbox, start_rules
from support.backends import Prometheus
from support.example_modules import import_from_demo

MINUTE_SECONDS = 0.5
STEP = timedelta(days=10)
STEPS_OF_A_SEASON = 9  # later on, the mix of the claims' lines changes by itself
YEAR_OF_CLAIMS = 4_000
DELIVERY_SECONDS = 60.0

# The steps from the inflation on within which each fires: those that the evidence takes, and then
# the minutes that the rule waits, which is 15 for the PSI of the fleet and 5 for the others.
EXPECTED = {
    ("MlmonitorQuality", "limit"): 8,
    ("MlmonitorQuality", "prediction"): 8,
    ("MlmonitorDrift", "limit"): 8,
    ("MlmonitorDrift", "prediction"): 10,
    ("MlmonitorFleetDrift", "limit"): 10,
    ("MlmonitorFleetPsi", "limit"): 20,
}

pytestmark = [pytest.mark.integration, NEEDS_ALERTMANAGER]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Any]:
    """The module of the demo that trains a model and sends claims day by day."""
    with import_from_demo("verdicts") as (verdicts,):
        yield verdicts


class Stream(NamedTuple):
    """Claims as the demo sends them: scored when they are reported, labelled when they close."""

    columns: dict[str, Any]
    predictions: Any
    actuals: Any
    reported: Any
    closed: Any

    def send(self, monitor: Monitor, since: date, until: date) -> None:
        """Record the claims reported in this period, label those closed in it, and export."""
        rows = np.flatnonzero((self.reported >= since) & (self.reported < until))
        part = {name: column[rows] for name, column in self.columns.items()}
        monitor.record(part, self.predictions[rows], ids=rows.astype(str).tolist())
        monitor.status()  # the predictions are read before their labels
        rows = np.flatnonzero((self.closed >= since) & (self.closed < until))
        monitor.label(rows.astype(str).tolist(), self.actuals[rows])
        assert monitor.flush(timeout_seconds=60)


def make_stream(verdicts: Any, model: Any) -> Stream:
    """Return the claims reported after the training period, with the inflation of the demo."""
    claims = verdicts.claims
    table = claims.load(claims.prism_path())
    is_later = (table["reported"] >= claims.EARLY[1]) & (table["reported"] < claims.LIVE[1])
    rows = verdicts.shifted(list(claims._each(table[is_later])), claims.Inflation())
    columns = {name: np.array([row.features[name] for row in rows]) for name in claims.FEATURES}
    return Stream(
        {name: columns[name] for name in claims.WATCHED},
        model.predict(columns),
        np.array([row.severity for row in rows]),
        np.array([row.reported for row in rows]),
        np.array([row.closed for row in rows]),
    )


def read_waits(folder: Path) -> dict[str, int]:
    """Return how many minutes each shipped alert waits before it fires."""
    text = (folder / "alerts.rules.yml").read_text(encoding="utf-8")
    waits = {}
    for rule in yaml.safe_load(text)["groups"][0]["rules"]:
        milliseconds = int(re.fullmatch(r"(\d+)ms", rule["for"])[1])
        waits[rule["alert"]] = round(milliseconds / 1_000 / MINUTE_SECONDS)
    return waits


def read_alerts(prometheus: Prometheus, state: str) -> set[tuple[str, str]]:
    """Return the name and field of each alert that is pending or firing now."""
    samples = prometheus.query(f'ALERTS{{alertstate="{state}"}}')
    return {(s["metric"]["alertname"], s["metric"].get("field", "")) for s in samples}


class Watch(NamedTuple):
    """A monitored stream and the rules over it, advanced step by step."""

    stream: Stream
    monitor: Monitor
    prometheus: Prometheus

    def advance(self, since: date, until: date) -> None:
        """Send the claims of some days, and wait until each rule has been evaluated with them."""
        self.stream.send(self.monitor, since, until)
        self.prometheus.wait_for_rules(rounds=1, longest=1.0)

    def advance_until_firing(
        self, day: date, expected: Mapping[tuple[str, str], int]
    ) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
        """Return the steps at which alerts became active and firing, until each expected one is."""
        active: dict[tuple[str, str], int] = {}
        firing: dict[tuple[str, str], int] = {}
        step = 0
        while step <= max(expected.values()) and not expected.keys() <= firing.keys():
            step += 1
            self.advance(day, day + STEP)
            day += STEP
            fires = read_alerts(self.prometheus, "firing")
            for alert in read_alerts(self.prometheus, "pending") | fires:
                active.setdefault(alert, step)
            for alert in fires:
                firing.setdefault(alert, step)
        return active, firing


def test_inflation_of_claims_alerts_in_time_and_the_unchanged_claims_do_not(
    alerting_prometheus: Prometheus, inbox: Inbox, tmp_path: Path, verdicts: Any
) -> None:
    """Fifteen months of unchanged claims are followed by rising losses and limits."""
    claims = verdicts.claims
    model, reference = verdicts.train()
    config = Config(window_seconds=None, window_rows=YEAR_OF_CLAIMS, export_interval_seconds=3_600)
    exporters = [Otlp.collector(f"{alerting_prometheus.otlp}/v1/metrics")]
    with Monitor(
        "claims-severity", version="7", reference=reference, exporters=exporters, config=config
    ) as monitor:
        watch = Watch(make_stream(verdicts, model), monitor, alerting_prometheus)
        for day in list_days(claims.EARLY[1], claims.LIVE[0]):
            watch.stream.send(monitor, day, min(day + STEP, claims.LIVE[0]))
        start_rules(alerting_prometheus, tmp_path, minute_seconds=MINUTE_SECONDS, with_windows=True)
        for day in list_days(claims.LIVE[0], claims.SHIFT_DATE):
            watch.advance(day, min(day + STEP, claims.SHIFT_DATE))
        assert alerting_prometheus.query('max_over_time(ALERTS{alertstate="firing"}[1h])') == []
        assert inbox.alerts == []
        assert (
            alerting_prometheus.number("count(mlmonitor:field_psi_1h)") == len(claims.WATCHED) + 2
        )
        active, firing = watch.advance_until_firing(claims.SHIFT_DATE, EXPECTED)
    late = {
        alert: firing.get(alert)
        for alert, step in EXPECTED.items()
        if firing.get(alert, step + 1) > step
    }
    assert not late, (late, active)
    soon = {field for (_, field), step in firing.items() if step <= STEPS_OF_A_SEASON}
    assert soon <= {"limit", "prediction", "actual"}
    waits = read_waits(tmp_path)
    for (name, field), step in firing.items():
        assert step - active[name, field] <= waits[name] + 1, (name, field)
        delivered = inbox.wait_for(name, seconds=DELIVERY_SECONDS, field=field)
        assert field in {alert["labels"]["field"] for alert in delivered}, (name, field)


def list_days(since: date, until: date) -> list[date]:
    """List the first day of each step between two days."""
    return [since + STEP * number for number in range(math.ceil((until - since) / STEP))]
