"""The evidence that the mean of a bounded loss has increased."""

from itertools import pairwise

import numpy as np
import pytest

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.sequential.risk_process import BETS, RiskProcess, confidence_bounds, log_wealth

VALUES = np.append((np.arange(39) + 0.5) / 40, 1.0)
COIN = np.array([0.0, 1.0])
NEEDED = np.log(4 / (0.04 * 0.01))


def bin_losses(losses: Floats, values: Floats = VALUES) -> Counts:
    """Count losses between 0 and 1 by bin."""
    places = np.minimum((losses * values.size).astype(np.int64), values.size - 1)
    return np.bincount(places, minlength=values.size)


def totals_of(losses: Floats, values: Floats = VALUES) -> Floats:
    """Return the counts by bin, then the sum."""
    return np.append(bin_losses(losses, values), losses.sum())


def test_the_wealth_of_a_bet_equals_its_product_over_the_losses() -> None:
    """Counts by bin give the same result as the losses one by one."""
    losses = np.random.default_rng(0).random(50)
    counts = bin_losses(losses)
    loss_values = VALUES[np.minimum((losses * 40).astype(int), 39)]
    products = [np.prod(1 - bet + bet * loss_values / 0.3) for bet in BETS]
    wealth = log_wealth(VALUES, counts[None].astype(np.float64), np.array([0.3]))
    assert wealth[0, 0] == pytest.approx(np.log(np.mean(products)), abs=1e-9)


@pytest.mark.parametrize(("rows", "growth", "most"), [(1_000, 3.0, 300), (5_000, 1.5, 800)])
def test_an_increase_of_the_risk_is_detected(rows: int, growth: float, most: int) -> None:
    """After 2,000 losses as at training, a bounded number of larger ones suffices."""
    rng = np.random.default_rng(1)
    delays = []
    for _ in range(10):
        process = RiskProcess(VALUES, bin_losses(rng.beta(1, 4, rows)), tolerance=0.05)
        totals = totals_of(rng.beta(1, 4, 2_000))
        process.evaluate(totals)
        for labels in range(100, 2_000, 100):
            totals += totals_of(np.minimum(growth * rng.beta(1, 4, 100), 1.0))
            if process.evaluate(totals).log_e >= NEEDED:
                delays.append(labels)
                break
    assert len(delays) == 10
    assert np.median(delays) <= most


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_without_growth_the_evidence_rarely_exceeds_its_threshold(share: float) -> None:
    """Errors are rare, usual or frequent; the reference sample is small."""
    rng = np.random.default_rng(2)
    passed = 0
    for _ in range(60):
        reference = np.bincount(rng.random(400) < share, minlength=2)
        process = RiskProcess(COIN, reference, tolerance=0.0)
        totals = np.zeros(3)
        highest = -np.inf
        for _ in range(30):
            wrong = np.count_nonzero(rng.random(100) < share)
            totals += [100 - wrong, wrong, wrong]
            highest = max(highest, process.evaluate(totals).log_e)
        passed += highest >= np.log(1 / 0.05)
    assert passed <= 6  # of 60, where 3 are expected at most


def test_growth_within_the_tolerance_gives_no_evidence() -> None:
    """The loss grows by a tenth where a fifth is tolerated."""
    reference = np.array([9_000, 1_000])
    process = RiskProcess(COIN, reference, tolerance=0.2)
    assert process.evaluate(np.array([89_000.0, 11_000.0, 11_000.0])).log_e < 0


def test_a_reference_sample_too_small_to_estimate_its_mean_gives_no_evidence() -> None:
    """From ten losses the mean might be a third."""
    process = RiskProcess(COIN, np.array([9, 1]), tolerance=0.0)
    assert process.evaluate(np.array([700.0, 300.0, 300.0])).log_e < NEEDED


def test_a_long_period_without_change_does_not_hide_a_later_change() -> None:
    """Restarts detect it, and the evidence tells at about which row it began."""
    process = RiskProcess(COIN, np.array([9_500, 500]), tolerance=0.05)
    totals = np.zeros(3)
    for _ in range(300):
        totals += [190.0, 10.0, 10.0]
        assert process.evaluate(totals).log_e < NEEDED
    totals += [150.0, 50.0, 50.0]
    evidence = process.evaluate(totals)
    assert evidence.log_e >= NEEDED
    assert evidence.rows <= 800


def test_the_newest_losses_start_at_the_latest_restart_with_enough_rows() -> None:
    """Small losses from before the change are left out."""
    process = RiskProcess(COIN, np.array([90, 10]), tolerance=0.05)
    totals = np.zeros(3)
    for wrong in (0.0, 0.0, 100.0, 100.0):
        totals += [200.0 - wrong, wrong, wrong]
        process.restart(totals)
    counts, total = process.newest(totals, 300)
    assert (counts.tolist(), total) == ([200, 200], 200.0)


def test_losses_before_a_reset_give_no_evidence() -> None:
    """After an alert has resolved, the evidence starts from nothing."""
    process = RiskProcess(COIN, np.array([9_500, 500]), tolerance=0.05)
    totals = np.array([100.0, 100.0, 100.0])
    assert process.evaluate(totals).log_e >= NEEDED
    process.reset(totals)
    assert process.evaluate(totals).log_e < 0.1


def test_bounds_contain_the_mean_and_become_narrower() -> None:
    """The number of losses goes from 20 to 20,000."""
    rng = np.random.default_rng(3)
    widths = []
    for rows in (20, 200, 2_000, 20_000):
        counts = bin_losses(rng.beta(1, 4, rows))
        low, high = confidence_bounds(VALUES, counts)
        assert low < 0.2 < high
        widths.append(high - low)
    assert all(wide > narrow for wide, narrow in pairwise(widths))
    assert widths[-1] < 0.02


def test_bounds_hold_at_any_time_in_most_streams() -> None:
    """At most one stream in twenty leaves them at any of 15 evaluations."""
    rng = np.random.default_rng(4)
    outside = 0
    for _ in range(60):
        counts = np.zeros(2, np.int64)
        is_outside = False
        for _ in range(15):
            counts += np.bincount(rng.random(60) < 0.1, minlength=2)
            low, high = confidence_bounds(COIN, counts)
            is_outside |= not low <= 0.1 <= high
        outside += is_outside
    assert outside <= 6


def test_without_losses_the_bounds_are_0_and_1() -> None:
    """Nothing is known about a mean between 0 and 1."""
    assert confidence_bounds(COIN, np.zeros(2, np.int64)) == (0.0, 1.0)
