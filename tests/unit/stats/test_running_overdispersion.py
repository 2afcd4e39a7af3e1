"""The design effect of a stream: dependence is found, and a change is not taken for it."""

import tracemalloc

import numpy as np
import pytest

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.records import Floats
from mlmonitor.stats.dependence.running_overdispersion import RunningOverdispersion
from mlmonitor.stats.sequential.risk_process import RiskProcess


def draw_levels(rng: np.random.Generator, rows: int, correlation: float) -> Floats:
    """A first-order autoregressive series of variance 1."""
    steps = rng.normal(size=rows) * (1 - correlation**2) ** 0.5
    levels = np.empty(rows)
    level = rng.normal()
    for row in range(rows):
        level = correlation * level + steps[row]
        levels[row] = level
    return levels


def measure_effect(values: Floats, *, step: int = 100) -> float:
    """The design effect of values that arrive by steps."""
    overdispersion = RunningOverdispersion()
    for start in range(0, values.size, step):
        overdispersion.update(values[start : start + step])
    return overdispersion.design_effect()


def test_independent_values_have_a_design_effect_of_1() -> None:
    """In nearly all streams, of errors as of classes."""
    rng = np.random.default_rng(0)
    streams = [rng.exponential(1, 3_000) for _ in range(40)]
    streams += [(rng.random(3_000) < 0.1).astype(np.float64) for _ in range(40)]
    assert sum(measure_effect(values) > 1 for values in streams) <= 4


@pytest.mark.parametrize("at", [500, 1_500, 2_900])
@pytest.mark.parametrize("factor", [1.5, 4.0, 20.0])
def test_a_change_of_the_level_is_not_dependence(at: int, factor: float) -> None:
    """Neither early nor late, neither small nor large."""
    values = np.random.default_rng(1).exponential(1, 3_000)
    values[at:] *= factor
    assert measure_effect(values) == 1.0


@pytest.mark.parametrize(("correlation", "least"), [(0.9, 8.0), (0.98, 15.0)])
def test_values_that_repeat_a_part_of_their_last_one_count_as_fewer(
    correlation: float, least: float
) -> None:
    """Their design effect is (1 + c) / (1 - c), 19 and 99, of which blocks of 128 show a part."""
    effect = measure_effect(draw_levels(np.random.default_rng(2), 20_000, correlation))
    assert least < effect < 1.3 * (1 + correlation) / (1 - correlation)


def test_steps_of_any_size_give_the_same_effect() -> None:
    """Blocks are of neighbours, not of steps."""
    values = draw_levels(np.random.default_rng(3), 4_000, 0.9)
    effects = [measure_effect(values, step=step) for step in (7, 100, 4_000)]
    assert effects == pytest.approx([effects[0]] * 3)


def test_values_that_arrive_one_by_one_take_no_more_memory_than_stated() -> None:
    """An array of one value is fourteen times as large as the value."""
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
    """Nothing differs between blocks."""
    assert measure_effect(values) == 1.0


@pytest.mark.slow
def test_losses_of_a_slowly_changing_size_alert_less_often_than_if_they_were_independent() -> None:
    """Fifteen streams of 3,000 labels without a change, beside references of 5,000."""
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
