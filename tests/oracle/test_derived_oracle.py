"""Distances and kernels against scipy, scikit-learn and explicit sums."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.covariance import ledoit_wolf

from mlmonitor.derived.anomaly import Distances, Scaling, shrunk_covariance
from mlmonitor.derived.embedding import EmbeddingColumns, Kernel, median_distance
from mlmonitor.records import Floats


def skewed(rng: np.random.Generator, fields: int, rows: int) -> Floats:
    """Return related fields of different scales."""
    mixed: Floats = rng.normal(size=(fields, fields)) @ rng.normal(size=(fields, rows))
    return mixed * np.geomspace(1, 1e6, fields)[:, None] + 100


@pytest.mark.parametrize(("fields", "rows"), [(2, 50), (5, 40), (20, 1_000), (100, 60)])
def test_the_anomaly_distance_is_the_mahalanobis_distance(
    fields: int, rows: int, rng: np.random.Generator
) -> None:
    """The expected distances of the scaled values are scipy's."""
    values = skewed(rng, fields, rows)
    scaling = Scaling.fit(values)
    z = scaling.apply(values)
    covariance = shrunk_covariance(z)
    squared, count = Distances(scaling, covariance).squared(values)
    metric = np.linalg.inv(covariance)
    expected = cdist(z.T, np.zeros((1, fields)), "mahalanobis", VI=metric)[:, 0]
    np.testing.assert_allclose(np.sqrt(squared), expected, rtol=1e-6)
    assert (count == fields).all()


@pytest.mark.parametrize(("fields", "rows"), [(2, 50), (5, 40), (20, 200), (100, 60)])
def test_the_covariance_is_shrunk_by_the_ledoit_wolf_formula(
    fields: int, rows: int, rng: np.random.Generator
) -> None:
    """It equals scikit-learn's where the shrinkage exceeds its minimum."""
    z = rng.normal(size=(fields, fields)) @ rng.normal(size=(fields, rows))
    expected, shrinkage = ledoit_wolf(z.T)
    assert shrinkage > 1e-3
    np.testing.assert_allclose(shrunk_covariance(z), expected, rtol=1e-9, atol=1e-12)


def gaussian(x: Floats, y: Floats, bandwidth: float) -> Floats:
    """Compute the Gaussian kernel explicitly."""
    kernel: Floats = np.exp(-(cdist(x, y) ** 2) / (2 * bandwidth**2))
    return kernel


def test_inner_products_of_random_features_estimate_the_kernel(rng: np.random.Generator) -> None:
    """Each error is below five standard errors and their mean below one; the diagonal is exact."""
    x = rng.normal(size=(40, 16))
    features = Kernel(dimensions=16, bandwidth=4.0, seed=1, features=2_048).features(x)
    error = features.T @ features - gaussian(x, x, 4.0)
    assert np.abs(error).max() < 5 / np.sqrt(2_048)
    assert np.sqrt((error**2).mean()) < 1 / np.sqrt(2_048)
    np.testing.assert_allclose(np.diag(error), 0, atol=1e-12)


def test_the_mmd_approximates_that_of_the_exact_kernel(rng: np.random.Generator) -> None:
    """Averaged over seeds, MMD and kernel similarity are within their approximation error."""
    x, y = rng.normal(size=(300, 8)), rng.normal(size=(200, 8)) + 0.7
    bandwidth = median_distance(x)
    within, across = gaussian(x, x, bandwidth).mean(), gaussian(x, y, bandwidth)
    exact = within + gaussian(y, y, bandwidth).mean() - 2 * across.mean()
    squared, off = [], []
    for seed in range(20):
        kernel = Kernel(dimensions=8, bandwidth=bandwidth, seed=seed, features=128)
        mean = kernel.features(x).mean(axis=1)
        numeric, _, features = EmbeddingColumns(x.mean(axis=0), kernel, mean).read(list(y))
        gap = features.mean(axis=1) - mean
        squared.append(gap @ gap)
        off.append(np.abs(numeric[2] - across.mean(axis=0)).max())
    assert np.mean(squared) == pytest.approx(exact, rel=0.1)
    assert np.std(squared) < 4 / np.sqrt(128)
    assert max(off) < 5 / np.sqrt(128)


def test_the_bandwidth_is_the_median_distance_of_all_pairs(rng: np.random.Generator) -> None:
    """The expected distances are scipy's."""
    x = rng.normal(size=(101, 7)) + 1_000
    assert median_distance(x) == pytest.approx(np.median(pdist(x)), rel=1e-6)
