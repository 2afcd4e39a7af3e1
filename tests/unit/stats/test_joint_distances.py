"""All distances computed together equal each distance alone."""

import numpy as np
import pytest

from mlmonitor.stats.distance import MEASURES
from mlmonitor.stats.joint_distances import joint_distances


@pytest.mark.parametrize(
    "reference",
    [[100, 5, 0, 0, 3, 7], [10_000] * 10 + [0], [0, 0, 5], [3], [1] * 52],
    ids=["empty bins", "even bins", "all missing", "one bin", "many bins"],
)
@pytest.mark.parametrize("size", [1, 20, 100_000])
def test_joint_distances_equal_each_distance_alone(
    reference: list[int], size: int, rng: np.random.Generator
) -> None:
    """The examples include empty bins, single bins and identical shares."""
    counts = np.array(reference)
    weights = rng.dirichlet(counts + 0.5, 50) * (rng.random((50, counts.size)) < 0.7)
    weights[:, -1] += weights.sum(axis=1) == 0
    windows = rng.multinomial(size, weights / weights.sum(axis=1, keepdims=True))
    windows[0] = 0
    windows[0, np.argmax(counts)] = size
    against = np.broadcast_to(counts, windows.shape)
    for name, distances in joint_distances(counts, windows).items():
        expected = MEASURES[name](against, windows)
        np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-13, err_msg=name)
