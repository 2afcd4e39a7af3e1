"""Moments: the corners that laws and oracles do not name."""

import numpy as np
import pytest

from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.errors import FormatError


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_a_block_without_values_changes_no_moment(shape: tuple[int, int]) -> None:
    """No rows, or no fields: counts stay zero, the deviation is unknown, and nothing warns."""
    moments = Moments(shape[0])
    moments.update(np.empty(shape))
    assert moments.count.sum() == 0
    assert np.isnan(moments.stddev).all()
    assert (moments.sum == 0).all()


def test_an_empty_column_does_not_affect_other_columns() -> None:
    """All missing in one field: its extremes stay open, the other field is as ever."""
    moments = Moments.from_block(np.array([[np.nan, np.nan], [1.0, 3.0]]))
    assert moments.count.tolist() == [0, 2]
    assert (moments.min[0], moments.max[0]) == (np.inf, -np.inf)
    assert (moments.mean[1], moments.stddev[1]) == (2.0, 1.0)


def test_counts_go_beyond_what_32_bits_hold() -> None:
    """Forty doublings of one block count 2**41 values, whose deviation has not moved."""
    moments = Moments.from_block(np.array([[1.0, 3.0]]))
    for _ in range(40):
        moments.merge(moments)
    assert moments.count[0] == 1 << 41
    assert (moments.mean[0], moments.stddev[0]) == (2.0, 1.0)
    assert moments.sum[0] == 2.0 * (1 << 41)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1e-310, 1.7e308, -0.0])
def test_a_constant_never_deviates(value: float) -> None:
    """Whatever the constant and however it is cut, the deviation is zero, not nearly so."""
    moments = Moments(1)
    for rows in (1, 7, 1_000):
        moments.update(np.full((1, rows), value))
    assert (moments.mean[0], moments.stddev[0]) == (value, 0.0)


def test_a_mean_lies_between_the_extremes() -> None:
    """Rounding cannot push it out: the mean of three equal numbers is that number."""
    values = np.array([[0.1] * 3, [1.7976931348623157e308] * 3])
    moments = Moments.from_block(values)
    np.testing.assert_array_equal(moments.mean, values[:, 0])


def test_a_sum_beyond_all_floats_is_infinite_without_a_warning() -> None:
    """Two of the largest floats have a mean and a deviation, but no sum."""
    moments = Moments.from_block(np.array([[1.7e308, 1.7e308]]))
    assert moments.sum[0] == np.inf
    assert moments.mean[0] == 1.7e308


def test_values_may_change_in_magnitude_during_a_stream() -> None:
    """Zeros, then denormals, then ordinary numbers, then huge ones: each stage is right."""
    moments = Moments(1)
    stages = [([0.0, 0.0], 0.0), ([1e-310] * 2, 5e-311), ([1.0] * 4, 0.5), ([1e300] * 8, 5e299)]
    for values, deviation in stages:
        moments.update(np.array([values]))
        assert moments.stddev[0] == pytest.approx(deviation, rel=1e-9, abs=0)


def test_the_price_is_as_stated() -> None:
    """48 bytes a field."""
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
def test_numbers_that_contradict_each_other_are_refused(name: str, value: float) -> None:
    """A saved state whose mean is out of range, or whose counts are negative, is none."""
    state = Moments.from_block(np.array([[1.0, 3.0]])).state()
    broken = {**state, name: np.full_like(state[name], value)}
    with pytest.raises(FormatError):
        Moments.from_state(broken)
