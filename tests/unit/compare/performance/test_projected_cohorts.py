"""Cohorts with incomplete labels: the projected final loss."""

import numpy as np
import pytest

from mlmonitor import Cohort, Config, Monitor
from mlmonitor.testing import ManualClock
from support.references import fit_reference

DAY = 86_400.0
ROWS = 300
DAYS = 12


def claims(rng: np.random.Generator, *, factor: float = 1.0) -> tuple[Cohort, ...]:
    """Return cohorts of claims: small ones are labelled at once, large ones after three days.

    The errors of large claims are ten times as large. factor: of the errors in the newest cohorts.
    """
    clock = ManualClock(1_700_006_400.0)
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    values = np.linspace(0, 100, 200)
    reference = fit_reference({"x": values}, predictions=values)
    with Monitor("m", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        waiting: list[tuple[int, list[str], np.ndarray]] = []
        for day in range(DAYS):
            for _, ids, actuals in [batch for batch in waiting if batch[0] == day]:
                monitor.label(ids, actuals)
            is_large = rng.random(ROWS) < 0.5
            grown = factor if day >= DAYS - 3 else 1.0
            errors = rng.normal(0, 1, ROWS) * np.where(is_large, 10, 1) * grown
            ids = [f"{day}-{row}" for row in range(ROWS)]
            monitor.record({"x": np.zeros(ROWS)}, np.full(ROWS, 50.5), ids=ids)
            monitor.status()
            small = np.flatnonzero(~is_large)
            monitor.label([ids[row] for row in small], 50.5 + errors[small])
            large = np.flatnonzero(is_large)
            waiting.append((day + 3, [ids[row] for row in large], 50.5 + errors[large]))
            monitor.status()
            clock.advance(DAY)
        status = monitor.status()
    assert (status.internal_errors, status.last_error) == (0, None)
    return status.cohorts


def test_early_labels_are_biased_and_the_projection_is_not() -> None:
    """Small claims with small errors close first."""
    final = 5.5 * np.sqrt(2 / np.pi)  # half of the claims have ten times the error
    newest = claims(np.random.default_rng(1))[-1]
    assert newest.maturity == pytest.approx(0.5, abs=0.1)
    assert newest.performance["mae"].value < 0.3 * final
    projected = newest.projected["mae"]
    assert projected.value == pytest.approx(final, rel=0.2)
    assert projected.low < final < projected.high
    assert projected.basis == "estimated"


def test_growing_losses_show_before_large_claims_are_labelled() -> None:
    """Errors of the newest cohorts are three times as large."""
    calm, grown = (claims(np.random.default_rng(2), factor=factor)[-1] for factor in (1.0, 3.0))
    assert grown.projected["mae"].value > 2 * calm.projected["mae"].value


def test_the_projection_of_a_mature_cohort_equals_its_loss() -> None:
    """No more labels are expected."""
    oldest = claims(np.random.default_rng(3))[0]
    assert oldest.maturity == 1.0
    realised, projected = oldest.performance["mae"], oldest.projected["mae"]
    assert projected.value == pytest.approx(realised.value, rel=1e-9)


def test_the_current_day_is_not_projected() -> None:
    """Its maturity is not known either."""
    clock = ManualClock(1_700_006_400.0)
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config, clock=clock) as monitor:
        monitor.record_outcomes([1.0, 2.0], [1.5, 2.5])
        (cohort,) = monitor.status().cohorts
    assert (cohort.maturity, dict(cohort.projected)) == (None, {})


def test_a_completely_labelled_cohort_is_mature() -> None:
    """A cohort has at most as many labels as predictions, whatever earlier ones had."""
    clock = ManualClock(1_700_006_400.0)
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    values = np.linspace(0, 100, 200)
    reference = fit_reference({"x": values}, predictions=values)
    with Monitor("m", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        for day in range(8):
            ids = [f"{day}-{row}" for row in range(100)]
            monitor.record({"x": np.zeros(100)}, np.full(100, 50.0), ids=ids)
            monitor.status()
            clock.advance(2 * DAY if day < 7 else DAY)
            monitor.label(ids, np.full(100, 51.0))
        newest = monitor.status().cohorts[-1]
    assert (newest.predicted, newest.labelled, newest.maturity) == (100, 100, 1.0)
