"""The log-gamma function against scipy's."""

import numpy as np
from scipy.special import gammaln

from mlmonitor.stats.special import log_gamma


def test_log_gamma_agrees_with_scipy() -> None:
    """They agree to ten digits from 0.001 to 1e15."""
    x = np.concatenate([np.geomspace(1e-3, 1e15, 2_000), np.arange(1, 50) / 2])
    np.testing.assert_allclose(log_gamma(x), gammaln(x), rtol=1e-10, atol=1e-10)


def test_log_gamma_of_an_array_of_several_blocks_has_its_shape_and_values() -> None:
    """It is computed in blocks of thousands of values; the last block is not full."""
    x = np.geomspace(1e-3, 1e6, 60_003).reshape(3, -1).T
    np.testing.assert_allclose(log_gamma(x), gammaln(x), rtol=1e-10, atol=1e-10)
    assert log_gamma(np.array(5.0)).shape == ()
