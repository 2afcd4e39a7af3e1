"""Distances against scipy and against their definitions in plain Python."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, chi2_contingency, ks_2samp, wasserstein_distance

from mlmonitor.stats.asymptotic_values import by_law
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN_RANKS,
    chi_square,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    total_variation,
    wasserstein,
)

Table = NDArray[np.int64]

HUGE = 1 << 50
small = st.integers(0, 50)
counts = st.one_of(small, st.integers(0, 10_000), st.integers(1 << 31, HUGE))


@st.composite
def pairs(draw: st.DrawFn, counts_of_bin: st.SearchStrategy[int] = counts) -> tuple[Table, Table]:
    """Draw two tables `[fields, bins]` of counts, with zeros and empty fields among them."""
    fields, bins = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    row = st.lists(counts_of_bin, min_size=bins, max_size=bins)
    table = st.lists(row, min_size=fields, max_size=fields)
    return np.array(draw(table), np.int64), np.array(draw(table), np.int64)


def plain_psi(reference: list[int], current: list[int]) -> float:
    """Compute PSI by its definition, with half a count added to every bin that either side has."""
    if sum(reference) == 0 or sum(current) == 0:
        return math.nan
    bins = [(a, b) for a, b in zip(reference, current, strict=True) if a + b > 0]
    whole_a = sum(Fraction(2 * a + 1, 2) for a, _ in bins)
    whole_b = sum(Fraction(2 * b + 1, 2) for _, b in bins)
    total = 0.0
    for a, b in bins:
        p, q = Fraction(2 * a + 1, 2) / whole_a, Fraction(2 * b + 1, 2) / whole_b
        total += float(q - p) * (math.log(float(q)) - math.log(float(p)))
    return total


@given(pairs())
def test_psi_equals_its_definition(tables: tuple[Table, Table]) -> None:
    """Each field's PSI is the sum over its bins in exact shares, and NaN without counts."""
    expected = [plain_psi(a.tolist(), b.tolist()) for a, b in zip(*tables, strict=True)]
    np.testing.assert_allclose(psi(*tables), expected, rtol=1e-9, atol=1e-12)


@given(pairs())
def test_jensen_shannon_equals_the_distance_of_scipy(tables: tuple[Table, Table]) -> None:
    """The base is 2; where scipy divides by zero, the result is NaN."""
    computed = jensen_shannon(*tables)
    for a, b, distance in zip(*tables, computed, strict=True):
        if a.sum() == 0 or b.sum() == 0:
            assert math.isnan(distance)
        else:
            # A root: what rounding leaves of zero comes out as its root.
            assert distance == pytest.approx(jensenshannon(a, b, base=2), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("bins", [2, 3, 10, 20, 52])
def test_critical_values_for_many_rows_are_chi_square_quantiles(bins: int) -> None:
    """For PSI and chi-square they agree with the 99% quantile within 2%."""
    reference, current = np.full((1, bins), 1_000), np.full((1, bins), 50)
    threshold, point = by_law(reference, current), chi2.ppf(0.99, bins - 1)
    noise = 1 / reference.sum() + 1 / current.sum()
    assert threshold["psi"][0] == pytest.approx(point * noise, rel=0.02)
    assert threshold["chi2"][0] == pytest.approx(point, rel=0.02)


@pytest.mark.parametrize("measure", MEASURES)
def test_chance_alone_rarely_exceeds_the_asymptotic_critical_values(
    measure: str, rng: np.random.Generator
) -> None:
    """Of 4,000 windows without drift, 0.2% to 2% exceed them; fewer exceed Kolmogorov's bound."""
    shares = np.full(10, 0.1)
    reference, current = (
        np.pad(rng.multinomial(rows, shares, size=4_000), ((0, 0), (0, 1)))
        for rows in (20_000, 500)
    )
    passed = np.mean(MEASURES[measure](reference, current) > by_law(reference, current)[measure])
    assert (0.0 if measure in ORDERED else 0.002) <= passed < 0.02


def test_hellinger_total_variation_and_chi_square_equal_their_definitions(
    rng: np.random.Generator,
) -> None:
    """The chi-square statistic is that of scipy for two samples."""
    a, b = rng.integers(1, 500, (2, 6, 9))
    p, q = a / a.sum(axis=1, keepdims=True), b / b.sum(axis=1, keepdims=True)
    square = 1 - np.sqrt(p * q).sum(axis=1)
    np.testing.assert_allclose(hellinger(a, b), np.sqrt(square), rtol=1e-9)
    np.testing.assert_allclose(total_variation(a, b), np.maximum(p - q, 0).sum(axis=1), rtol=1e-9)
    expected = [
        chi2_contingency([x, y], correction=False).statistic for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(chi_square(a, b), expected, rtol=1e-9)


@pytest.mark.parametrize("missing", [(0, 0), (300, 10), (10, 2_000)])
def test_kolmogorov_smirnov_at_every_value_is_that_of_scipy(
    missing: tuple[int, int], rng: np.random.Generator
) -> None:
    """If every value is a bin edge, it is the two-sample statistic."""
    x, y = rng.integers(0, 12, 400), rng.integers(2, 14, 300)
    a, b = (
        np.append(np.bincount(values, minlength=14), lost)[None]
        for values, lost in zip((x, y), missing, strict=True)
    )
    expected = ks_2samp(x, y).statistic
    assert kolmogorov_smirnov(a, b)[0] == pytest.approx(expected, rel=1e-12)


def test_kolmogorov_smirnov_is_nan_if_all_values_are_missing() -> None:
    """Without values on one side there is no distribution function to compare."""
    assert np.isnan(kolmogorov_smirnov(np.array([[5, 5, 0]]), np.array([[0, 0, 9]]))[0])


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0, 5.0])
def test_wasserstein_equals_that_of_scipy_except_for_the_outermost_quantiles(
    shift: float, rng: np.random.Generator
) -> None:
    """In standard deviations it agrees within 1% or 0.03 for a shifted and widened normal."""
    x, y = rng.normal(size=40_000), rng.normal(shift, 1.0 + shift / 4, size=40_000)
    quantiles = [np.quantile(sample, WASSERSTEIN_RANKS)[None] for sample in (x, y)]
    distance = wasserstein(*quantiles, np.array([1.0]))[0]
    assert distance == pytest.approx(wasserstein_distance(x, y), rel=0.01, abs=0.03)
