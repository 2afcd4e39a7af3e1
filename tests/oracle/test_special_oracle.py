"""The log-gamma function against scipy's."""

import numpy as np
from scipy.special import gammaln

from mlmonitor.stats.special import log_gamma


def test_log_gamma_agrees_with_scipy() -> None:
    """They agree to ten digits from 0.001 to 1e15."""
    x = np.concatenate([np.geomspace(1e-3, 1e15, 2_000), np.arange(1, 50) / 2])
    np.testing.assert_allclose(log_gamma(x), gammaln(x), rtol=1e-10, atol=1e-10)
