"""Estimates that labels refute are shown as such and cause no alert and no verdict."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Monitor, Reference, Status
from mlmonitor.records import Floats

Pairs = tuple[Floats, Floats, Floats]


def draw(task: str, rows: int, *, seed: int, spread: float = 1.0, errs: float = 1.0) -> Pairs:
    """Draw a feature, a prediction and an outcome.

    spread: of the feature; scores near 0.5 have a small one. errs: error relative to training; for
    classes, the rate of outcomes with another sign.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, 3.0 * spread, rows)
    if task == "regression":
        return x, 10 * x, 10 * x + 5 * errs * rng.normal(size=rows)
    score = 1 / (1 + np.exp(-x))
    chance = score if errs == 1.0 else np.where(score > 0.5, 0.5 + errs / 2, 0.5 - errs / 2)
    return x, score, (rng.random(rows) < chance).astype(np.float64)


@cache
def reference(task: str) -> Reference:
    """Fit the reference with which estimates are calibrated."""
    x, predicted, actual = draw(task, 4_000, seed=0)
    return Reference.fit({"x": x}, predictions=predicted, actuals=actual, thresholds="asymptotic")


def serve(
    task: str, parts: list[Pairs], *, labelled: float = 1.0, report: Path | None = None
) -> Status:
    """Record and label these rows, 500 at a time, and write a report on request."""
    with Monitor("m", reference=reference(task), exporters=[]) as monitor:
        for place, (x, predicted, actual) in enumerate(parts):
            for start in range(0, len(x), 500):
                rows = slice(start, start + 500)
                ids = [f"{place}-{start + row}" for row in range(len(x[rows]))]
                monitor.record({"x": x[rows]}, predicted[rows], ids=ids)
                monitor.status()
                count = round(labelled * len(ids))
                monitor.label(ids[:count], actual[rows][:count])
                monitor.status()
        if report is not None:
            monitor.report(report)
        return monitor.status()


@pytest.mark.parametrize(("task", "measure"), [("binary", "accuracy"), ("regression", "mae")])
def test_the_status_and_the_report_name_an_estimate_that_labels_refute(
    task: str, measure: str, tmp_path: Path
) -> None:
    """They show the gap, although most labels are from before the change."""
    errs = 0.2 if task == "binary" else 2.0
    calm, changed = draw(task, 3_000, seed=1), draw(task, 2_000, seed=2, errs=errs)
    report = tmp_path / "report.html"
    status = serve(task, [calm, changed], report=report)
    assert status.estimated is not None
    gap = status.estimated.refuted[measure]
    assert abs(gap.difference) > 0.2
    assert "the labels refute this estimate" in " ".join(str(status).split())
    assert "The labels refute this estimate" in report.read_text()


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_labels_that_agree_with_an_estimate_refute_nothing(task: str) -> None:
    """They are compared again and again."""
    status = serve(task, [draw(task, 6_000, seed=3)])
    assert status.estimated is not None
    assert dict(status.estimated.refuted) == {}
    assert "right if" in " ".join(str(status).split())


def test_a_refuted_estimate_fires_no_alert() -> None:
    """A third of the labels show that uncertain scores are right more often than estimated."""
    hard = draw("binary", 6_000, seed=4, spread=0.2, errs=0.98)
    status = serve("binary", [hard], labelled=0.3)
    assert status.estimated is not None
    assert "accuracy" in status.estimated.refuted
    assert not [alert for alert in status.alerts if alert.basis == "estimated"]
    unlabelled = serve("binary", [hard], labelled=0.0)
    assert [alert for alert in unlabelled.alerts if alert.basis == "estimated"]
