"""The anomaly distance of a row with gaps, constants, copies and extreme values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.derived.anomaly import REACH, STEPS, Distances, Scaling, shrunk_covariance
from mlmonitor.records import Floats


def distances(values: Floats) -> Distances:
    """Return distances fitted to these values."""
    scaling = Scaling.fit(values)
    return Distances(scaling, shrunk_covariance(scaling.apply(values)))


def related(rng: np.random.Generator, fields: int, rows: int) -> Floats:
    """Draw correlated fields."""
    mixed: Floats = rng.normal(size=(fields, fields)) @ rng.normal(size=(fields, rows))
    return mixed


@pytest.mark.parametrize("fields", [2, 5, STEPS + 1])
def test_a_row_with_gaps_is_scored_by_its_present_fields(
    fields: int, rng: np.random.Generator
) -> None:
    """The distance is that of the marginal of the same covariance."""
    values = related(rng, fields, 500)
    scaling = Scaling.fit(values)
    covariance = shrunk_covariance(scaling.apply(values))
    holes = rng.random(values.shape) < 0.4
    holes[0] = False
    squared, count = Distances(scaling, covariance).squared(np.where(holes, np.nan, values))
    z = scaling.apply(values)
    for row in range(100):
        has = ~holes[:, row]
        expected = z[has, row] @ np.linalg.solve(covariance[np.ix_(has, has)], z[has, row])
        assert squared[row] == pytest.approx(expected, rel=1e-6)
        assert count[row] == has.sum()


def test_with_many_gaps_the_distance_is_never_below_the_exact_one(rng: np.random.Generator) -> None:
    """The iteration stops early, which can only increase it."""
    values = related(rng, 60, 400)
    scaling = Scaling.fit(values)
    covariance = shrunk_covariance(scaling.apply(values))
    holes = np.zeros(values.shape, bool)
    holes[20:] = True
    squared, _ = Distances(scaling, covariance).squared(np.where(holes, np.nan, values))
    z = scaling.apply(values)[:20]
    exact = (z * np.linalg.solve(covariance[:20, :20], z)).sum(axis=0)
    assert (squared >= exact * (1 - 1e-9)).all()


def test_a_row_without_any_field_has_no_score(rng: np.random.Generator) -> None:
    """A row with a single field has a score."""
    values = related(rng, 3, 200)
    score = distances(values).score(np.array([[np.nan, 0.0], [np.nan] * 2, [np.nan] * 2]))
    assert np.isnan(score[0])
    assert np.isfinite(score[1])


def test_the_anomaly_score_of_normal_fields_is_approximately_standard_normal(
    rng: np.random.Generator,
) -> None:
    """With and without gaps, its mean is about 0 and its deviation about 1."""
    values = related(rng, 8, 20_000)
    judge = distances(values)
    for share in (0.0, 0.3):
        gaps = rng.random(values.shape) < share
        score = judge.score(np.where(gaps, np.nan, values))
        assert abs(np.nanmean(score)) < 0.1
        assert abs(np.nanstd(score) - 1) < 0.15


def test_extreme_values_do_not_dominate_the_anomaly_score(rng: np.random.Generator) -> None:
    """One value in two hundred is a billion, without effect on scale and correlation."""
    values = related(rng, 2, 10_000)
    wild = values.copy()
    wild[0, ::200] = 1e9
    before, after = (shrunk_covariance(Scaling.fit(v).apply(v)) for v in (values, wild))
    np.testing.assert_allclose(after, before, atol=0.15)
    assert Scaling.fit(wild).scale[0] == pytest.approx(Scaling.fit(values).scale[0], rel=0.1)
    assert np.abs(Scaling.fit(wild).apply(wild)).max() <= REACH


def test_constant_fields_have_no_scale_and_nearly_constant_ones_do() -> None:
    """A field that is 0 except in one value of a thousand has a scale."""
    rare = np.zeros(2_000)
    rare[::1_000] = 1.0
    scale = Scaling.fit(np.stack([np.full(2_000, 0.1), rare, np.full(2_000, np.nan)])).scale
    assert scale[0] == 0
    assert scale[1] > 0
    assert scale[2] == 0


def test_a_copy_of_a_field_does_not_break_the_anomaly_score(rng: np.random.Generator) -> None:
    """Only a row in which the two fields disagree is far off."""
    x = rng.normal(size=(1, 5_000))
    judge = distances(np.vstack([x, 2 * x + 1, rng.normal(size=(1, 5_000))]))
    usual, odd = judge.score(np.array([[1.0, 1.0], [3.0, -1.0], [0.0, 0.0]]))
    assert usual < 1
    assert odd > 5


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 30), st.floats(0, 0.9))
def test_a_covariance_can_always_be_inverted(
    seed: int, fields: int, rows: int, gaps: float
) -> None:
    """Rows are few, some pairs never occur together, and two columns are equal."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(fields, rows)).round(1)
    z[-1] = z[0]
    z = np.where(rng.random(z.shape) < gaps, np.nan, z)
    z[:, 0] = np.arange(fields) + 1.0
    covariance = shrunk_covariance(z)
    np.testing.assert_array_equal(covariance.T, covariance.T)
    assert np.linalg.cholesky(covariance).diagonal().min() > 0
