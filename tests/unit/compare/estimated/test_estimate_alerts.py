"""Alerts on estimated performance, which end once labels decide."""

from functools import cache

import numpy as np
import pytest

from mlmonitor import Monitor, Reference
from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.estimated.expected_losses import split_losses
from mlmonitor.records import Floats

Pairs = tuple[Floats, Floats, Floats]


def draw(task: str, rows: int, *, harder: bool, seed: int) -> Pairs:
    """Draw a feature, a score or prediction, and an outcome; harder rows are near the threshold."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, 0.7 if harder else 3.0, rows)
    if task == "regression":
        x = np.abs(x + (4.0 if harder else 0.0))
        return x, 10 * x, 10 * x + x * rng.normal(size=rows)
    score = 1 / (1 + np.exp(-x))
    return x, score, (rng.random(rows) < score).astype(np.float64)


@cache
def reference(task: str) -> Reference:
    """A reference of mostly easy rows."""
    x, predicted, actual = draw(task, 4_000, harder=False, seed=0)
    return Reference.fit({"x": x}, predictions=predicted, actuals=actual, thresholds="asymptotic")


@pytest.mark.parametrize(("task", "measure"), [("binary", "accuracy"), ("regression", "mae")])
def test_harder_rows_fire_an_alert_on_estimated_performance(task: str, measure: str) -> None:
    """The alert, its title and its attributes say so; rows as in training fire none."""
    opened = []
    with Monitor(
        "m", reference=reference(task), exporters=[], on_incident=opened.append
    ) as monitor:
        x, predicted, _ = draw(task, 3_000, harder=False, seed=1)
        monitor.record({"x": x}, predicted)
        assert not [a for a in monitor.status().alerts if a.basis == "estimated"]
        x, predicted, _ = draw(task, 3_000, harder=True, seed=2)
        monitor.record({"x": x}, predicted)
        (alert,) = [a for a in monitor.status().alerts if a.role == "performance"]
    assert (alert.basis, alert.field, alert.measure) == (
        "estimated",
        "estimated performance",
        measure,
    )
    assert str(alert).startswith(f"estimated performance: {measure}")
    assert "in training" in alert.reason
    assert any(alert in incident.members for incident in opened)


def test_an_estimated_alert_resolves_once_labels_decide() -> None:
    """Labels for half of the newest predictions suffice; then their losses decide."""
    with Monitor("m", reference=reference("binary"), exporters=[]) as monitor:
        x, predicted, actual = draw("binary", 3_000, harder=True, seed=3)
        ids = [str(row) for row in range(3_000)]
        monitor.record({"x": x}, predicted, ids=ids)
        assert {a.basis for a in monitor.status().alerts if a.role == "performance"} == {
            "estimated"
        }
        monitor.label(ids[:2_000], actual[:2_000])
        assert {a.basis for a in monitor.status().alerts if a.role == "performance"} == {"realised"}


@pytest.mark.parametrize("bins", [LossBins("accuracy", 1.0), LossBins("mae", 7.0)])
def test_losses_split_between_two_bins_keep_their_mean(bins: LossBins) -> None:
    """The mean is exact for bins of classes and of errors, within the range of their values."""
    losses = np.random.default_rng(4).uniform(0.1, 7.0, 1_000) * bins.scale / 7.0
    totals = split_losses(bins, losses, np.ones(1_000))
    assert totals[:-1].sum() == pytest.approx(1_000)
    assert bins.scale * (bins.values @ totals[:-1]) == pytest.approx(losses.sum())
    assert totals[-1] == pytest.approx(losses.sum())
