"""Alerts on the projected losses of cohorts, before all of their labels have arrived."""

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Reference
from mlmonitor.testing import ManualClock
from support.references import fit_reference

DAY = 86_400.0
ROWS, DAYS, CHANGED, LATE = 400, 22, 8, 3


def draw_errors(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw errors, half of them ten times as large, and return which rows those are."""
    is_large = rng.random(rows) < 0.5
    return rng.normal(0, 1, rows) * np.where(is_large, 10, 1), is_large


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Return a reference whose training rows all have labels."""
    rng = np.random.default_rng(0)
    values, (errors, _) = np.linspace(0, 100, 4_000), draw_errors(rng, 4_000)
    return fit_reference({"x": values}, predictions=values, actuals=values + errors)


def serve(reference: Reference, *, basis: str, grown: float = 1.0) -> list[Alert]:
    """Return the performance alerts of three weeks; large errors are labelled three days late.

    grown: factor by which the errors of the last eight days are multiplied.
    """
    clock, rng = ManualClock(1_700_006_400.0), np.random.default_rng(1)
    config = Config(
        poll_interval_seconds=3_600, export_interval_seconds=3_600, performance_basis=basis
    )
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        waiting: list[tuple[int, list[str], np.ndarray]] = []
        for day in range(DAYS):
            errors, is_large = draw_errors(rng, ROWS)
            actuals = 50.5 + errors * (grown if day >= DAYS - CHANGED else 1.0)
            ids = np.array([f"{day}-{row}" for row in range(ROWS)])
            monitor.record({"x": np.zeros(ROWS)}, np.full(ROWS, 50.5), ids=ids.tolist())
            monitor.status()
            monitor.label(ids[~is_large].tolist(), actuals[~is_large])
            for _, late, values in [entry for entry in waiting if entry[0] == day]:
                monitor.label(late, values)
            waiting.append((day + LATE, ids[is_large].tolist(), actuals[is_large]))
            clock.advance(DAY)
            status = monitor.status()
            alerts += [alert for alert in status.alerts if alert.role == "performance"]
    assert (status.internal_errors, status.last_error) == (0, None)
    return alerts


def test_an_alert_on_projected_losses_says_so(reference: Reference) -> None:
    """Errors triple; the alert names the share of labels from which the loss is projected."""
    alert = serve(reference, basis="projected", grown=3.0)[0]
    assert (alert.basis, alert.field, alert.measure) == (
        "projected",
        "projected performance",
        "mae",
    )
    assert alert.value == pytest.approx(3 * 5.5 * np.sqrt(2 / np.pi), rel=0.3)
    assert "projected from" in alert.reason
    assert str(alert).startswith("projected performance: mae")


@pytest.mark.slow
def test_projected_losses_of_an_unchanged_model_do_not_alert(reference: Reference) -> None:
    """The first labels of each day have small errors, which must not be mistaken for change."""
    assert serve(reference, basis="projected") == []


def test_a_cohort_without_a_positive_label_has_no_recall_but_its_other_measures_are_judged() -> (
    None
):
    """On a quiet day of a classifier the remaining measures count as on any other day."""
    rng = np.random.default_rng(2)
    truth = np.arange(600) % 2
    scores = np.clip(0.3 * truth + 0.6 * rng.random(600), 0, 1)
    reference = fit_reference({"x": scores}, predictions=scores, actuals=truth)
    clock = ManualClock(1_700_006_400.0)
    config = Config(
        poll_interval_seconds=3_600, export_interval_seconds=3_600, performance_basis="projected"
    )
    with Monitor("m", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        for day in range(7):
            kept = slice(None) if day != 4 else np.flatnonzero(truth == 0)
            monitor.record_outcomes(scores[kept], truth[kept])
            clock.advance(DAY)
            status = monitor.status()
    assert ["recall" in cohort.projected for cohort in status.cohorts][3:6] == [True, False, True]
    assert (status.internal_errors, status.last_error) == (0, None)
