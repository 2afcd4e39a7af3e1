"""Bins (a, b] over fixed edges, with ties, point masses and additive counts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.bins import (
    FLOAT64_TOLERANCE,
    bin_counts,
    counts_up_to,
    pad_edges,
    quantile_edges,
)
from support import streams
from support.strategies import FINITE

SAMPLES = st.one_of(
    st.lists(FINITE, min_size=1, max_size=200),
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=200),
)


def brute(values: streams.Floats, edges: streams.Floats) -> list[int]:
    """Count the values in (a, b] one by one; NaN is in no bin."""
    bounds = [-np.inf, *edges.tolist(), np.inf]
    return [sum(low < value <= high for value in values.tolist()) for low, high in pairwise(bounds)]


def counted(values: streams.Floats, edges: list[streams.Floats]) -> np.ndarray:
    """Count a block's values by bin, as a profile does."""
    ordered = np.sort(values, axis=1)
    valid = np.count_nonzero(~np.isnan(values), axis=1)
    return bin_counts(counts_up_to(ordered, pad_edges(edges)), valid)


@given(SAMPLES, st.lists(FINITE, max_size=12), st.integers(0, 5))
def test_bin_counts_equal_those_of_comparing_values_one_by_one(
    drawn: list[float], edges: list[float], holes: int
) -> None:
    """A value on an edge is in the bin below, NaN is in none, and all others are counted."""
    values = np.array(drawn + [np.nan] * holes)
    table = counted(np.stack([values, values]), [np.unique(edges), np.empty(0)])
    expected = brute(values, np.unique(edges))
    assert table[0].tolist() == expected
    assert table[1].tolist() == [len(drawn)] + [0] * (len(expected) - 1)


def test_bin_counts_equal_those_of_numpy_for_values_off_the_edges(rng: np.random.Generator) -> None:
    """If no value is an edge, the counts are those of `np.histogram`."""
    values, edges = rng.normal(size=(1, 1_000)), np.array([-1.0, 0.0, 2.0])
    expected = np.histogram(values, [-np.inf, *edges, np.inf])[0]
    np.testing.assert_array_equal(counted(values, [edges])[0], expected)


@given(SAMPLES, st.integers(1, 20))
def test_bin_edges_ascend_and_cover_all_values(drawn: list[float], bins: int) -> None:
    """Edges are finite and strictly ascending, and their number is bounded."""
    ordered = np.sort(np.array(drawn))
    edges = quantile_edges(ordered, bins=bins)
    assert np.isfinite(edges).all()
    assert (edges[:-1] < edges[1:]).all()
    counts = brute(ordered, edges)
    assert sum(counts) == len(drawn)
    assert len(counts) <= 4 * bins + 1


@given(st.lists(st.integers(-(10**9), 10**9), min_size=21, max_size=200, unique=True))
def test_without_point_masses_no_bin_is_empty(drawn: list[int]) -> None:
    """The values are distinct, with one row each."""
    ordered = np.sort(np.array(drawn, np.float64))
    assert min(brute(ordered, quantile_edges(ordered))) > 0


@given(
    st.dictionaries(st.integers(-1_000, 1_000), st.integers(1, 20), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_no_number_distinguishable_in_float32_shares_the_bin_of_a_point_mass(
    rows: dict[int, int], bins: int
) -> None:
    """Numbers slightly above and below a point mass are in other bins."""
    ordered = np.sort(np.repeat(np.array([*rows], np.float64), [*rows.values()]))
    edges = quantile_edges(ordered, bins=bins)
    distinct, counts = np.unique(ordered, return_counts=True)
    heavy = distinct[(counts * bins >= ordered.size) | (distinct.size <= bins)]
    near = np.where(heavy == 0, 1.0, np.abs(heavy)) * 2.0**-20
    place = np.searchsorted(edges, heavy)
    for others in (np.setdiff1d(distinct, heavy), heavy - near, heavy + near):
        assert not np.isin(np.searchsorted(edges, others), place).any()


@pytest.mark.parametrize("name", streams.STREAMS)
def test_bins_of_named_streams_have_nearly_equal_counts(name: str) -> None:
    """Of ten bins, any that is heavier holds a single value."""
    ordered = np.sort(streams.stream(name))
    edges = quantile_edges(ordered)
    counts = np.array(brute(ordered, edges))
    heavy = counts > 1.3 * ordered.size / 10
    place = np.searchsorted(edges, np.unique(ordered), side="left")
    assert (np.bincount(place, minlength=counts.size)[heavy] == 1).all()


def rounded(values: streams.Floats) -> list[streams.Floats]:
    """Return the same values in the precisions that other programs use."""
    texts = [f"{value:.12g}" for value in values]
    return [
        values.astype(np.float32).astype(np.float64),
        np.float32(0.1) * np.round(values * 10).astype(np.float32).astype(np.float64),
        (np.round(values * 10).astype(np.float32) * np.float32(0.1)).astype(np.float64),
        np.round(values * 10) * 0.1,
        np.cumsum(np.diff(values, prepend=0.0)),
        np.array([*map(float, texts)]),
    ]


TENTHS = {
    "continuous tenths": np.arange(-500, 501) / 10,
    "four values": np.repeat([0.1, 0.3, 0.7, 1.1], 50),
    "constant": np.full(20, 0.7),
    "mostly 0.3": np.sort(np.concatenate([np.full(400, 0.3), np.arange(600) / 10])),
    "large": 10_000 + np.arange(1_000) / 10,
}


@pytest.mark.parametrize("name", TENTHS)
def test_values_stay_in_their_bins_in_any_precision(name: str) -> None:
    """Tenths fitted in one precision and counted in another have identical counts."""
    forms = [TENTHS[name], *rounded(TENTHS[name])]
    for fitted in forms:
        edges = quantile_edges(np.sort(fitted))
        expected = brute(fitted, edges)
        for served in forms:
            assert brute(served, edges) == expected


def test_a_sample_of_two_precisions_has_the_bins_of_one() -> None:
    """Samples mix float32 and float64; each number is still one value, also next to zero."""
    tenths = np.arange(4) / 10
    mixed = np.sort(np.concatenate([tenths, np.float32(tenths), np.arange(4) * 0.1]))
    assert [n for n in brute(mixed, quantile_edges(mixed)) if n] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    "fine",
    [1e9 + np.arange(1_000.0), 1.7e9 + np.arange(1_000) / 16, 2.0**40 + np.arange(40.0)],
    ids=["integers", "fractions of seconds", "large integers"],
)
def test_values_beyond_float32_precision_stay_distinct(fine: streams.Floats) -> None:
    """The tolerance of float32 would merge them all; their bins are still even."""
    counts = np.array(brute(fine, quantile_edges(fine)))
    assert counts.size == 10
    assert np.ptp(counts) <= 1


def test_times_that_differ_by_a_second_are_distinguished() -> None:
    """With the tolerance of float64, the seconds around a constant time have bins of their own."""
    start = 1_700_000_000.0
    edges = quantile_edges(np.full(9, start), tolerance=FLOAT64_TOLERANCE)
    assert brute(start + np.array([-1.0, 0.0, 1.0]), edges) == [1, 1, 1]


def test_zeros_and_their_neighbours_are_distinguished() -> None:
    """A zero-inflated field has separate bins below zero, for zero, and above zero."""
    ordered = np.sort(np.concatenate([np.zeros(700), np.linspace(-1, 1, 301)]))
    edges = quantile_edges(ordered)
    at = int(np.searchsorted(edges, 0.0))
    assert edges[at - 1] < 0.0 < edges[at]
    assert brute(ordered, edges)[at] == 701
    assert brute(np.array([-1e-6, 1e-6]), edges)[at] == 0


def test_values_between_two_point_masses_have_their_own_bin() -> None:
    """Each of few values has a bin, and so do the gaps around them and around a constant."""
    edges = quantile_edges(np.array([0.0, 0.0, 10.0, 10.0]))
    assert brute(np.array([-1.0, 0.0, 5.0, 9.99, 10.0, 11.0]), edges) == [1, 1, 2, 1, 1]
    assert brute(np.array([2.9, 3.0, 3.1]), quantile_edges(np.full(9, 3.0))) == [1, 1, 1]
    assert quantile_edges(np.empty(0)).tolist() == []


def test_bin_edges_are_written_in_few_digits() -> None:
    """An edge becomes a label in every backend, so it is short."""
    edges = quantile_edges(np.arange(1, 1_001) / 10)
    assert max(len(f"{edge}") for edge in edges) <= 9


def test_counting_bins_of_no_fields_gives_an_empty_table() -> None:
    """A plan with only categories has an empty table and raises no error."""
    assert pad_edges([]).shape == (0, 0)
    assert counted(np.empty((0, 7)), []).shape == (0, 1)
