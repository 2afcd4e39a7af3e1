"""Each alert fires when it should and stays silent when it should, according to `promtool`."""

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from scipy.stats import norm

from mlmonitor import catalog
from mlmonitor.catalog import MetricSpec
from mlmonitor.present.dashboards.promql_names import (
    NAMINGS,
    Naming,
    label_name,
    metric_name,
)
from mlmonitor.present.dashboards.shipped_files import write_files
from mlmonitor.stats.distance import psi
from mlmonitor.stats.evidence.psi_evidence import log_psi_evidence
from support.backends import program

pytestmark = pytest.mark.integration

MODEL = {"model.name": "claims", "model.version": "7"}
FIELD = {**MODEL, "field": "amount", "role": "feature"}


class Input(NamedTuple):
    """A series and its values, one a minute, in promtool's notation."""

    metric: MetricSpec
    values: str
    labels: Mapping[str, str] = MODEL
    part: str | None = None


class Case(NamedTuple):
    """Input series, and the minute after which an alert fires, or None if it never does."""

    alert: str
    says: str
    inputs: tuple[Input, ...]
    fires_after: int | None
    ends: int = 90


def with_labels(labels: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the labels together with some more."""
    return {**labels, **more}


def flag(metric: MetricSpec, values: str, **more: str) -> Input:
    """Return a gauge of a field."""
    return Input(metric, values, with_labels(FIELD, **more))


def calls(ok: str, failed: str) -> tuple[Input, ...]:
    """Return the calls of two processes by status."""
    return tuple(
        Input(catalog.PREDICTIONS, values, with_labels(MODEL, instance=instance, **status))
        for instance in ("a", "b")
        for values, status in (
            (ok, {"status": "ok"}),
            (failed, {"status": "error", "error.type": "ValueError"}),
        )
    )


def categories(first: str, second: str) -> tuple[Input, ...]:
    """Return a field with two equally common reference categories, from two processes."""
    reference = tuple(
        flag(catalog.REFERENCE_BIN, "0.5x240", bin=name) for name in ("home", "motor")
    )
    counts = tuple(
        flag(catalog.BIN, values, bin=name, instance=instance)
        for instance in ("a", "b")
        for name, values in (("home", first), ("motor", second))
    )
    return (*reference, *counts, flag(catalog.REFERENCE_VALUES, "4000x240"))


def latencies(slow_from: int) -> tuple[Input, ...]:
    """Return a day of calls that take 20 ms, and 200 ms from a given minute on."""
    quick = f"0+60x{slow_from} {60 * slow_from}x300"
    every = f"0+60x{slow_from + 300}"
    return tuple(
        Input(catalog.DURATION, values, with_labels(MODEL, le=le), "bucket")
        for le, values in (("0.025", quick), ("0.25", every), ("+Inf", every))
    )


def errors(absolute: str, labelled: str = "0+2x240") -> tuple[Input, ...]:
    """Return two labels a minute and the sum of their absolute errors, which started at 40 each."""
    bucket = with_labels(MODEL, bucket="+Inf")
    trained = with_labels(MODEL, measure="mae", basis="reference")
    return (
        Input(catalog.ERROR_ABSOLUTE, absolute, bucket),
        Input(catalog.LABELLED, labelled, bucket),
        Input(catalog.PERFORMANCE, "40x240", trained),
    )


def labels(values: str) -> tuple[Input, ...]:
    """Return predictions and their labels."""
    matched = with_labels(MODEL, status="matched")
    return (*calls("0+600x180", "0x180"), Input(catalog.LABELS, values, matched))


def heartbeats(values: str) -> tuple[Input, ...]:
    """Return the heartbeats of one destination."""
    return (Input(catalog.HEARTBEAT, values, with_labels(MODEL, destination="collector")),)


def points(refused: str) -> tuple[Input, ...]:
    """Return the points of one destination, which accepts a thousand of them a minute."""
    return tuple(
        Input(catalog.EXPORT_POINTS, values, {"destination": "mimir", "outcome": outcome})
        for outcome, values in (("accepted", "0+1000x240"), ("rejected", refused))
    )


def events(dropped: str) -> tuple[Input, ...]:
    """Return the events of one sink, which delivers a thousand of them a minute."""
    return tuple(
        Input(catalog.EVENTS, values, with_labels(MODEL, sink="kafka", outcome=outcome))
        for outcome, values in (("delivered", "0+1000x240"), ("dropped", dropped))
    )


def loader(age: str, lag: str) -> tuple[Input, ...]:
    """Return the metrics of one loader: seconds since its last commit, and waiting events."""
    process = {"job": "loader", "instance": "a"}
    return (
        Input(catalog.LOADER_COMMIT_AGE, age, process),
        Input(catalog.LOADER_LAG, lag, process),
    )


CASES = (
    Case("MlmonitorFleetPsi", "half of one value", categories("0+90x240", "0+10x240"), 16),
    Case("MlmonitorFleetPsi", "as trained", categories("0+50x240", "0+50x240"), None),
    Case("MlmonitorFleetPsi", "too few to tell", categories("0+0.02x240", "0x240"), None),
    Case(
        "MlmonitorFleetPsi",
        "one process each way, together as trained",
        (
            *categories("0+50x240", "0+50x240")[:2],
            flag(catalog.BIN, "0+90x240", bin="home", instance="a"),
            flag(catalog.BIN, "0+10x240", bin="motor", instance="a"),
            flag(catalog.BIN, "0+10x240", bin="home", instance="b"),
            flag(catalog.BIN, "0+90x240", bin="motor", instance="b"),
            flag(catalog.REFERENCE_VALUES, "4000x240"),
        ),
        None,
    ),
    Case(
        "MlmonitorFleetDrift",
        "each of two processes with too few rows to tell, both together with enough",
        categories("0+56x240", "0+44x240"),
        14,
    ),
    Case("MlmonitorFleetDrift", "too small to matter", categories("0+103x240", "0+97x240"), None),
    Case("MlmonitorFleetDrift", "as trained", categories("0+50x240", "0+50x240"), None),
    Case(
        "MlmonitorFleetDrift",
        "groups of ten rows, so that a thousand count as a hundred",
        (
            *categories("0+56x240", "0+44x240"),
            flag(catalog.DESIGN_EFFECT, "1x240", instance="a"),
            flag(catalog.DESIGN_EFFECT, "10x240", instance="b"),
        ),
        None,
        60,
    ),
    Case("MlmonitorDrift", "firing in one", (flag(catalog.DRIFT_ALERT, "0x20 1x90"),), 26),
    Case("MlmonitorDrift", "never", (flag(catalog.DRIFT_ALERT, "0x120"),), None),
    Case("MlmonitorDrift", "for a moment", (flag(catalog.DRIFT_ALERT, "0x20 1x3 0x90"),), None),
    Case(
        "MlmonitorDrift",
        "in a segment only, the whole is well",
        (
            flag(catalog.DRIFT_ALERT, "0x120", segment="all"),
            flag(catalog.DRIFT_ALERT, "1x120", segment="motor"),
        ),
        None,
    ),
    Case(
        "MlmonitorQuality",
        "missing",
        (flag(catalog.QUALITY_ALERT, "0x20 1x90", reason="missing"),),
        26,
    ),
    Case(
        "MlmonitorQuality", "well", (flag(catalog.QUALITY_ALERT, "0x120", reason="missing"),), None
    ),
    Case("MlmonitorPerformance", "twice the error", errors("0+160x240"), 81),
    Case("MlmonitorPerformance", "a fifth more", errors("0+96x240"), None, 150),
    Case("MlmonitorPerformance", "few labels", errors("0+40x240", "0+0.5x240"), None, 150),
    Case(
        "MlmonitorPerformanceAlert",
        "worse",
        (Input(catalog.PERFORMANCE_ALERT, "0x20 1x90", with_labels(MODEL, measure="mae")),),
        26,
    ),
    Case(
        "MlmonitorPerformanceAlert",
        "as good",
        (Input(catalog.PERFORMANCE_ALERT, "0x120", with_labels(MODEL, measure="mae")),),
        None,
    ),
    Case(
        "MlmonitorObjective",
        "missed",
        (Input(catalog.OBJECTIVE_ALERT, "0x20 1x90", with_labels(MODEL, measure="mae")),),
        26,
    ),
    Case(
        "MlmonitorObjective",
        "met",
        (Input(catalog.OBJECTIVE_ALERT, "0x120", with_labels(MODEL, measure="mae")),),
        None,
    ),
    Case(
        "MlmonitorVerdict",
        "retrain",
        (Input(catalog.VERDICT, "0x20 1x120", with_labels(MODEL, action="retrain", reason="age")),),
        81,
        120,
    ),
    Case(
        "MlmonitorVerdict",
        "keep",
        (Input(catalog.VERDICT, "1x240", with_labels(MODEL, action="keep", reason="good")),),
        None,
        200,
    ),
    Case("MlmonitorLabelsStalled", "no further ones", labels("5x180"), 62, 120),
    Case("MlmonitorLabelsStalled", "they arrive", labels("0+1x180"), None, 150),
    Case("MlmonitorLabelsStalled", "there never were any", labels("0x180"), None, 150),
    Case("MlmonitorHeartbeatMissing", "it ends", heartbeats("1x20"), 31),
    Case("MlmonitorHeartbeatMissing", "it goes on", heartbeats("1x120"), None),
    Case("MlmonitorHeartbeatMissing", "a short gap", heartbeats("1x20 _x6 1x90"), None),
    Case(
        "MlmonitorRowsDropped",
        "one in ten",
        (*calls("0+90x120", "0x120"), Input(catalog.DROPPED, "0+20x120")),
        7,
    ),
    Case(
        "MlmonitorRowsDropped",
        "none",
        (*calls("0+90x120", "0x120"), Input(catalog.DROPPED, "0x120")),
        None,
    ),
    Case("MlmonitorInternalErrors", "one", (Input(catalog.FAULTS, "0x20 1x90"),), 21, 30),
    Case("MlmonitorInternalErrors", "none", (Input(catalog.FAULTS, "0x120"),), None),
    Case("MlmonitorErrorShare", "one in twenty", calls("0+95x120", "0+5x120"), 12),
    Case("MlmonitorErrorShare", "one in a thousand", calls("0+999x120", "0+1x120"), None),
    Case("MlmonitorErrorShare", "few calls", calls("0+1x120", "0+1x120"), None),
    Case("MlmonitorErrorShare", "no call fails", calls("0+100x120", "0x120"), None),
    Case("MlmonitorLatency", "ten times slower", latencies(300), 313, 340),
    Case("MlmonitorLatency", "as ever", latencies(600), None, 500),
    Case(
        "MlmonitorServiceAlert",
        "failures grew",
        (Input(catalog.SERVICE_ALERT, "0x20 1x90", with_labels(MODEL, measure="failures")),),
        26,
    ),
    Case(
        "MlmonitorServiceAlert",
        "well",
        (Input(catalog.SERVICE_ALERT, "0x120", with_labels(MODEL, measure="failures")),),
        None,
    ),
    Case("MlmonitorEventsLost", "one in a hundred", events("0+10x240"), 17),
    Case("MlmonitorEventsLost", "none", events("0x240"), None),
    Case("MlmonitorLoaderStalled", "events wait", loader("0+60x120", "500x120"), 11),
    Case("MlmonitorLoaderStalled", "nothing to do", loader("0+60x120", "0x120"), None),
    Case("MlmonitorPointsRefused", "one in ten", points("0+100x240"), 17),
    Case("MlmonitorPointsRefused", "none", points("0x240"), None),
)


def series(case_input: Input, naming: Naming) -> dict[str, str]:
    """Write a series as promtool reads it, with quoted names inside the braces where needed."""
    name = metric_name(case_input.metric, case_input.part, naming)
    pairs = ",".join(
        f"{json.dumps(label_name(label, naming))}={json.dumps(value)}"
        for label, value in case_input.labels.items()
    )
    return {"series": f"{{{json.dumps(name)},{pairs}}}", "values": case_input.values}


def minute_samples(case: Case) -> list[dict[str, object]]:
    """Expect no firing alert just before its minute and one after it, or none at all."""
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    one = [{"labels": "{}", "value": 1}]
    if case.fires_after is None:
        minutes = [(minute, []) for minute in (case.ends // 2, case.ends)]
    else:
        minutes = [(case.fires_after - 3, []), (case.fires_after + 2, one)]
    return [
        {"expr": firing, "eval_time": f"{minute}m", "exp_samples": samples}
        for minute, samples in minutes
    ]


@pytest.mark.parametrize("naming", NAMINGS)
def test_alerts_fire_in_time_and_only_with_a_cause(naming: Naming, tmp_path: Path) -> None:
    """Prometheus evaluates the shipped rules each minute, and `promtool` compares the alerts."""
    write_files("alerts", tmp_path, naming=naming)
    document = {
        "rule_files": ["fleet.rules.yml", "alerts.rules.yml"],
        "evaluation_interval": "1m",
        "fuzzy_compare": True,
        "tests": [
            {
                "name": f"{case.alert}: {case.says}",
                "interval": "1m",
                "input_series": [series(case_input, naming) for case_input in case.inputs],
                "promql_expr_test": minute_samples(case),
            }
            for case in CASES
        ],
    }
    assert_rules_pass(document, tmp_path)


def assert_rules_pass(document: Mapping[str, object], folder: Path) -> None:
    """Assert that promtool accepts the rules and their tests."""
    (folder / "cases.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "test", "rules", "cases.test.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


TRAINED = np.array([[2_000, 2_000]])


def evidence_samples(minute: int, rates: tuple[int, int], effect: float) -> list[dict[str, object]]:
    """Return what the library computes from the counts of both processes after some minutes."""
    counts = 2 * minute * np.array([rates])
    log10_e = log_psi_evidence(TRAINED, counts, effect)[0] / np.log(10)
    noise = effect * float(1 / TRAINED.sum() + 1 / counts.sum())  # two bins: one degree of freedom
    beyond = float(psi(TRAINED, counts)[0]) / noise - 1
    low = max(beyond - norm.ppf(0.9) * math.sqrt(2 * (1 + 2 * max(beyond, 0))), 0) * noise
    expected = (
        ("mlmonitor:field_evidence", float(log10_e), 1e-9),
        ("mlmonitor:field_psi:low", low, 1e-5),  # the rule has seven digits of the quantile
    )
    return [
        {
            "expr": f"round(sum({name}), {step})",
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": round_as_promql(value, step)}],
        }
        for name, value, step in expected
    ]


def round_as_promql(number: float, step: float) -> float:
    """Round with the same operations as PromQL's `round`, so that both agree to the last bit."""
    return math.floor(number * (1 / step) + 0.5) / (1 / step)


@pytest.mark.parametrize("effect", [1.0, 4.0])
@pytest.mark.parametrize("rates", [(50, 50), (56, 44), (90, 10)])
def test_evidence_in_promql_equals_that_of_the_library_over_the_summed_counts(
    rates: tuple[int, int], effect: float, tmp_path: Path
) -> None:
    """They agree at any minute, with the design effect that a process exports."""
    write_files("alerts", tmp_path)
    counts = categories(*(f"0+{rate}x60" for rate in rates))
    inputs = (*counts, flag(catalog.DESIGN_EFFECT, f"{effect:g}x60"))
    case = {
        "interval": "1m",
        "input_series": [series(one, "prometheus") for one in inputs],
        "promql_expr_test": [
            s for minute in (5, 40) for s in evidence_samples(minute, rates, effect)
        ],
    }
    document = {
        "rule_files": ["fleet.rules.yml"],
        "evaluation_interval": "1m",
        "fuzzy_compare": True,
        "tests": [case],
    }
    assert_rules_pass(document, tmp_path)


def test_every_alert_is_tested_both_firing_and_silent(tmp_path: Path) -> None:
    """Each alert has a case in which it fires and one in which it does not."""
    write_files("alerts", tmp_path)
    text = (tmp_path / "alerts.rules.yml").read_text(encoding="utf-8")
    rules = {rule["alert"] for rule in yaml.safe_load(text)["groups"][0]["rules"]}
    assert {case.alert for case in CASES if case.fires_after is not None} == rules
    assert {case.alert for case in CASES if case.fires_after is None} == rules
