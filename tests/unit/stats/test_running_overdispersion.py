"""The design effect of a stream: dependence is detected, and a change is not mistaken for it."""

import tracemalloc

import numpy as np
import pytest

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.records import Floats
from mlmonitor.stats.dependence.running_overdispersion import RunningOverdispersion
from mlmonitor.stats.sequential.risk_process import RiskProcess


def draw_levels(rng: np.random.Generator, rows: int, correlation: float) -> Floats:
    """Draw an autoregressive series of order 1 with variance 1."""
    steps = rng.normal(size=rows) * (1 - correlation**2) ** 0.5
    levels = np.empty(rows)
    level = rng.normal()
    for row in range(rows):
        level = correlation * level + steps[row]
        levels[row] = level
    return levels


def measure_effect(values: Floats, *, step: int = 100) -> float:
    """Return the design effect of values that arrive in steps."""
    overdispersion = RunningOverdispersion()
    for start in range(0, values.size, step):
        overdispersion.update(values[start : start + step])
    return overdispersion.design_effect()


def test_independent_values_have_a_design_effect_of_1() -> None:
    """At least 76 of 80 streams of errors and of classes have exactly 1."""
    rng = np.random.default_rng(0)
    streams = [rng.exponential(1, 3_000) for _ in range(40)]
    streams += [(rng.random(3_000) < 0.1).astype(np.float64) for _ in range(40)]
    assert sum(measure_effect(values) > 1 for values in streams) <= 4


@pytest.mark.parametrize("at", [500, 1_500, 2_900])
@pytest.mark.parametrize("factor", [1.5, 4.0, 20.0])
def test_a_change_of_the_level_does_not_count_as_dependence(at: int, factor: float) -> None:
    """The change may be early or late, small or large."""
    values = np.random.default_rng(1).exponential(1, 3_000)
    values[at:] *= factor
    assert measure_effect(values) == 1.0


@pytest.mark.parametrize(("correlation", "least"), [(0.9, 8.0), (0.98, 15.0)])
def test_autocorrelated_values_have_a_large_design_effect(correlation: float, least: float) -> None:
    """The true effects, (1 + c) / (1 - c), are 19 and 99; blocks of 128 show a part of that."""
    effect = measure_effect(draw_levels(np.random.default_rng(2), 20_000, correlation))
    assert least < effect < 1.3 * (1 + correlation) / (1 - correlation)


def test_the_size_of_steps_does_not_change_the_design_effect() -> None:
    """Blocks are formed from neighbouring values, not from steps."""
    values = draw_levels(np.random.default_rng(3), 4_000, 0.9)
    effects = [measure_effect(values, step=step) for step in (7, 100, 4_000)]
    assert effects == pytest.approx([effects[0]] * 3)


def test_values_that_arrive_one_by_one_take_no_more_memory_than_reported() -> None:
    """As an array of its own, a value would take fourteen times its size."""
    values = np.random.default_rng(4).normal(size=2_000)
    tracemalloc.start()
    try:
        overdispersion = RunningOverdispersion()
        for number in values.tolist():
            overdispersion.update(np.array([number]))
        current_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current_bytes < 1.2 * overdispersion.nbytes


@pytest.mark.parametrize("values", [np.empty(0), np.zeros(1_000), np.ones(1_000)])
def test_constant_values_have_a_design_effect_of_1(values: Floats) -> None:
    """No two blocks differ."""
    assert measure_effect(values) == 1.0


@pytest.mark.slow
def test_losses_of_slowly_changing_size_alert_less_often_than_if_treated_as_independent() -> None:
    """Fifteen unchanged streams of 3,000 labels are compared with references of 5,000."""
    threshold = Significance(0.01, fields=1, tolerance=0.0).performance_threshold
    fired = np.zeros(2, np.int64)
    for seed in range(15):
        rng = np.random.default_rng(seed)
        trained = np.abs(rng.normal(size=5_000))
        bins = LossBins.fit("mae", trained)
        counts = bins.count_losses(trained)[:-1].astype(np.int64)
        sizes = np.exp(0.5 * draw_levels(rng, 3_000, 0.98) - 0.125)
        losses = np.abs(rng.normal(size=3_000)) * sizes
        for place, is_corrected in enumerate((False, True)):
            process = RiskProcess(bins.values, counts, tolerance=0.02)
            order, totals, highest = RunningOverdispersion(), np.zeros(bins.values.size + 1), -1.0
            for start in range(0, 3_000, 100):
                part = losses[start : start + 100]
                totals = totals + bins.count_losses(part)
                order.update(np.minimum(part, bins.scale))
                effect = order.design_effect() if is_corrected else 1.0
                highest = max(highest, process.evaluate(totals, design_effect=effect).log_e)
            fired[place] += highest >= threshold
    assert fired[1] <= fired[0] / 2
