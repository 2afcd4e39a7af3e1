"""Properties of distances between histograms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlmonitor.stats.distance import MEASURES as BY_NAME
from mlmonitor.stats.distance import ORDERED, jensen_shannon, psi, psi_debiased

Table = NDArray[np.int64]
EVERY = list(BY_NAME.values())
MEASURES = [measure for measure in EVERY if measure is not psi_debiased]
UNORDERED = [measure for name, measure in BY_NAME.items() if name not in ORDERED]

counts = st.lists(
    st.one_of(st.just(0), st.integers(0, 1_000), st.integers(1 << 31, 1 << 50)),
    min_size=6,
    max_size=6,
)
tables = st.lists(counts, min_size=1, max_size=4).map(lambda rows: np.array(rows, np.int64))


def fit(a: Table, b: Table) -> tuple[Table, Table]:
    """Return two tables cut to the number of fields of the smaller one."""
    fields = min(len(a), len(b))
    return a[:fields], b[:fields]


@pytest.mark.parametrize("measure", MEASURES)
@given(a=tables, b=tables)
def test_a_distance_is_symmetric_and_never_negative(measure: object, a: Table, b: Table) -> None:
    """It does not matter which of the two histograms is the reference."""
    assert callable(measure)
    a, b = fit(a, b)
    there, back = measure(a, b), measure(b, a)
    np.testing.assert_allclose(there, back, rtol=1e-9, atol=1e-12)
    assert not (there < 0).any()


@pytest.mark.parametrize("measure", MEASURES)
@given(a=tables)
def test_equal_histograms_have_distance_zero(measure: object, a: Table) -> None:
    """A histogram without counts has no distance: it is NaN."""
    assert callable(measure)
    counted = a[:, :-1] if measure is BY_NAME["ks"] else a  # missing values have no order
    expected = np.where(counted.sum(axis=1) > 0, 0.0, np.nan)
    np.testing.assert_allclose(measure(a, a), expected, atol=1e-7)  # a root of what rounding leaves


@pytest.mark.parametrize("measure", UNORDERED)
@given(a=tables, b=tables, order=st.permutations(range(6)))
def test_the_order_of_bins_does_not_matter(
    measure: object, a: Table, b: Table, order: list[int]
) -> None:
    """Any permutation of unordered bins gives the same distance."""
    assert callable(measure)
    a, b = fit(a, b)
    np.testing.assert_allclose(
        measure(a[:, order], b[:, order]), measure(a, b), rtol=1e-9, atol=1e-7
    )


@pytest.mark.parametrize("measure", EVERY)
@given(a=tables, b=tables, width=st.integers(1, 40))
def test_padding_with_empty_bins_does_not_change_a_distance(
    measure: object, a: Table, b: Table, width: int
) -> None:
    """Fields with fewer bins are padded before the bin of missing values."""
    assert callable(measure)
    a, b = fit(a, b)
    none = np.zeros((len(a), width), np.int64)
    losses = measure(*(np.hstack([side[:, :-1], none, side[:, -1:]]) for side in (a, b)))
    np.testing.assert_allclose(losses, measure(a, b), rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("measure", EVERY)
@given(a=tables, b=tables)
def test_distances_of_many_fields_equal_those_of_each_field(
    measure: object, a: Table, b: Table
) -> None:
    """The distance of a field does not depend on the other fields of its table."""
    assert callable(measure)
    a, b = fit(a, b)
    alone = [measure(a[at : at + 1], b[at : at + 1])[0] for at in range(len(a))]
    np.testing.assert_array_equal(measure(a, b), alone)


@pytest.mark.parametrize("measure", EVERY)
def test_distances_of_no_fields_are_empty(measure: object) -> None:
    """Tables without fields or without bins cause no warning."""
    assert callable(measure)
    assert measure(np.zeros((0, 5), np.int64), np.zeros((0, 5), np.int64)).shape == (0,)
    assert np.isnan(measure(np.zeros((2, 0), np.int64), np.zeros((2, 0), np.int64))).all()


def test_histograms_that_share_no_bin_have_the_largest_distance() -> None:
    """Jensen-Shannon is 1; half a count added to each bin keeps PSI finite."""
    a, b = np.array([[7, 0, 0]]), np.array([[0, 3, 4]])
    assert jensen_shannon(a, b)[0] == pytest.approx(1.0, abs=1e-12)
    assert np.isfinite(psi(a, b)[0])
    assert psi(a, b)[0] > 1
