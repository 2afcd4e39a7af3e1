"""The line that corrects predictions, against numpy and scipy on the same rows."""

import numpy as np
import pytest
from scipy import stats

from mlmonitor.aggregate.outcomes.calibration_sums import CalibrationSums
from mlmonitor.verdict.evidence import log10_mixture_e_value
from mlmonitor.verdict.recalibration import compute_recalibration


def sums(predicted: np.ndarray, actual: np.ndarray, center: float) -> CalibrationSums:
    """Return the state after these pairs, in one bucket."""
    state = CalibrationSums(1, center)
    state.update(predicted, actual, np.zeros(len(predicted), np.int64))
    return state


@pytest.mark.parametrize("center", [0.0, 900.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_correction_and_both_losses_equal_those_of_least_squares(
    seed: int, center: float
) -> None:
    """The sums may be centred anywhere."""
    rng = np.random.default_rng(seed)
    predicted = rng.normal(1_000, 50, 400)
    actual = 100 + 1.1 * predicted + rng.normal(0, 30, 400)
    line = compute_recalibration(sums(predicted, actual, center).terms())
    assert line is not None
    slope, intercept = np.polyfit(predicted, actual, 1)
    assert line.slope == pytest.approx(slope, rel=1e-6)
    assert line.intercept == pytest.approx(intercept, rel=1e-4)
    assert line.loss == pytest.approx(np.mean((predicted - actual) ** 2), rel=1e-9)
    residuals = actual - intercept - slope * predicted
    assert line.corrected_loss == pytest.approx(np.mean(residuals**2), rel=1e-6)
    assert line.correlation == pytest.approx(np.corrcoef(predicted, actual)[0, 1], rel=1e-6)
    assert line.bias == pytest.approx(np.mean(predicted - actual), rel=1e-9)


def test_the_statistic_of_calibrated_predictions_is_chi_squared() -> None:
    """Errors grow with the prediction here, because the test does not assume equal variances."""
    rng = np.random.default_rng(5)
    statistics = []
    for _ in range(400):
        predicted = rng.uniform(1, 5, 300)
        actual = predicted + rng.normal(size=300) * predicted
        line = compute_recalibration(sums(predicted, actual, 3.0).terms())
        assert line is not None
        statistics.append(line.statistic)
    assert stats.kstest(statistics, stats.chi2(2).cdf).pvalue > 0.01


def test_calibrated_predictions_rarely_seem_miscalibrated_however_often_they_are_checked() -> None:
    """At most one stream in a hundred reaches an e-value of 100 at any of forty checks."""
    rng, evident = np.random.default_rng(6), 0
    for _ in range(200):
        counts = 100.0 * np.arange(1, 41)
        totals = rng.normal(size=40).cumsum() * 10
        evidence = [
            log10_mixture_e_value(total**2 / count, count)
            for total, count in zip(totals, counts, strict=True)
        ]
        evident += max(evidence) >= 2
    assert evident <= 6  # of 200 streams at 1%; a binomial exceeds this once in 250 times


def test_constant_predictions_have_slope_and_correlation_zero() -> None:
    """Their bias is evident nevertheless."""
    rng = np.random.default_rng(7)
    line = compute_recalibration(sums(np.full(200, 7.0), rng.normal(9, 1, 200), 7.0).terms())
    assert line is not None
    assert (line.slope, line.correlation) == (0.0, 0.0)
    assert line.bias == pytest.approx(-2, abs=0.3)
    assert line.statistic > 100


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_two_pairs_give_no_regression_line(rows: int) -> None:
    """Any two points lie on a line, so its fit says nothing."""
    assert compute_recalibration(sums(np.arange(rows) * 1.0, np.ones(rows), 0.0).terms()) is None


def test_sums_that_overflowed_give_no_regression_line() -> None:
    """Infinite sums hold no information."""
    assert compute_recalibration(sums(np.full(5, 1e200), np.zeros(5), 0.0).terms()) is None
