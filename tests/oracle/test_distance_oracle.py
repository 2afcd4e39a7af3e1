"""Distances against scipy and against their definitions, written out without numpy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from mlmonitor.compare.distance import jensen_shannon, psi, psi_by_chance

Table = NDArray[np.int64]

HUGE = 1 << 50
small = st.integers(0, 50)
counts = st.one_of(small, st.integers(0, 10_000), st.integers(1 << 31, HUGE))


@st.composite
def pairs(draw: st.DrawFn, each: st.SearchStrategy[int] = counts) -> tuple[Table, Table]:
    """Two tables `[fields, bins]` of counts, zeros and empty fields among them."""
    fields, bins = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    row = st.lists(each, min_size=bins, max_size=bins)
    table = st.lists(row, min_size=fields, max_size=fields)
    return np.array(draw(table), np.int64), np.array(draw(table), np.int64)


def plain_psi(reference: list[int], current: list[int]) -> float:
    """PSI by its definition: half a count more in every bin that either side has."""
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
def test_psi_is_its_definition(tables: tuple[Table, Table]) -> None:
    """Each field's PSI equals the sum over its bins in exact shares, NaN without counts."""
    wanted = [plain_psi(a.tolist(), b.tolist()) for a, b in zip(*tables, strict=True)]
    np.testing.assert_allclose(psi(*tables), wanted, rtol=1e-9, atol=1e-12)


@given(pairs())
def test_jensen_shannon_is_the_distance_of_scipy(tables: tuple[Table, Table]) -> None:
    """Each field's distance equals scipy's to base 2; where scipy divides by zero it is NaN."""
    found = jensen_shannon(*tables)
    for a, b, distance in zip(*tables, found, strict=True):
        if a.sum() == 0 or b.sum() == 0:
            assert math.isnan(distance)
        else:
            # A root: what rounding leaves of zero comes out as its root.
            assert distance == pytest.approx(jensenshannon(a, b, base=2), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("bins", [2, 3, 10, 20, 52])
def test_psi_by_chance_is_the_chi_square_point(bins: int) -> None:
    """It is the 99 % point of the chi-square that PSI without drift follows, within 2 %."""
    reference, current = np.full((1, bins), 1_000), np.full((1, bins), 50)
    wanted = chi2.ppf(0.99, bins - 1) * (1 / reference.sum() + 1 / current.sum())
    assert psi_by_chance(reference, current)[0] == pytest.approx(wanted, rel=0.02)


def test_chance_alone_rarely_passes_it(rng: np.random.Generator) -> None:
    """Of 4,000 windows of 500 rows without any drift, 0.3 to 2 % pass what chance explains."""
    shares = np.full(10, 0.1)
    reference = rng.multinomial(20_000, shares, size=4_000)
    current = rng.multinomial(500, shares, size=4_000)
    passed = np.mean(psi(reference, current) > psi_by_chance(reference, current))
    assert 0.003 < passed < 0.02
