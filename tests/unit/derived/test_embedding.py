"""Embeddings become numbers, and any other value in their place is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.derived.embedding import (
    EmbeddingColumns,
    Kernel,
    median_distance,
    most_common_length,
    vectors,
)
from mlmonitor.records import ABSENT
from support.strategies import RAW

KERNEL = Kernel(dimensions=3, bandwidth=2.0, seed=7, features=64)


def columns(centroid: list[float] | None = None) -> EmbeddingColumns:
    """Return columns of three dimensions around a centre."""
    centre = np.array([1.0, 0.0, 0.0] if centroid is None else centroid)
    return EmbeddingColumns(centre, KERNEL, KERNEL.features(centre[None, :])[:, 0])


@pytest.mark.parametrize(
    "vector",
    [
        [3.0, 4.0, 0.0],
        (3, 4, 0),
        np.array([3, 4, 0]),
        np.array([3.0, 4.0, 0.0], np.float32),
        np.array([3.0, 4.0, 0.0], object),
    ],
)
def test_a_vector_has_a_norm_a_cosine_and_a_kernel_similarity(vector: object) -> None:
    """Lists, tuples and arrays of numbers give the same values."""
    numeric, reasons, features = columns().read([vector])
    expected = np.exp(-(2**2 + 4**2) / (2 * 2.0**2))
    np.testing.assert_allclose(numeric[:2, 0], [5.0, 0.6])
    assert abs(numeric[2, 0] - expected) < 4 / np.sqrt(64)
    assert not reasons.any()
    assert features is not None
    assert features.shape == (64, 1)
    np.testing.assert_allclose((features**2).sum(), 1.0)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, 0),
        (float("nan"), 0),
        ([1.0, float("nan"), 2.0], 1),
        ([1.0, None, 2.0], 1),
        ([1.0, float("inf"), 2.0], 1),
        ([1e200, 1e200, 1e200], 1),
        ([1.0, 2.0], 2),
        ([], 2),
        (np.zeros((3, 1)), 2),
        (["1", "2", "3"], 2),
        ([True, False, True], 2),
        (np.array(["a", "b", "c"]), 2),
        ("abc", 2),
        ({1: 2}, 2),
        (5.0, 2),
        ([0.0] * 5_000, 2),
    ],
)
def test_values_that_are_not_vectors_are_counted_by_reason(value: object, reason: int) -> None:
    """Each derived field counts them as missing, non-finite or mistyped; others are kept."""
    embedded = columns().read([value, [1.0, 0.0, 0.0]])
    numeric, refused, features = embedded.numeric, embedded.refused, embedded.kernels
    assert np.isnan(numeric[:, 0]).all()
    assert np.isfinite(numeric[:, 1]).all()
    np.testing.assert_array_equal(refused, np.tile(np.eye(3, dtype=int)[reason], (3, 1)))
    assert features is not None
    assert not features[:, 0].any()


def test_a_vector_of_length_zero_has_no_cosine() -> None:
    """It is missing for the cosine alone, as is any vector if the centroid is zero."""
    read = columns().read([[0.0, 0.0, 0.0]])
    numeric, refused = read.numeric, read.refused
    np.testing.assert_array_equal(np.isnan(numeric[:, 0]), [False, True, False])
    np.testing.assert_array_equal(refused[:, 0], [0, 1, 0])
    assert columns([0.0, 0.0, 0.0]).read([[1.0, 1.0, 1.0]]).refused[1, 0] == 1


@given(st.lists(st.one_of(RAW, st.lists(st.floats(), min_size=3, max_size=3)), max_size=20))
def test_every_value_is_read_as_a_vector_or_counted(values: list[object]) -> None:
    """Nothing is raised."""
    read = vectors(values, 3)
    present = sum(value is not ABSENT for value in values)
    assert read.known.sum() + np.count_nonzero(read.reasons) == present
    assert np.isfinite(read.matrix).all()


def test_a_seed_gives_the_same_frequencies_in_every_release() -> None:
    """The stream of this generator is fixed by numpy, so saved references keep their meaning."""
    drawn = Kernel(dimensions=2, bandwidth=1.0, seed=0, features=4)._frequencies
    # RandomState(0).standard_normal(), as published in countless tutorials
    np.testing.assert_allclose(drawn, [[1.76405235, 0.40015721], [0.97873798, 2.2408932]])


def test_the_kernel_bandwidth_is_the_median_distance_or_one() -> None:
    """It is 1 if all vectors are equal up to rounding, or if there is only one."""
    assert median_distance(np.array([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5.0)
    assert median_distance(np.full((9, 3), 0.1)) == 1.0
    assert median_distance(np.zeros((1, 2))) == 1.0


def test_the_dimension_is_the_most_common_length_of_vectors() -> None:
    """Of equally frequent lengths, the longer counts; without vectors it is 0."""
    values = [np.zeros(2), np.zeros(3), np.zeros(3), None, np.zeros(2)]
    assert most_common_length(values) == 3
    assert most_common_length([None]) == 0
