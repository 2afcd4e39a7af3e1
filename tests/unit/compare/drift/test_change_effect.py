"""Which changes are large enough to matter, and which are detected behind others."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.support.references import fit_reference

from mlmonitor import Alert, Config, Monitor
from mlmonitor.stats.distance import psi_low
from mlmonitor.stats.evidence.effect_bounds import bin_excess, psi_lower_sequence
from mlmonitor.testing import ManualClock

EDGES = stats.norm.ppf(np.arange(1, 10) / 10)


def shares(shift: float) -> np.ndarray:
    """Return the shares of the ten default bins after a shift of a normal field."""
    return np.append(np.diff(stats.norm.cdf([-np.inf, *(EDGES - shift), np.inf])), 0.0)


def alerts_of(reference: Any, parts: list[np.ndarray], step: int = 500) -> list[tuple[int, Alert]]:
    """Return the PSI alerts of a stream, each with its row."""
    clock, alerts, row = ManualClock(), [], 0
    config = Config(
        check_rows=step, check_interval_seconds=0, window_rows=step * 10, window_seconds=None
    )
    with Monitor(
        "m",
        reference=reference,
        exporters=[],
        clock=clock,
        config=config,
        on_alert=lambda alert: alerts.append((row, alert)),
    ) as monitor:
        for values in parts:
            for start in range(0, len(values), step):
                part = values[start : start + step]
                row += len(part)
                monitor.record({"x": part}, np.zeros(len(part)))
                clock.advance(10)
                monitor.flush(timeout_seconds=20)
    return [(at, alert) for at, alert in alerts if alert.measure == "psi"]


def test_a_shift_below_the_tolerance_exceeds_it_in_at_most_one_stream_of_ten(
    rng: np.random.Generator,
) -> None:
    """The PSI is 0.0043 in 200 streams of 200,000 rows, checked every 500."""
    reference = rng.multinomial(500_000, shares(0), 200)
    total = np.zeros_like(reference)
    is_beyond, is_beyond_pointwise = np.zeros((2, 200), np.bool_)
    for _ in range(400):
        total += rng.multinomial(500, shares(0.0669), 200)
        is_beyond |= psi_lower_sequence(reference, total) > 0.005
        is_beyond_pointwise |= psi_low(reference, total) > 0.005
    assert stats.binomtest(int(is_beyond.sum()), 200).proportion_ci().high <= 0.1
    assert is_beyond_pointwise.mean() > 0.1


@pytest.mark.parametrize(("shift", "rows"), [(0.25, 1_000), (0.5, 200)])
def test_a_large_shift_exceeds_the_tolerance_as_soon_as_there_is_evidence(
    rng: np.random.Generator, shift: float, rows: int
) -> None:
    """In nine streams of ten, it does so after as many rows as the evidence needs."""
    reference = rng.multinomial(5_000, shares(0), 400)
    current = rng.multinomial(rows, shares(shift), 400)
    assert np.mean(psi_lower_sequence(reference, current) > 0.005) > 0.9


@pytest.mark.parametrize(("share", "rows"), [(0.005, 30_000), (0.015, 90_000), (0.02, 10_000)])
def test_a_class_of_one_percent_that_halves_or_grows_by_half_matters(
    rng: np.random.Generator, share: float, rows: int
) -> None:
    """Its PSI is below 0.005, but the change exceeds 22% and 0.1 percentage points."""
    reference = rng.multinomial(100_000, [0.99, 0.01, 0], 100)
    current = rng.multinomial(rows, [1 - share, share, 0], 100)
    assert np.mean(bin_excess(reference, current, 0.005, 0.001) > 0) > 0.85


@pytest.mark.parametrize("share", [0.0085, 0.01, 0.0118])
def test_a_rare_class_that_hardly_changes_does_not_matter(
    rng: np.random.Generator, share: float
) -> None:
    """It changes by less than 22%, and is checked many times."""
    reference = rng.multinomial(100_000, [0.99, 0.01, 0], 100)
    total, is_beyond = np.zeros_like(reference), np.zeros(100, np.bool_)
    for _ in range(200):
        total += rng.multinomial(1_000, [1 - share, share, 0], 100)
        is_beyond |= bin_excess(reference, total, 0.005, 0.001) > 0
    assert is_beyond.mean() <= 0.1


def test_an_event_of_one_in_ten_thousand_may_double_without_an_alert() -> None:
    """A change below a tenth of a percentage point never matters."""
    reference = np.array([[10_000_000, 1_000, 0]])
    assert bin_excess(reference, np.array([[10_000_000, 2_000, 0]]), 0.005, 0.001) == 0


def test_common_bins_are_judged_by_their_psi_alone() -> None:
    """The tolerance of PSI is configured."""
    reference, current = np.array([[100_000, 100_000, 0]]), np.array([[140_000, 60_000, 0]])
    assert bin_excess(reference, current, 0.005, 0.001) == 0
    assert psi_lower_sequence(reference, current) > 0.1


@pytest.mark.slow
def test_a_tolerated_offset_does_not_hide_a_larger_shift(rng: np.random.Generator) -> None:
    """After 100,000 rows with the offset, a quarter of a standard deviation more is detected."""
    reference = fit_reference({"x": rng.normal(size=100_000)}, predictions=np.zeros(100_000))
    alerts = alerts_of(
        reference, [rng.normal(size=100_000) + 0.05, rng.normal(size=10_000) + 0.3], 1_000
    )
    assert alerts
    assert 100_000 < alerts[0][0] <= 103_000


def test_an_alert_does_not_hide_the_next_change(rng: np.random.Generator) -> None:
    """A small shift is followed by a large one to the other side and then by reference rows."""
    reference = fit_reference({"x": rng.normal(size=5_000)}, predictions=np.zeros(5_000))
    alerts = alerts_of(
        reference,
        [
            rng.normal(size=8_000) + 0.3,
            rng.normal(size=5_000) - 1,
            rng.normal(size=8_000),
        ],
    )
    assert [alert.state for _, alert in alerts] == ["firing", "firing", "resolved"]
    (_, first), (row, second), _ = alerts
    assert 8_000 < row <= 10_000
    assert second.reason.startswith("changed again; up to")
    assert second.value > 0.5 > first.value
    assert second.started_at == first.started_at
