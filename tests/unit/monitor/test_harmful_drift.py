"""Harmful drift: alerts if a model performs worse than at training."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Objective, Reference
from mlmonitor.testing import ManualClock
from support.references import fit_reference

ROWS = 3_000
DAY = 86_400.0


class Pairs(NamedTuple):
    """Features, predictions and actuals."""

    x: np.ndarray[Any, Any]
    predicted: np.ndarray[Any, Any]
    actual: np.ndarray[Any, Any]


def draw(
    rng: np.random.Generator, rows: int, *, task: str = "regression", noise: float = 1.0
) -> Pairs:
    """Draw rows of a well-calibrated model; `noise` multiplies its errors."""
    x = rng.normal(size=rows)
    if task == "regression":
        return Pairs(x, 100 * x, 100 * x + 30 * noise * rng.normal(size=rows))
    score = 1 / (1 + np.exp(-3 * x))
    actual = (rng.random(rows) < score).astype(int)
    if task == "classes":
        return Pairs(x, (score > 0.5).astype(int), actual)
    return Pairs(x, score, actual)


def fitted(pairs: Pairs, *, has_actuals: bool = True, **options: Any) -> Reference:
    """Fit a reference to some rows."""
    actuals = pairs.actual if has_actuals else None
    return fit_reference({"x": pairs.x}, predictions=pairs.predicted, actuals=actuals, **options)


class Service:
    """A monitored service whose labels arrive at once."""

    def __init__(self, reference: Reference | None, **options: Any) -> None:
        self.clock = ManualClock(1_700_000_000.0)
        self.alerts: list[Alert] = []
        config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, **options)
        self.monitor = Monitor(
            "m",
            reference=reference,
            exporters=[],
            config=config,
            clock=self.clock,
            on_alert=self.alerts.append,
        )
        self._rows = 0

    def serve(self, pairs: Pairs, *, step: int = 100, measures: Sequence[str] = ()) -> int | None:
        """Label these pairs in steps; return the number of labels at an alert, or None."""
        for start in range(0, pairs.x.size, step):
            part = Pairs(*(column[start : start + step] for column in pairs))
            ids = [f"r{self._rows + row}" for row in range(part.x.size)]
            self._rows += part.x.size
            self.monitor.record({"x": part.x}, part.predicted, ids=ids)
            self.monitor.label(ids, part.actual)
            self.clock.advance(60.0)
            if self.firing(measures):
                return start + part.x.size
        return None

    def firing(self, measures: Sequence[str] = ()) -> list[Alert]:
        """Return the firing alerts on performance, or those of the given measures."""
        status = self.monitor.status()
        assert (status.internal_errors, status.last_error) == (0, None)
        alerts = [alert for alert in status.alerts if alert.role == "performance"]
        return [alert for alert in alerts if not measures or alert.measure in measures]


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(5)


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Services that are closed after the test."""
    listed: list[Service] = []
    yield listed
    for service in listed:
        service.monitor.close()


@pytest.mark.parametrize("task", ["regression", "classes", "scores"])
def test_shuffled_labels_fire_a_performance_alert_within_500_labels(
    task: str, rng: np.random.Generator, services: list[Service]
) -> None:
    """Predictions are numbers, classes or scores."""
    service = Service(fitted(draw(rng, ROWS, task=task)))
    services.append(service)
    assert service.serve(draw(rng, 1_000, task=task)) is None
    pairs = draw(rng, 500, task=task)
    labels_until_alert = service.serve(pairs._replace(actual=rng.permutation(pairs.actual)))
    assert labels_until_alert is not None
    assert service.firing()[0].field == "performance"


def test_an_mae_that_grew_by_half_fires_a_performance_alert(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """The alert has the measure without clipping, and its limit."""
    service = Service(fitted(draw(rng, ROWS)))
    services.append(service)
    assert service.serve(draw(rng, 1_000)) is None
    assert service.serve(draw(rng, 1_000, noise=1.5)) is not None
    (alert,) = service.firing()
    assert (alert.measure, alert.state) == ("mae", "firing")
    assert alert.value == pytest.approx(1.5 * 23.9, rel=0.15)
    assert alert.value > alert.threshold
    assert alert.log10_e_value > 2
    assert "in the reference" in alert.reason
    assert str(alert).startswith("performance: mae ")


@pytest.mark.parametrize("task", ["regression", "classes", "scores"])
def test_a_model_that_performs_as_at_training_fires_no_performance_alert(
    task: str, rng: np.random.Generator, services: list[Service]
) -> None:
    """It is evaluated ten times."""
    service = Service(fitted(draw(rng, ROWS, task=task)))
    services.append(service)
    assert service.serve(draw(rng, 4_000, task=task), step=400) is None


def test_a_model_that_improves_fires_no_performance_alert(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """Its errors are half as large."""
    service = Service(fitted(draw(rng, ROWS)))
    services.append(service)
    assert service.serve(draw(rng, 2_000, noise=0.5), step=400) is None


def test_a_performance_alert_resolves_once_the_model_has_recovered(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """It is reported when it fires and when it resolves."""
    service = Service(fitted(draw(rng, ROWS)))
    services.append(service)
    service.serve(draw(rng, 500))
    assert service.serve(draw(rng, 500, noise=4.0)) is not None
    first = service.firing()[0]
    currents = []
    for _ in range(20):
        service.serve(draw(rng, 100))
        currents += [alert.current for alert in service.firing()]
    assert currents[-1] < first.threshold * 1.1 < first.value
    assert not service.firing()
    service.monitor.flush()
    assert [a.state for a in service.alerts if a.role == "performance"] == ["firing", "resolved"]


def test_without_actuals_in_the_reference_the_first_labels_are_the_baseline(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """These are the first 500."""
    service = Service(fitted(draw(rng, ROWS), has_actuals=False))
    services.append(service)
    assert service.serve(draw(rng, 1_000)) is None
    assert service.monitor.status().risks["mae"].basis == "first_labels"
    pairs = draw(rng, 500)
    assert service.serve(pairs._replace(actual=rng.permutation(pairs.actual))) is not None
    assert "over the first labels" in service.firing()[0].reason


def test_a_training_metric_is_the_baseline_if_there_are_no_actuals(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """It counts as exactly known."""
    reference = fitted(draw(rng, ROWS), has_actuals=False, training_metrics={"mae": 12.0})
    service = Service(reference)
    services.append(service)
    assert service.serve(draw(rng, 500)) is not None  # twice the error from the start
    risk = service.monitor.status().risks["mae"]
    assert (risk.basis, risk.reference) == ("training_metrics", 12.0)


def test_a_risk_has_its_reference_limit_and_confidence_sequence(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """The limit is the reference plus its tolerance."""
    service = Service(fitted(draw(rng, ROWS)), performance_tolerance=0.1)
    services.append(service)
    service.serve(draw(rng, 1_000))
    risk = service.monitor.status().risks["mae"]
    assert risk.low < risk.value < risk.high
    assert risk.low < risk.reference < risk.high
    assert risk.limit == pytest.approx(1.1 * risk.reference)
    assert (risk.tolerance, risk.basis, risk.is_firing) == (0.1, "reference", False)
    assert risk.count >= 500


def test_labels_of_immature_cohorts_wait_if_so_configured(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """Those of the current day do not count yet."""
    service = Service(fitted(draw(rng, ROWS)), performance_maturity=0.9)
    services.append(service)
    pairs = draw(rng, 500)
    assert service.serve(pairs._replace(actual=rng.permutation(pairs.actual))) is None
    service.clock.advance(2 * DAY)
    assert service.firing()
    assert service.monitor.status().risks["mae"].waiting == 0


def test_a_change_at_the_end_of_one_large_call_of_labels_is_detected(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """It comes after 20,000 labels as at training."""
    service = Service(fitted(draw(rng, ROWS)))
    services.append(service)
    calm, pairs = draw(rng, 20_000), draw(rng, 1_000)
    pairs = pairs._replace(actual=rng.permutation(pairs.actual))
    joined = Pairs(*(np.concatenate(columns) for columns in zip(calm, pairs, strict=True)))
    assert service.serve(joined, step=21_000) == 21_000
    assert service.firing()[0].rows < 3_000


def test_pairs_reported_together_fire_performance_alerts_too(rng: np.random.Generator) -> None:
    """Their classes are inverted."""
    reference = fitted(draw(rng, ROWS, task="classes"))
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        pairs = draw(rng, 500, task="classes")
        monitor.record_outcomes(pairs.predicted, 1 - pairs.actual)
        measures = {a.measure for a in monitor.status().alerts if a.role == "performance"}
    assert "accuracy" in measures


def test_a_second_larger_change_updates_a_performance_alert(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """It is reported again, with the time at which it first fired."""
    service = Service(fitted(draw(rng, ROWS)))
    services.append(service)
    service.serve(draw(rng, 500))
    assert service.serve(draw(rng, 1_000, noise=2.0)) is not None
    (first,) = service.firing()
    for _ in range(6):
        service.serve(draw(rng, 100, noise=2.0))
    for _ in range(6):
        service.serve(draw(rng, 100, noise=6.0))
    (second,) = service.firing()
    assert second.value > 2 * first.value
    assert second.started_at == first.started_at
    assert second.reason.startswith("changed again; ")
    service.monitor.flush()
    values = [alert.value for alert in service.alerts if alert.role == "performance"]
    assert 2 <= len(values) <= 3
    assert (values[0], values[-1]) == (first.value, second.value)


@pytest.mark.parametrize(
    ("groups", "is_sorted", "fields"),
    [
        (None, False, {"performance", "objective"}),
        (None, True, {"objective"}),
        ("customer", False, set()),
        ("customer", True, set()),
    ],
)
def test_a_few_customers_with_many_rows_fire_no_performance_alert_if_groups_are_declared(
    rng: np.random.Generator, *, groups: str | None, is_sorted: bool, fields: set[str]
) -> None:
    """Ten customers with a hundred equal rows each may have large errors by chance.

    The dependence of consecutive rows shows it too, for a risk but not for an objective.
    """
    pairs = draw(rng, 2_000)
    reference = fitted(pairs)
    own = draw(rng, 10)
    actual = own.predicted + np.linspace(5, 61, 10)
    with Monitor(
        "m",
        reference=reference,
        exporters=[],
        groups=groups,
        objectives=[Objective("mae", maximum=26)],
        ignore=[] if groups else ["customer"],
    ) as monitor:
        rows = np.repeat(rng.permutation(10), 100)
        rows = rows if is_sorted else rng.permutation(rows)
        features = {"x": own.x[rows], "customer": [f"c{row}" for row in rows]}
        predicted, actual = own.predicted[rows], actual[rows]
        monitor.record_outcomes(predicted, actual, features=features)
        status = monitor.status()
    fired = {alert.field for alert in status.alerts if alert.measure == "mae"}
    assert fired == fields
    risk = status.risks["mae"]
    assert (risk.low > risk.limit) == ("performance" in fields)


def draw_rare(rng: np.random.Generator, rows: int) -> Pairs:
    """Draw rows, a tenth of them positive, with calibrated scores and an AUC of 0.9."""
    actual = (rng.random(rows) < 0.1).astype(int)
    x = rng.normal(size=rows) + 1.8 * actual
    score = 1 / (1 + 9 * np.exp(1.8**2 / 2 - 1.8 * x))
    return Pairs(x, score, actual)


def test_shuffled_labels_of_a_rare_class_are_detected_by_roc_auc(
    rng: np.random.Generator, services: list[Service]
) -> None:
    """It takes at most 800 labels, of which 80 are positive."""
    service = Service(fitted(draw_rare(rng, 10_000)))
    services.append(service)
    assert service.serve(draw_rare(rng, 2_000), step=200) is None
    later = draw_rare(rng, 2_000)
    later = later._replace(actual=rng.permutation(later.actual))
    labels = service.serve(later, step=100, measures=["roc_auc"])
    assert labels is not None
    assert labels <= 800
