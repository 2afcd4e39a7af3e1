"""Objectives as users declare them: bounds of any measure, with alerts when they are violated."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, ConfigError, Metric, Monitor, Objective
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.testing import ManualClock

DAY = 86_400.0


class Declared:
    """A monitor with objectives, to which pairs are reported in steps."""

    def __init__(self, *objectives: Objective, **options: Any) -> None:
        self.clock = ManualClock(1_700_000_000.0)
        self.alerts: list[Alert] = []
        config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
        self.monitor = Monitor(
            "m",
            exporters=[],
            objectives=objectives,
            config=config,
            clock=self.clock,
            on_alert=self.alerts.append,
            **options,
        )

    def report(self, predictions: Any, actuals: Any, *, step: int = 100) -> list[Alert]:
        """Report pairs until an objective is violated; return its alert, if any."""
        for start in range(0, len(predictions), step):
            stop = start + step
            self.monitor.record_outcomes(predictions[start:stop], actuals[start:stop])
            if self.broken():
                return self.broken()
        return []

    def broken(self) -> list[Alert]:
        """Return the firing alerts on objectives."""
        status = self.monitor.status()
        assert (status.internal_errors, status.last_error) == (0, None)
        return [alert for alert in status.alerts if alert.field == "objective"]

    def status(self) -> ObjectiveStatus:
        """Return the status of the only objective."""
        (status,) = self.monitor.status().objectives
        return status


def pairs_of(measure: str, rng: np.random.Generator, *, is_bad: bool) -> tuple[Any, Any]:
    """Draw pairs that are good or bad as judged by a measure."""
    rows = 2_000
    if measure in ("accuracy", "recall", "precision", "f1", "specificity", "balanced_accuracy"):
        actual = rng.random(rows) < 0.4
        return np.where(rng.random(rows) < (0.3 if is_bad else 0.05), ~actual, actual), actual
    if measure in ("roc_auc", "pr_auc", "log_loss", "brier", "ece"):
        actual = rng.random(rows) < 0.4
        right = np.clip(0.15 + 0.7 * actual + rng.normal(0, 0.05, rows), 0, 1)
        return (rng.permutation(right) if is_bad else right), actual
    actual = rng.normal(100, 20, rows)
    noise = rng.normal(12 if is_bad and measure == "bias" else 0, 15 if is_bad else 3, rows)
    return actual + noise, actual


BOUNDS = {
    "mae": Objective("mae", maximum=5),
    "rmse": Objective("rmse", maximum=6),
    "bias": Objective("bias", minimum=-2, maximum=2),
    "mape": Objective("mape", maximum=0.08),
    "wape": Objective("wape", maximum=0.06),
    "r2": Objective("r2", minimum=0.8),
    "pinball": Objective("pinball", maximum=3),
    "accuracy": Objective("accuracy", minimum=0.85),
    "recall": Objective("recall", minimum=0.85),
    "precision": Objective("precision", minimum=0.8),
    "f1": Objective("f1", minimum=0.8),
    "specificity": Objective("specificity", minimum=0.85),
    "balanced_accuracy": Objective("balanced_accuracy", minimum=0.85),
    "roc_auc": Objective("roc_auc", minimum=0.8),
    "pr_auc": Objective("pr_auc", minimum=0.8),
    "log_loss": Objective("log_loss", maximum=0.4),
    "brier": Objective("brier", maximum=0.15),
    "ece": Objective("ece", maximum=0.2),
}


@pytest.mark.parametrize("measure", BOUNDS)
def test_only_a_violated_bound_of_performance_alerts(measure: str) -> None:
    """2,000 good pairs leave the objective met; bad pairs that follow violate it."""
    rng = np.random.default_rng(7)
    declared = Declared(BOUNDS[measure])
    with declared.monitor:
        assert not declared.report(*pairs_of(measure, rng, is_bad=False), step=500)
        assert declared.status().is_met
        (alert,) = declared.report(*pairs_of(measure, rng, is_bad=True))
        status = declared.status()
    assert (alert.role, alert.measure, alert.state) == ("performance", measure, "firing")
    assert alert.threshold in (BOUNDS[measure].minimum, BOUNDS[measure].maximum)
    assert "declared" in alert.reason
    assert not status.is_met
    assert status.low < status.value < status.high


def test_a_custom_metric_can_be_bounded() -> None:
    """An objective accepts a metric of the user like any built-in measure."""
    near = Metric("near", lambda predicted, actual: abs(predicted - actual) <= 5)
    declared = Declared(Objective("near", minimum=0.8), metrics=[near])
    rng = np.random.default_rng(8)
    with declared.monitor:
        assert not declared.report(*pairs_of("mae", rng, is_bad=False), step=500)
        (alert,) = declared.report(*pairs_of("mae", rng, is_bad=True))
    assert alert.measure == "near"


def test_a_violated_objective_resolves_once_its_measure_has_recovered() -> None:
    """Rows from the time of the violation no longer count once they have left the window."""
    rng = np.random.default_rng(9)
    declared = Declared(BOUNDS["mae"])
    with declared.monitor:
        assert declared.report(*pairs_of("mae", rng, is_bad=True))
        predictions, actuals = pairs_of("mae", rng, is_bad=False)
        for start in range(0, 1_500, 100):
            declared.monitor.record_outcomes(
                predictions[start : start + 100], actuals[start : start + 100]
            )
            declared.monitor.status()
        assert not declared.broken()
        declared.monitor.flush()
        assert [alert.state for alert in declared.alerts] == ["firing", "resolved"]
        assert not declared.report(predictions, actuals)


def call(monitor: Monitor, calls: int, *, failing: float = 0.0, seed: int = 0) -> None:
    """Make calls, a share of which fail."""
    fails = np.random.default_rng(seed).random(calls) < failing

    @monitor.watch
    def predict(features: Any) -> float:
        if features["fails"]:
            raise ConnectionError
        return 1.0

    for is_failing in fails.tolist():
        if is_failing:
            with pytest.raises(ConnectionError):
                predict({"fails": True})
        else:
            predict({"fails": False})


def test_a_raised_error_rate_alerts_within_a_thousand_calls() -> None:
    """The bound is 1%: a rate of 0.5% meets it, and 5% violates it."""
    declared = Declared(Objective("error_rate", maximum=0.01))
    with declared.monitor:
        call(declared.monitor, 2_000, failing=0.005)
        assert not declared.broken()
        call(declared.monitor, 1_000, failing=0.05)
        (alert,) = declared.broken()
        status = declared.status()
    assert (alert.role, alert.measure, alert.threshold) == ("service", "error_rate", 0.01)
    assert status.low < status.value < status.high


@pytest.mark.parametrize(("maximum", "broken"), [(10.0, 0), (1e-9, 1)])
def test_a_latency_objective_bounds_its_quantile(maximum: float, broken: int) -> None:
    """Calls in the test take between a nanosecond and 10 s, so one bound holds and one does not."""
    declared = Declared(Objective("latency_p95_seconds", maximum=maximum))
    with declared.monitor:
        call(declared.monitor, 300)
        assert len(declared.broken()) == broken
        assert declared.status().is_met == (broken == 0)
        assert 0 < declared.status().value < 10


def test_traffic_below_its_minimum_alerts_even_if_nothing_arrives() -> None:
    """The alert resolves when traffic returns."""
    declared = Declared(Objective("predictions_per_second", minimum=0.1))
    with declared.monitor:
        for _ in range(20):
            declared.monitor.record({"x": np.arange(60.0)}, np.arange(60.0))
            declared.clock.advance(60.0)
            assert not declared.broken()
        declared.clock.advance(1_200.0)
        (alert,) = declared.broken()
        assert (alert.measure, alert.value) == ("predictions_per_second", 0.0)
        for _ in range(15):
            declared.monitor.record({"x": np.arange(60.0)}, np.arange(60.0))
            declared.clock.advance(60.0)
        assert not declared.broken()


def test_traffic_above_its_maximum_alerts() -> None:
    """Ten predictions a second exceed the bound."""
    declared = Declared(Objective("predictions_per_second", maximum=1))
    with declared.monitor:
        for _ in range(20):
            declared.monitor.record({"x": np.arange(600.0)}, np.arange(600.0))
            declared.monitor.status()
            declared.clock.advance(60.0)
        (alert,) = declared.broken()
    assert alert.value == pytest.approx(10, rel=0.2)  # the newest minute came at once


def test_labels_that_stop_arriving_violate_an_objective_on_label_maturity() -> None:
    """Four days have all their labels, and the next four have a tenth."""
    declared = Declared(Objective("label_maturity", minimum=0.8))
    with declared.monitor:
        for day in range(8):
            ids = [f"{day}-{row}" for row in range(100)]
            declared.monitor.record({"x": np.arange(100.0)}, np.arange(100.0), ids=ids)
            declared.monitor.status()
            labelled = 100 if day < 4 else 10
            declared.monitor.label(ids[:labelled], np.arange(100.0)[:labelled])
            declared.monitor.status()
            declared.clock.advance(DAY)
        (alert,) = declared.broken()
    assert alert.measure == "label_maturity"
    assert alert.value < 0.8


def test_label_maturity_is_judged_on_the_first_day_once_all_labels_have_arrived() -> None:
    """While some labels of that day are missing, the objective is undecided."""
    declared, x = Declared(Objective("label_maturity", minimum=0.8)), np.arange(3_000.0)
    with declared.monitor:
        ids = [str(row) for row in range(x.size)]
        declared.monitor.record({"x": x}, x, ids=ids)
        declared.monitor.status()
        declared.monitor.label(ids[1:], x[1:])
        assert declared.monitor.status().objectives[0].is_met is None
        declared.monitor.label(ids[0], 0.0)
        assert declared.monitor.status().objectives[0].is_met is True


@pytest.mark.parametrize(
    ("measure", "bounds", "message"),
    [
        ("mea", {"maximum": 1}, "no measure 'mea'"),
        ("mae", {"minimum": 1}, "less is better"),
        ("accuracy", {"maximum": 0.5}, "more is better"),
        ("error_rate", {"maximum": 2}, "share from 0 to 1"),
        ("error_rate", {"minimum": 0.1}, "less is better"),
        ("label_maturity", {"maximum": 0.5}, "more is better"),
        ("latency_p99_seconds", {"maximum": 0}, "above 0"),
        ("latency_p101_seconds", {"maximum": 1}, "no measure"),
        ("latency_p99", {"maximum": 1}, "no measure"),
    ],
)
def test_an_objective_that_cannot_apply_to_the_model_is_refused(
    measure: str, bounds: dict[str, float], message: str
) -> None:
    """The error is raised when the monitor is constructed, and names the remedy."""
    with pytest.raises(ConfigError, match=message):
        Declared(Objective(measure, **bounds))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "a number as minimum or maximum"),
        ({"maximum": float("nan")}, "a number"),
        ({"maximum": True}, "a number"),
        ({"maximum": "5"}, "a number"),
        ({"minimum": 3, "maximum": 2}, "below maximum"),
    ],
)
def test_an_objective_without_a_valid_bound_is_refused_at_once(
    bounds: dict[str, Any], message: str
) -> None:
    """The error is raised when the objective is constructed."""
    with pytest.raises(ConfigError, match=message):
        Objective("bias", **bounds)


def test_objectives_must_be_a_list_without_repetitions() -> None:
    """A single objective outside a list is refused as well."""
    with pytest.raises(ConfigError, match="expected a list"):
        Monitor("m", exporters=[], objectives=Objective("mae", maximum=1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="once"):
        Declared(Objective("mae", maximum=1), Objective("mae", maximum=1))


def test_the_status_lists_objectives_that_are_not_met_first() -> None:
    """Each is shown in one line with its measure."""
    declared = Declared(Objective("rmse", maximum=100), BOUNDS["mae"])
    with declared.monitor:
        declared.report(*pairs_of("mae", np.random.default_rng(3), is_bad=True))
        text = str(declared.monitor.status())
    (line,) = [line for line in text.splitlines() if line.startswith("objectives: ")]
    assert line.startswith("objectives: mae at most 5 (")
    assert "NOT MET" in line
