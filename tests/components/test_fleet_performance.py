"""The performance of three processes, from sums in a real Prometheus, is that of pooled rows."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from mlmonitor import Config, Monitor, Otlp
from support.backends import Prometheus

pytestmark = pytest.mark.integration

ROWS = 900
BUCKETS = {"x": [0.0]}


def fleet(model: str, prometheus: Prometheus, pairs: tuple[Any, Any]) -> Iterator[Monitor]:
    """Yield monitors with a third of the pairs each, as three instances in Prometheus."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    for part in range(3):
        rows = slice(part, None, 3)
        predictions, actuals = (values[rows] for values in pairs)
        monitor = Monitor(
            model,
            exporters=[Otlp.collector(f"{prometheus.otlp}/v1/metrics")],
            buckets=BUCKETS,
            config=config,
        )
        features = {"x": np.linspace(-1, 1, len(predictions))}
        monitor.record_outcomes(predictions, actuals, features=features)
        assert monitor.flush(timeout_seconds=60)
        yield monitor


def wait_for(prometheus: Prometheus, query: str, rows: float) -> None:
    """Wait until the rules have read all rows."""
    prometheus.wait_for_number(query, rows)
    prometheus.wait_for_rules()


def guide_queries() -> list[str]:
    """Return the queries over a time range as the guide writes them."""
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "fleet.md").read_text(encoding="utf-8")
    section = guide.partition("## Performance")[2]
    queries: list[str] = re.findall(r"```promql\n(.*?)```", section, re.DOTALL)
    assert len(queries) == 4
    return queries


def by_class(prometheus: Prometheus, query: str) -> dict[str, float]:
    """Return the samples of a query by class."""
    samples = prometheus.query(query)
    return {sample["metric"]["class"]: float(sample["value"][1]) for sample in samples}


def test_errors_of_a_fleet_equal_those_of_the_pooled_rows(prometheus: Prometheus) -> None:
    """MAE, RMSE and bias agree although declared buckets count each row once more."""
    rng = np.random.default_rng(1)
    actual = rng.normal(100, 20, ROWS)
    predicted = actual + rng.normal(3, 10, ROWS)
    monitors = list(fleet("errors", prometheus, (predicted, actual)))
    selected = '{model_name="errors"}'
    wait_for(prometheus, 'sum(mlmonitor_error_count_total{model_name="errors",field=""})', ROWS)
    exported = {
        name: prometheus.number(f"mlmonitor:{name}{selected}") for name in ("mae", "rmse", "bias")
    }
    expected = {
        "mae": metrics.mean_absolute_error(actual, predicted),
        "rmse": math.sqrt(metrics.mean_squared_error(actual, predicted)),
        "bias": float((predicted - actual).mean()),
    }
    assert exported == pytest.approx(expected, rel=1e-9)
    mae, bias = (prometheus.query(query) for query in guide_queries()[:2])
    assert float(mae[0]["value"][1]) == pytest.approx(expected["mae"], rel=1e-6)
    assert float(bias[0]["value"][1]) == pytest.approx(expected["bias"], rel=1e-6)
    for monitor in monitors:
        monitor.close()


def test_class_counts_of_a_fleet_equal_those_of_the_pooled_rows(prometheus: Prometheus) -> None:
    """Accuracy, precision and recall agree to a billionth, and the AUC within its bins."""
    rng = np.random.default_rng(2)
    truth = (rng.random(ROWS) < 0.3).astype(int)
    score = np.clip(0.3 + 0.25 * truth + rng.normal(0, 0.2, ROWS), 0, 1)
    monitors = list(fleet("classes", prometheus, (score, truth)))
    selected = '{model_name="classes"}'
    wait_for(prometheus, f"sum(mlmonitor_confusion_total{selected})", ROWS)
    shown = score > 0.5
    exported = prometheus.number(f"mlmonitor:accuracy{selected}")
    assert exported == pytest.approx(metrics.accuracy_score(truth, shown), rel=1e-9)
    precision = by_class(prometheus, f"mlmonitor:precision{selected}")
    recall = by_class(prometheus, f"mlmonitor:recall{selected}")
    assert precision["1"] == pytest.approx(metrics.precision_score(truth, shown), rel=1e-9)
    assert recall["1"] == pytest.approx(metrics.recall_score(truth, shown), rel=1e-9)
    assert recall["0"] == pytest.approx(metrics.recall_score(truth, shown, pos_label=0), rel=1e-9)
    accuracy, _ = (prometheus.query(query) for query in guide_queries()[2:])
    assert float(accuracy[0]["value"][1]) == pytest.approx(exported, rel=1e-6)
    auc = by_class(prometheus, f"mlmonitor:roc_auc{selected}")
    assert auc["1"] == pytest.approx(metrics.roc_auc_score(truth, score), abs=0.01)
    for monitor in monitors:
        monitor.close()
