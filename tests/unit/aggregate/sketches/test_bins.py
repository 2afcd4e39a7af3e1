"""Bins over frozen edges: (a, b], ties and point masses, additive counts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.bins import bin_counts, counts_up_to, pad_edges, quantile_edges
from support import streams
from support.strategies import FINITE

SAMPLES = st.one_of(
    st.lists(FINITE, min_size=1, max_size=200),
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=200),
)


def brute(values: streams.Floats, edges: streams.Floats) -> list[int]:
    """Counts in (a, b], one comparison at a time; NaN is in no bin."""
    bounds = [-np.inf, *edges.tolist(), np.inf]
    return [sum(low < value <= high for value in values.tolist()) for low, high in pairwise(bounds)]


def counted(values: streams.Floats, edges: list[streams.Floats]) -> np.ndarray:
    """Counts per bin of a block, the way a profile makes them."""
    ordered = np.sort(values, axis=1)
    valid = np.count_nonzero(~np.isnan(values), axis=1)
    return bin_counts(counts_up_to(ordered, pad_edges(edges)), valid)


@given(SAMPLES, st.lists(FINITE, max_size=12), st.integers(0, 5))
def test_bins_hold_what_one_comparison_at_a_time_finds(
    drawn: list[float], edges: list[float], holes: int
) -> None:
    """A value on an edge is in the bin below it; NaN is in none; the rest add up."""
    values = np.array(drawn + [np.nan] * holes)
    table = counted(np.stack([values, values]), [np.unique(edges), np.empty(0)])
    expected = brute(values, np.unique(edges))
    assert table[0].tolist() == expected
    assert table[1].tolist() == [len(drawn)] + [0] * (len(expected) - 1)


def test_numpy_says_the_same_off_the_edges(rng: np.random.Generator) -> None:
    """Where no value is an edge, the counts are those of `np.histogram`."""
    values, edges = rng.normal(size=(1, 1_000)), np.array([-1.0, 0.0, 2.0])
    expected = np.histogram(values, [-np.inf, *edges, np.inf])[0]
    np.testing.assert_array_equal(counted(values, [edges])[0], expected)


@given(SAMPLES, st.integers(1, 20))
def test_edges_are_values_and_no_bin_is_empty(drawn: list[float], bins: int) -> None:
    """Each edge is one of the values, they ascend, each bin holds some, and there are few."""
    ordered = np.sort(np.array(drawn))
    edges = quantile_edges(ordered, bins=bins)
    assert np.isin(edges, ordered).all()
    assert (edges[:-1] < edges[1:]).all()
    counts = brute(ordered, edges)
    assert min(counts) > 0
    assert sum(counts) == len(drawn)
    assert len(counts) <= 2 * bins


@given(SAMPLES, st.integers(1, 20))
def test_a_heavy_value_has_a_bin_to_itself(drawn: list[float], bins: int) -> None:
    """A value with a bin's share or more shares its bin with no other value."""
    ordered = np.sort(np.array(drawn))
    edges = quantile_edges(ordered, bins=bins)
    distinct, counts = np.unique(ordered, return_counts=True)
    place = np.searchsorted(edges, distinct, side="left")
    for at in np.flatnonzero(counts * bins >= ordered.size):
        assert (place == place[at]).sum() == 1


@pytest.mark.parametrize("name", streams.STREAMS)
def test_bins_of_named_streams_are_even(name: str) -> None:
    """Ten bins of near equal mass; what is heavier is one value."""
    ordered = np.sort(streams.stream(name))
    edges = quantile_edges(ordered)
    counts = np.array(brute(ordered, edges))
    heavy = counts > 1.3 * ordered.size / 10
    place = np.searchsorted(edges, np.unique(ordered), side="left")
    assert (np.bincount(place, minlength=counts.size)[heavy] == 1).all()


def test_zeros_and_their_neighbours_are_told_apart() -> None:
    """Of a zero-inflated field, less than zero, zero and more than zero are three bins."""
    ordered = np.sort(np.concatenate([np.zeros(700), np.linspace(-1, 1, 301)]))
    edges = quantile_edges(ordered)
    at = int(np.flatnonzero(edges == 0.0)[0])
    assert edges[at - 1] < 0.0
    assert brute(ordered, edges)[at] == 701


def test_few_values_have_a_bin_each() -> None:
    """Fewer values than bins: one bin for each; a constant or an empty field has one for all."""
    assert quantile_edges(np.array([1.0, 1.0, 2.0, 5.0])).tolist() == [1.0, 2.0]
    assert quantile_edges(np.full(9, 3.0)).tolist() == []
    assert quantile_edges(np.empty(0)).tolist() == []


def test_no_fields_have_no_bins() -> None:
    """A plan of categories alone: tables without rows, and no error."""
    assert pad_edges([]).shape == (0, 0)
    assert counted(np.empty((0, 7)), []).shape == (0, 1)
