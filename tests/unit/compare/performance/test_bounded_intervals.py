"""Intervals stay within the bounds of their measure."""

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Objective
from mlmonitor.compare.performance.estimate import (
    TWO_SIDED_95,
    Estimate,
    clip_interval,
    estimate_on_scale,
    estimate_proportion,
)
from mlmonitor.testing import ManualClock

DAY = 86_400.0


@pytest.mark.parametrize("high", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("value", [0.0, 1e-9, 0.02, 0.5, 0.99, 1.0, 1.7, 3.0])
@pytest.mark.parametrize("deviation", [0.0, 1e-6, 0.3, 40.0])
def test_a_transformed_interval_contains_its_value_and_stays_within_bounds(
    value: float, deviation: float, high: float
) -> None:
    """It may be very uncertain, and the value itself may be beyond a bound."""
    estimate = estimate_on_scale(value, deviation, 100, (0.0, high))
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= high
    assert estimate.value == min(value, high)


@pytest.mark.parametrize("high", [1.0, np.inf])
def test_a_narrow_transformed_interval_equals_the_normal_one(high: float) -> None:
    """They agree to second order."""
    estimate = estimate_on_scale(0.3, 1e-4, 100, (0.0, high))
    assert estimate.low == pytest.approx(0.3 - TWO_SIDED_95 * 1e-4, abs=1e-6)
    assert estimate.high == pytest.approx(0.3 + TWO_SIDED_95 * 1e-4, abs=1e-6)


def test_an_interval_without_a_deviation_is_unknown() -> None:
    """Its limits are NaN."""
    estimate = estimate_on_scale(0.3, float("nan"), 100, (0.0, 1.0))
    assert np.isnan([estimate.low, estimate.high]).all()


@pytest.mark.parametrize(
    ("measure", "task", "ends"),
    [
        ("accuracy", "binary", (0.0, 1.0)),
        ("brier", "binary", (0.0, 1.0)),
        ("brier", "multiclass", (0.0, 2.0)),
        ("mae", "regression", (0.0, 9.0)),
        ("r2", "regression", (-9.0, 1.0)),
        ("bias", "regression", (-9.0, 9.0)),
    ],
)
def test_each_measure_has_its_own_bounds(
    measure: str, task: str, ends: tuple[float, float]
) -> None:
    """R2 is at most 1, losses are at least 0, and a bias is unbounded."""
    clipped = clip_interval(Estimate(0.5, -9.0, 9.0, 10), measure, task)
    assert (clipped.low, clipped.high) == ends


def test_projections_and_objectives_of_few_labels_stay_between_0_and_1() -> None:
    """A projection multiplies a mean loss, and a confidence sequence is wide."""
    clock, rng = ManualClock(1_700_006_400.0), np.random.default_rng(5)
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    objectives = [Objective("accuracy", minimum=0.1)]
    with Monitor("m", exporters=[], objectives=objectives, config=config, clock=clock) as monitor:
        for _ in range(8):
            predicted = rng.choice(["a", "b"], 6)
            actual = np.where(rng.random(6) < 0.8, "b", "a")
            since = np.full(6, clock() - DAY * rng.integers(0, 3))
            monitor.record_outcomes(predicted, actual, predicted_at=since)
            monitor.status()
            clock.advance(DAY)
        status = monitor.status()
    ends = [
        (estimate.low, estimate.high)
        for cohort in status.cohorts
        for estimate in cohort.projected.values()
    ]
    ends += [(objective.low, objective.high) for objective in status.objectives]
    bounded = np.array(ends)[~np.isnan(ends).any(axis=1)]
    assert len(bounded)
    assert bounded.min() >= 0.0
    assert bounded.max() <= 1.0


def test_a_proportion_is_never_outside_its_interval() -> None:
    """Rounding does not matter, for 0 and for all successes in any number of trials."""
    for trials in range(1, 500):
        for successes in {0, 1, trials - 1, trials}:
            share = estimate_proportion(successes, trials)
            assert 0.0 <= share.low <= share.value <= share.high <= 1.0
