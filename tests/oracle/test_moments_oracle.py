"""Moments against exact rational arithmetic, where naive formulas lose all digits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlmonitor.aggregate.sketches.moments import Moments
from support import streams
from support.strategies import FINITE

ROWS = 2_000


def exact(values: streams.Floats) -> tuple[Fraction, Fraction]:
    """Compute mean and population variance without rounding."""
    fractions = [Fraction(value) for value in values.tolist()]
    mean = sum(fractions) / len(fractions)
    return mean, sum((value - mean) ** 2 for value in fractions) / len(fractions)


def deviation(variance: Fraction) -> float:
    """Return the square root of a fraction that a float may not hold, such as 1e-600 or 1e600."""
    scale = Fraction(2) ** 2_400
    shift = 0
    while variance and variance * scale**2 < 1:
        variance, shift = variance * scale**2, shift - 2_400
    size = variance.numerator.bit_length() - variance.denominator.bit_length()
    half = size // 2
    root = float(variance / Fraction(2) ** (2 * half)) ** 0.5
    return float(np.ldexp(root, half + shift))


def of_blocks(values: streams.Floats, parts: int) -> Moments:
    """Return the moments of one field, updated in parts."""
    moments = Moments(1)
    for part in np.array_split(values, parts):
        moments.update(part[None])
    return moments


@pytest.mark.parametrize("parts", [1, 64])
@pytest.mark.parametrize("name", streams.STREAMS)
def test_moments_of_named_streams_are_exact_up_to_rounding(name: str, parts: int) -> None:
    """Mean and deviation agree with rational arithmetic, from one block or merged from 64."""
    values = streams.stream(name, rows=ROWS)
    mean, variance = exact(values)
    moments = of_blocks(values, parts)
    reach = float(np.abs(values).max())
    assert abs(float(moments.mean[0]) - float(mean)) <= 1e-13 * reach + 5e-324
    # Means of parts are floats themselves: of denormals they are whole steps.
    tolerance = 5e-324 * 2 if name == "denormal" else 1e-13 * reach
    assert moments.stddev[0] == pytest.approx(deviation(variance), rel=1e-9, abs=tolerance)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e9 - 1, 1e9 + 1], 1.0),
        ([1e15 - 1, 1e15 + 1], 1.0),
        ([1e-300, 3e-300], 1e-300),
        ([-1e300, 1e300], 1e300),
        ([-1.7e308, 1.7e308], 1.7e308),
        ([0.0, 1e-323], 5e-324),
        ([0.1] * 7, 0.0),
        ([3.0], 0.0),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_the_standard_deviation_keeps_its_digits(
    values: list[float], expected: float, parts: int
) -> None:
    """It is exact for 1e9 ± 1 and for numbers near the limits of a float."""
    assert of_blocks(np.array(values), parts).stddev[0] == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_million_values_in_blocks_lose_no_precision(rng: np.random.Generator) -> None:
    """After 1,000 merges at 1e9 ± 1, the standard deviation has eight correct digits."""
    values = 1e9 + rng.choice([-1.0, 1.0], 1_000_000)
    expected = float((values - 1e9).std())
    assert of_blocks(values, 1_000).stddev[0] == pytest.approx(expected, rel=1e-8)


@given(st.lists(FINITE, min_size=1, max_size=50), st.integers(1, 5))
def test_moments_agree_with_rational_arithmetic(drawn: list[float], parts: int) -> None:
    """Any finite numbers in any split are drawn."""
    values = np.array(drawn)
    mean, variance = exact(values)
    moments = of_blocks(values, parts)
    reach = float(np.abs(values).max())
    assert abs(Fraction(float(moments.mean[0])) - mean) <= Fraction(1e-14 * reach + 1e-323)
    expected = deviation(variance)
    assert abs(float(moments.stddev[0]) - expected) <= 1e-9 * expected + 1e-13 * reach + 2e-323
    assert (moments.min[0], moments.max[0]) == (values.min(), values.max())


def test_moments_equal_those_of_scipy(rng: np.random.Generator) -> None:
    """Count, extremes, mean and variance equal those of `scipy.stats.describe`."""
    values = rng.gamma(2.0, size=(3, 500))
    moments, expected = Moments.from_block(values), stats.describe(values, axis=1, ddof=0)
    np.testing.assert_array_equal(moments.count, expected.nobs)
    np.testing.assert_array_equal([moments.min, moments.max], expected.minmax)
    np.testing.assert_allclose(moments.mean, expected.mean, rtol=1e-14)
    np.testing.assert_allclose(moments.stddev**2, expected.variance, rtol=1e-13)
    np.testing.assert_allclose(moments.sum, values.sum(axis=1), rtol=1e-13)
