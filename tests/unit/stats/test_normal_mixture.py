"""Evidence from normally distributed estimates."""

import numpy as np

from mlmonitor.stats.sequential.normal_mixture import log_evidence, widen


def test_evidence_of_a_normal_mixture_is_an_e_value() -> None:
    """Without a change it exceeds twenty in at most one of twenty streams."""
    rng = np.random.default_rng(1)
    passed = 0
    for _ in range(400):
        means = np.cumsum(rng.normal(size=3_000)) / np.arange(1, 3_001)
        rows = np.arange(100, 3_001, 50)
        highest = max(log_evidence(means[n - 1], n**-0.5, n) for n in rows.tolist())
        passed += highest >= np.log(20)
    assert passed <= 24  # of 400, where 20 are expected at most


def test_evidence_grows_with_the_distance() -> None:
    """Within the bound there is none."""
    assert log_evidence(-1.0, 0.1, 500) == 0.0
    assert 0 < log_evidence(0.3, 0.1, 500) + 3 < log_evidence(0.6, 0.1, 500)
    assert log_evidence(1.0, 0.0, 500) > 100
    assert widen(1.0, 500) > 1.0
