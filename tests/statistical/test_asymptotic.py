"""Asymptotic thresholds against simulated ones, over fields of many shapes."""

import numpy as np
import pytest

from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.stats.asymptotic_values import asymptotic, asymptotic_wasserstein
from mlmonitor.stats.mmd import asymptotic_mmd, simulate_mmd
from mlmonitor.stats.simulated_values import simulate_distances, simulate_wasserstein

SIZES = np.array(CRITICAL_ROWS)
COUNTS = {
    "ten equal bins": np.full(10, 5_000),
    "ten equal bins of a small reference": np.full(10, 100),
    "two classes": np.array([5_000, 5_000]),
    "one class in a hundred": np.array([49_500, 500]),
    "fifty categories": np.full(50, 1_000),
    "Zipf's law": (50_000 / np.arange(1, 31)).astype(np.int64),
    "six in ten are missing": np.array([1_000, 1_000, 1_000, 1_000, 6_000]),
}
FIELDS = {
    "normal": lambda rng: rng.normal(size=20_000),
    "uniform": lambda rng: rng.random(20_000),
    "lognormal": lambda rng: rng.lognormal(size=20_000),
    "Poisson": lambda rng: rng.poisson(3, 20_000).astype(np.float64),
    "zero-inflated": lambda rng: np.maximum(rng.random(20_000) - 0.6, 0.0),
    "normal, of 300 rows": lambda rng: rng.normal(size=300),
}


@pytest.mark.parametrize("name", COUNTS)
def test_an_asymptotic_threshold_of_counts_is_within_a_quarter_of_the_simulated_one(
    name: str,
) -> None:
    """Windows have at least 100 rows, and their bins expect at least ten rows."""
    counts = COUNTS[name]
    law, simulation = (
        asymptotic(counts, is_ordered=True),
        simulate_distances(counts, is_ordered=True),
    )
    enough = (SIZES >= 100) & (counts.min() / counts.sum() * SIZES >= 10)
    assert enough.any()
    for measure, points in simulation.items():
        if not np.any(points):  # KS of one bin of values, missing ones aside
            assert not np.any(law[measure])
            continue
        ratio = np.array(law[measure])[enough] / np.array(points)[enough]
        assert np.all((ratio > 0.8) & (ratio < 1.25)), (measure, ratio)


@pytest.mark.parametrize("name", FIELDS)
def test_an_asymptotic_wasserstein_threshold_is_within_a_quarter_of_the_simulated_one(
    name: str,
) -> None:
    """Windows have at least 100 rows."""
    ordered = np.sort(FIELDS[name](np.random.default_rng(1)))
    law = np.array(asymptotic_wasserstein(ordered, ordered.std())["wasserstein"])
    simulation = np.array(simulate_wasserstein(ordered, ordered.std())["wasserstein"])
    ratio = (law / simulation)[SIZES >= 100]
    assert np.all((ratio > 0.8) & (ratio < 1.25)), ratio


def test_an_asymptotic_threshold_of_embeddings_is_within_a_tenth_of_the_simulated_one() -> None:
    """The features are bounded, like those of a kernel."""
    rng = np.random.default_rng(2)
    points = rng.normal(size=(8, 5_000))
    angles = rng.normal(size=(16, 8)) @ points
    features = np.concatenate([np.cos(angles), np.sin(angles)]) / 4
    law = np.array(asymptotic_mmd(features, 5_000))
    simulation = np.array(simulate_mmd(features, 5_000, rng))
    assert law == pytest.approx(simulation, rel=0.1)
