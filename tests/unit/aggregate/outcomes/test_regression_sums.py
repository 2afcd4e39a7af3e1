"""Error sums by bucket of the prediction, against the formulas of MAE, RMSE and bias."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.errors import FormatError

EDGES = np.array([0.0, 10.0])
PAIRS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=50)


@given(PAIRS)
def test_errors_over_all_buckets_equal_those_of_numpy(pairs: list[tuple[float, float]]) -> None:
    """MAE, RMSE and bias are those of all pairs."""
    predicted, actual = np.array(pairs).T
    sums = ErrorSums(EDGES)
    sums.update(predicted, actual)
    performance = sums.performance()
    assert performance is not None
    error = predicted - actual
    assert performance.count == len(pairs)
    assert performance.mae == pytest.approx(np.abs(error).mean())
    assert performance.rmse == pytest.approx(np.sqrt((error**2).mean()))
    assert performance.bias == pytest.approx(error.mean(), abs=1e-9 * np.abs(error).max())


def test_a_pair_belongs_to_the_bucket_of_its_prediction() -> None:
    """A prediction on an edge belongs to the bucket below; the actual does not matter."""
    sums = ErrorSums(EDGES)
    sums.update(np.array([-5.0, 0.0, 0.1, 10.0, 11.0]), np.array([0.0, 1.0, 50.0, 10.0, 8.0]))
    assert sums.count.tolist() == [2, 2, 1]
    np.testing.assert_allclose(sums.absolute, [6.0, 49.9, 3.0])
    np.testing.assert_allclose(sums.signed, [-6.0, -49.9, 3.0])
    np.testing.assert_allclose(sums.squared, [26.0, 49.9**2, 9.0])


def test_a_pair_with_a_missing_side_is_left_out() -> None:
    """NaN on either side means not labelled; before the first pair there is no performance."""
    sums = ErrorSums(np.empty(0))
    sums.update(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    sums.update(np.empty(0), np.empty(0))
    assert sums.count.tolist() == [0]
    assert sums.performance() is None


def test_errors_that_overflow_a_float_are_infinite_without_a_warning() -> None:
    """Of two huge errors of opposite sign, MAE and RMSE are infinite and the bias is unknown."""
    sums = ErrorSums(np.empty(0))
    huge = np.array([1.7e308, -1.7e308])
    for _ in range(2):
        sums.update(huge, -huge)
    sums.merge(sums)
    performance = sums.performance()
    assert performance is not None
    assert (performance.count, performance.mae, performance.rmse) == (8, np.inf, np.inf)
    assert np.isnan(performance.bias)


def test_infinite_sums_of_opposite_sign_merge_without_a_warning() -> None:
    """If one worker's errors are infinite and another's minus infinite, the bias is unknown."""
    high, low = ErrorSums(np.empty(0)), ErrorSums(np.empty(0))
    huge = np.array([1.7e308])
    high.update(huge, -huge)
    low.update(-huge, huge)
    high.merge(low)
    assert (high.count[0], high.absolute[0], high.squared[0]) == (2, np.inf, np.inf)
    assert np.isnan(high.signed[0])


def test_error_sums_use_32_bytes_a_bucket() -> None:
    """The edges are stored in addition."""
    assert ErrorSums(EDGES).nbytes == 3 * 32 + 2 * 8


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", -1), ("absolute", -1.0), ("squared", np.nan), ("edges", 5.0), ("edges", np.nan)],
)
def test_contradictory_error_sums_are_refused(name: str, value: float) -> None:
    """Counts and sums must not be negative, and edges must ascend."""
    state = ErrorSums(EDGES).state()
    with pytest.raises(FormatError):
        ErrorSums.from_state({**state, name: np.full_like(state[name], value)})
