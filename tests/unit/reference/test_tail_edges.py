"""Additional bin edges in heavy tails."""

from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor.aggregate.sketches.bins import quantile_edges
from mlmonitor.reference.order.tail_edges import add_tail_edges

ROWS = 10_000
LIGHT: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.normal(size=ROWS),
    "exponential": lambda rng: rng.exponential(size=ROWS),
    "lognormal, sigma 1": lambda rng: rng.lognormal(size=ROWS),
    "counts": lambda rng: rng.poisson(3, ROWS).astype(float),
    "mostly zero": lambda rng: np.maximum(rng.random(ROWS) - 0.95, 0),
    "constant": lambda rng: np.ones(ROWS) * rng.random(),
}


def edges_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return edges of equal mass, and those with additional edges in the tails."""
    ordered = np.sort(values)
    edges = quantile_edges(ordered)
    return edges, add_tail_edges(edges, ordered, tolerance=2.0**-22)


@pytest.mark.parametrize("name", LIGHT)
def test_a_field_with_light_tails_keeps_its_bin_edges(name: str, rng: np.random.Generator) -> None:
    """Most fields have light tails, so their bins stay as they were."""
    np.testing.assert_array_equal(*edges_of(LIGHT[name](rng)))


@pytest.mark.parametrize("side", [1, -1])
def test_a_heavy_tail_has_a_bin_of_a_few_rows(side: int, rng: np.random.Generator) -> None:
    """If values lie on both sides of zero, only the heavy side gets an edge."""
    values = side * (rng.lognormal(0, 2, ROWS) - 0.5)
    before, after = edges_of(values)
    added = sorted(set(after) - set(before))
    assert len(added) == 1
    assert np.count_nonzero(side * values > side * added[0]) == pytest.approx(50, abs=3)


@pytest.mark.parametrize("side", [1, -1])
def test_heavy_values_of_one_sign_have_a_bin_of_a_few_rows_near_zero(
    side: int, rng: np.random.Generator
) -> None:
    """Values recorded in a unit that is a hundred times larger fall into it."""
    values = side * rng.lognormal(0, 2, ROWS)
    before, after = edges_of(values)
    near, far = sorted(set(after) - set(before), key=abs)
    assert np.count_nonzero(abs(values) < abs(near)) == pytest.approx(50, abs=3)
    assert np.count_nonzero(abs(values) > abs(far)) == pytest.approx(50, abs=3)


def test_cauchy_values_have_two_tail_bins(rng: np.random.Generator) -> None:
    """Both tails are heavy, so each gets one."""
    before, after = edges_of(rng.standard_cauchy(ROWS))
    assert len(after) == len(before) + 2


def test_a_small_sample_gets_no_tail_bin(rng: np.random.Generator) -> None:
    """Below 2,500 rows the outermost bin would hold too few of them."""
    np.testing.assert_array_equal(*edges_of(rng.lognormal(0, 2, 2_000)))
