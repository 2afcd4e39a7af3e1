"""Edge cases of moments that the laws and oracles do not cover."""

import numpy as np
import pytest

from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.errors import FormatError


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_a_block_without_values_changes_no_moment(shape: tuple[int, int]) -> None:
    """Without rows or fields, counts stay zero, the deviation is unknown, and nothing warns."""
    moments = Moments(shape[0])
    moments.update(np.empty(shape))
    assert moments.count.sum() == 0
    assert np.isnan(moments.stddev).all()
    assert (moments.sum == 0).all()


def test_an_empty_column_does_not_affect_other_columns() -> None:
    """If all values of a field are missing, its extremes stay open and the other field is right."""
    moments = Moments.from_block(np.array([[np.nan, np.nan], [1.0, 3.0]]))
    assert moments.count.tolist() == [0, 2]
    assert (moments.min[0], moments.max[0]) == (np.inf, -np.inf)
    assert (moments.mean[1], moments.stddev[1]) == (2.0, 1.0)


def test_moments_count_beyond_32_bits() -> None:
    """After forty doublings there are 2**41 values with the same deviation."""
    moments = Moments.from_block(np.array([[1.0, 3.0]]))
    for _ in range(40):
        moments.merge(moments)
    assert moments.count[0] == 1 << 41
    assert (moments.mean[0], moments.stddev[0]) == (2.0, 1.0)
    assert moments.sum[0] == 2.0 * (1 << 41)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1e-310, 1.7e308, -0.0])
def test_the_deviation_of_a_constant_is_exactly_zero(value: float) -> None:
    """Any constant in any split is tested."""
    moments = Moments(1)
    for rows in (1, 7, 1_000):
        moments.update(np.full((1, rows), value))
    assert (moments.mean[0], moments.stddev[0]) == (value, 0.0)


def test_a_mean_lies_between_the_extremes() -> None:
    """Rounding cannot exceed them: the mean of three equal numbers is that number."""
    values = np.array([[0.1] * 3, [1.7976931348623157e308] * 3])
    moments = Moments.from_block(values)
    np.testing.assert_array_equal(moments.mean, values[:, 0])


def test_a_sum_that_overflows_a_float_is_infinite_without_a_warning() -> None:
    """Two of the largest floats still have a finite mean and deviation."""
    moments = Moments.from_block(np.array([[1.7e308, 1.7e308]]))
    assert moments.sum[0] == np.inf
    assert moments.mean[0] == 1.7e308


def test_values_may_change_in_magnitude_during_a_stream() -> None:
    """Zeros, denormals, ordinary and huge numbers follow each other, with correct moments."""
    moments = Moments(1)
    stages = [([0.0, 0.0], 0.0), ([1e-310] * 2, 5e-311), ([1.0] * 4, 0.5), ([1e300] * 8, 5e299)]
    for values, deviation in stages:
        moments.update(np.array([values]))
        assert moments.stddev[0] == pytest.approx(deviation, rel=1e-9, abs=0)


def test_moments_use_48_bytes_a_field() -> None:
    """`nbytes` is that of the arrays."""
    assert Moments(100).nbytes == 4_800


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", -1),
        ("mean", 7.0),
        ("mean", np.nan),
        ("m2", -1.0),
        ("m2", np.inf),
        ("min", np.nan),
        ("max", np.inf),
        ("exponent", 1 << 40),
    ],
)
def test_contradictory_saved_moments_are_refused(name: str, value: float) -> None:
    """Examples are a mean outside the extremes and a negative count."""
    state = Moments.from_block(np.array([[1.0, 3.0]])).state()
    broken = {**state, name: np.full_like(state[name], value)}
    with pytest.raises(FormatError):
        Moments.from_state(broken)
