"""Every query of every dashboard selects exported series and returns the right number."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlmonitor import Otlp
from mlmonitor.present.dashboards.promql_names import NAMINGS, Naming
from mlmonitor.present.dashboards.shipped_files import write_files
from support.backends import Prometheus, run_prometheus
from support.dashboards import expressions, file_expressions, substituted
from support.history import BUCKETS, History, lived_through

pytestmark = pytest.mark.integration

STRATEGIES = {
    "prometheus": "UnderscoreEscapingWithSuffixes",
    "mimir": "UnderscoreEscapingWithoutSuffixes",
    "utf8": "NoTranslation",
}
FIELDS = (("feature", "amount"), ("feature", "line"), ("prediction", "prediction"))
APART = 0.03
"""Prometheus extrapolates an increase to the ends of its range: counts are not whole numbers."""


class Seen(NamedTuple):
    """A Prometheus that has received fifty minutes of metrics, and the monitors that sent them."""

    naming: Naming
    prometheus: Prometheus
    history: History
    folder: Path


@pytest.fixture(scope="module", params=NAMINGS)
def seen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seen]:
    """A Prometheus for each naming strategy, with the shipped rules evaluated every second."""
    naming: Naming = request.param
    folder = tmp_path_factory.mktemp(naming)
    for path in write_files("alerts", folder, naming=naming):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("interval: 1m", "interval: 1s"), encoding="utf-8")
    settings = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [f"{folder}/*.rules.yml"],
        "otlp": {
            "translation_strategy": STRATEGIES[naming],
            "promote_resource_attributes": ["deployment.environment.name"],
        },
        "storage": {"tsdb": {"out_of_order_time_window": "2h"}},
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    with (
        run_prometheus(folder) as prometheus,
        lived_through(lambda: [Otlp.collector(f"{prometheus.otlp}/v1/metrics")]) as history,
    ):
        yield Seen(naming, prometheus, history, folder)


def answers(seen: Seen, expression: str) -> list[list[dict[str, Any]]]:
    """Return the result of the query for each field that may be chosen in Grafana."""
    if "$field" not in expression and "$role" not in expression:
        return [seen.prometheus.query(substituted(expression))]
    chosen = [{"$role": role, "$field": field} for role, field in FIELDS]
    chosen.append({"$role": "kpi", "$field": "total_savings"})
    return [seen.prometheus.query(substituted(expression, choices)) for choices in chosen]


def board_expressions(seen: Seen) -> Iterator[tuple[str, str]]:
    """Return the expressions of all dashboards, with their variables."""
    folder = seen.folder / "boards"
    for path in write_files("grafana", folder, naming=seen.naming):
        if path.parent.name == "metrics":
            yield from (
                (f"{path.stem}: {title}", expression)
                for title, expression in file_expressions(
                    path.relative_to(folder), path.read_text(encoding="utf-8")
                )
            )


def test_every_query_of_every_dashboard_finds_numbers(seen: Seen) -> None:
    """Each query returns samples for at least one field, and no sample is NaN."""
    empty, without_number = [], []
    count = 0
    for where, expression in board_expressions(seen):
        series = answers(seen, expression)
        count += 1
        if not any(series):
            empty.append((where, expression))
        if any(sample["value"][1] == "NaN" for samples in series for sample in samples):
            without_number.append((where, expression))
    assert count > 80
    assert empty == []
    assert without_number == []


def expression_of(seen: Seen, title: str, place: int = 0) -> str:
    """Return the query of a panel."""
    expressions = [expression for where, expression in board_expressions(seen) if where == title]
    return expressions[place]


def by_label(samples: list[dict[str, Any]], label: str) -> dict[str, float]:
    """Return the sample values, keyed by one label."""
    return {sample["metric"].get(label, ""): float(sample["value"][1]) for sample in samples}


def test_queries_over_one_process_give_the_values_of_its_status(seen: Seen) -> None:
    """A fleet of one process has the numbers of that process."""
    status = seen.history.fraud.status()
    chosen = {"$model": "fraud", "$role": "feature", "$field": "amount"}
    query = seen.prometheus.query
    amount = status.field("amount")

    psi = query(substituted(expression_of(seen, "drift: Fields", 0), chosen))
    assert by_label(psi, "field")["amount"] == pytest.approx(amount.psi, rel=0.1, abs=0.002)
    threshold = query(substituted(expression_of(seen, "drift: Fields", 1), chosen))
    # That of independent rows: the status allows for their dependence, which counts do not show.
    assert amount.effective_rows is not None
    trained = 4_000
    independent = (1 / amount.count + 1 / trained) / (1 / amount.effective_rows + 1 / trained)
    assert by_label(threshold, "field")["amount"] == pytest.approx(
        amount.thresholds["psi"] * independent, rel=0.1
    )
    live = query(
        substituted(expression_of(seen, "field: Live mean in the trained band", 3), chosen)
    )
    assert by_label(live, "role")["feature"] == pytest.approx(amount.mean, rel=1e-9)
    accuracy = query(substituted(expression_of(seen, "performance: Accuracy"), chosen))
    assert float(accuracy[0]["value"][1]) == pytest.approx(status.performance["accuracy"].value)


def test_queries_over_two_processes_give_the_values_of_all_their_rows(seen: Seen) -> None:
    """They add up sums before they divide, and do not average the ratios of processes."""
    statuses = [monitor.status() for monitor in seen.history.severity]
    chosen = {"$model": "severity", "$role": "feature", "$field": "amount"}
    query = seen.prometheus.query

    live = query(
        substituted(expression_of(seen, "field: Live mean in the trained band", 3), chosen)
    )
    means = [status.field("amount").mean for status in statuses]
    assert by_label(live, "role")["feature"] == pytest.approx(sum(means) / 2, rel=1e-9)

    errors = query(substituted(expression_of(seen, "performance: Mean absolute error"), chosen))
    counts = [status.performance["mae"].count for status in statuses]
    sums = [status.performance["mae"].value * n for status, n in zip(statuses, counts, strict=True)]
    assert float(errors[0]["value"][1]) == pytest.approx(sum(sums) / sum(counts), rel=APART)

    bias = query(substituted(expression_of(seen, "performance: Bias"), chosen))
    biases = [
        status.performance["bias"].value * n for status, n in zip(statuses, counts, strict=True)
    ]
    assert float(bias[0]["value"][1]) == pytest.approx(sum(biases) / sum(counts), rel=1e-6)

    title = "performance: Predicted against actual, by bucket"
    actual = by_label(query(substituted(expression_of(seen, title, 1), chosen)), "bucket")
    parts = [status.performance.by("amount") for status in statuses]
    assert len(actual) == len(BUCKETS) + 1
    for bucket, mean in actual.items():
        totals = [part[bucket].error_sums for part in parts]
        rows = sum(part[bucket].count for part in parts)
        assert mean == pytest.approx(sum(total.actual for total in totals) / rows, rel=1e-9)

    firing = query(substituted(expression_of(seen, "overview: Fields that drift"), chosen))
    drifting = {
        (field.name, field.role)
        for status in statuses
        for field in status.fields
        if field.has_alert
    }
    assert float(firing[0]["value"][1]) == len(drifting)


def test_business_figures_below_zero_are_summed_over_processes(seen: Seen) -> None:
    """The panel shows the total of both processes, with its unit."""
    statuses = [monitor.status() for monitor in seen.history.severity]
    expression = expression_of(seen, "kpis: Total in the window")
    total = seen.prometheus.query(substituted(expression, {"$model": "severity"}))
    savings = [status.field("total_savings", role="kpi") for status in statuses]
    expected = sum(field.mean * field.count for field in savings)
    assert by_label(total, "unit") == pytest.approx({"EUR": expected}, rel=APART)


def test_every_rule_is_evaluated_without_an_error(seen: Seen) -> None:
    """The recorded series exist, and the expected alerts fire."""
    for where, expression in expressions("alerts", seen.naming):
        if ".rules.yml" in where:
            seen.prometheus.query(expression)  # an error is an HTTP status
    for record in (
        "mlmonitor:field_psi",
        "mlmonitor:field_psi_1h",
        "mlmonitor:field_psi:threshold",
    ):
        seen.prometheus.wait_for_number(f'count({record}{{field="amount",role="feature"}})', 2)
    alerts = 'count by (alertname) (ALERTS{alertname=~"MlmonitorDrift|MlmonitorFleetPsi"})'
    assert {sample["metric"]["alertname"] for sample in seen.prometheus.query(alerts)} == {
        "MlmonitorDrift",
        "MlmonitorFleetPsi",
    }
