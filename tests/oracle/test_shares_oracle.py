"""Shares of invalid values against scipy's beta-binomial distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, betaprime

from mlmonitor.stats.proportions import critical_share, growth_lower_bound

beliefs = st.tuples(st.floats(0.5, 500.0), st.floats(10.0, 100_000.0))


@given(beliefs, st.integers(1, 100_000))
def test_the_critical_share_is_exceeded_once_in_a_hundred_windows(
    belief: tuple[float, float], rows: int
) -> None:
    """It is the exact 99% point up to 64 values; above, 0.5% to 2% of windows exceed it."""
    threshold = critical_share(np.array([belief]), np.array([rows]))[0] * rows
    law = betabinom(rows, *belief)
    if threshold <= 64:
        assert round(threshold) == law.ppf(0.99)
    else:
        assert law.sf(np.floor(threshold - 1)) >= 0.005
        assert law.sf(np.ceil(threshold)) <= 0.02


@pytest.mark.parametrize("rows", [1, 50, 10_000, 2**31, 2**52])
def test_the_critical_share_is_valid_for_any_number_of_rows(rows: int) -> None:
    """It stays at most 1 and decreases towards the expected share."""
    belief = np.array([[0.5, 1_000.5], [10.5, 990.5], [500.5, 500.5]])
    shares = critical_share(belief, np.full(3, rows))
    expected = belief[:, 0] / belief.sum(axis=1)
    assert (shares >= expected - 1 / rows).all()
    assert (shares <= 1).all()
    if rows == 2**52:
        limit = betaprime(belief[:, 0], belief[:, 1]).ppf(0.99)
        np.testing.assert_allclose(shares, limit / (1 + limit), rtol=0.1)


def test_without_rows_there_is_no_critical_share() -> None:
    """It is NaN, and there is no growth."""
    none = np.zeros(1, np.int64)
    assert np.isnan(critical_share(np.array([[0.5, 100.5]]), none)).all()
    assert growth_lower_bound(np.array([[0.5, 100.5]]), none, none)[0] < 0


@given(st.floats(0.001, 0.5), st.integers(100, 100_000))
def test_the_lower_bound_of_growth_is_below_the_observed_growth(share: float, rows: int) -> None:
    """It never exceeds the difference of the shares, and is about zero where they are equal."""
    belief = np.array([[share * 10_000, (1 - share) * 10_000]])
    for factor in (1.0, 1.5):
        bad = round(rows * share * factor)
        low = growth_lower_bound(belief, np.array([bad]), np.array([rows]))[0]
        assert low <= (bad + 0.5) / (rows + 1) - share
        if factor == 1.0:
            assert low < 1 / rows
