"""Asymptotic thresholds: what must hold for any counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, chi2, kstwobign, norm

from mlmonitor import ConfigError, Monitor, Reference
from mlmonitor.formats.reference import CRITICAL_ROWS
from mlmonitor.stats.asymptotic_values import (
    _tabulate_beta_binomial,
    asymptotic,
    asymptotic_wasserstein,
)
from mlmonitor.stats.distance import MEASURES
from mlmonitor.stats.mmd import asymptotic_mmd

LARGE = np.append(np.full(10, 10_000_000), 0)


def test_chi_square_has_its_textbook_threshold_for_many_rows() -> None:
    """Ten full bins have nine degrees of freedom."""
    points = asymptotic(LARGE, is_ordered=True)
    assert points["chi2"][-1] == pytest.approx(chi2(9).ppf(0.99), rel=0.01)
    assert points["psi"][-1] == pytest.approx(chi2(9).ppf(0.99) / 10_000, rel=0.01)


def test_total_variation_of_two_bins_has_the_threshold_of_a_half_normal() -> None:
    """The difference of two bins is one normally distributed number."""
    points = asymptotic(np.array([10_000_000, 10_000_000, 0]), is_ordered=True)
    expected = norm.ppf(0.995) * 0.5 / 100
    assert points["tv"][-1] == pytest.approx(expected, rel=0.1)
    assert points["ks"][-1] == pytest.approx(expected, rel=0.01)


def test_the_kolmogorov_smirnov_threshold_is_at_most_the_kolmogorov_quantile() -> None:
    """Many bins approximate a continuous field, for which that distribution holds."""
    points = asymptotic(np.append(np.full(1_000, 1_000_000), 0), is_ordered=True)
    expected = kstwobign.ppf(0.99) / np.sqrt(np.array(CRITICAL_ROWS))
    assert np.all(points["ks"] <= expected * 1.001)
    assert np.all(points["ks"] >= expected * 0.99)


def test_the_counts_of_a_bin_are_beta_binomial() -> None:
    """The tabulated distribution, from which moments are summed, equals scipy's."""
    alpha = np.array([4.5, 20.5, 0.5])
    count, weight = _tabulate_beta_binomial(np.full((1, 1, 1), 30.0), alpha, alpha.sum())
    for place, shape in enumerate(alpha):
        law = betabinom(30, shape, alpha.sum() - shape)
        mean = (count[0, place] * weight[0, place]).sum()
        assert mean == pytest.approx(law.mean(), rel=1e-3)
        probable = weight[0, place] > 1e-6
        expected = law.pmf(count[0, place][probable])
        assert weight[0, place][probable] == pytest.approx(expected, rel=1e-3)


@given(st.lists(st.integers(0, 1_000_000), max_size=60))
def test_any_counts_have_finite_thresholds_within_the_bounds_of_their_distance(
    counts: list[int],
) -> None:
    """Thresholds of bounded distances are at most 1, and only debiased ones may be negative."""
    points = asymptotic(np.array(counts, np.int64), is_ordered=True)
    assert set(points) == set(MEASURES)
    for name, values in points.items():
        assert len(values) == len(CRITICAL_ROWS)
        assert np.all(np.isfinite(values))
        assert name == "psi_debiased" or min(values) >= 0
        if name in ("js", "hellinger", "tv", "ks"):
            assert max(values) <= 1


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=200),
    st.floats(1e-300, 1e300),
)
def test_any_numbers_have_a_finite_wasserstein_threshold(values: list[float], by: float) -> None:
    """The scale may be such that squares of the values overflow."""
    ordered = np.sort(np.array(values))
    points = asymptotic_wasserstein(ordered, by)
    assert all(np.isfinite(point) and point >= 0 for point in points["wasserstein"])


def test_wasserstein_of_a_constant_field_has_no_threshold() -> None:
    """The distance is measured in standard deviations, which are zero."""
    assert asymptotic_wasserstein(np.ones(10), 0.0) == {}
    assert asymptotic_wasserstein(np.ones(10), None) == {}


def test_the_wasserstein_threshold_does_not_depend_on_location_or_scale() -> None:
    """The distance is measured in standard deviations."""
    ordered = np.sort(np.random.default_rng(3).normal(size=2_000))
    first = asymptotic_wasserstein(ordered, 1.0)["wasserstein"]
    assert asymptotic_wasserstein(100 + 5 * ordered, 5.0)["wasserstein"] == pytest.approx(first)


def test_mmd_of_one_feature_has_the_threshold_of_one_squared_normal() -> None:
    """The squared MMD of a normal feature is a scaled chi-square with one degree of freedom."""
    features = np.random.default_rng(4).normal(size=(1, 200_000))
    points = asymptotic_mmd(features, 1_000_000_000)
    expected = np.sqrt(chi2(1).ppf(0.99) * features.var() / np.array(CRITICAL_ROWS))
    assert points == pytest.approx(expected.tolist(), rel=0.02)


def test_a_reference_with_asymptotic_thresholds_has_every_measure() -> None:
    """A monitor shows the same measures as with simulated thresholds; only numbers differ."""
    rng = np.random.default_rng(5)
    data = {"x": rng.normal(size=500), "c": rng.choice(["a", "b"], 500).tolist()}
    quick = Reference.fit(data, thresholds="asymptotic")
    full = Reference.fit(data)
    for one, other in zip(quick.content.fields, full.content.fields, strict=True):
        assert one.critical.keys() == other.critical.keys()
        assert one.model_copy(update={"critical": {}}) == other.model_copy(update={"critical": {}})
    with Monitor("model", reference=quick, exporters=[]) as monitor:
        assert monitor.status() is not None


def test_an_unknown_kind_of_thresholds_is_refused_with_the_valid_ones() -> None:
    """The error is raised before any data is read."""
    with pytest.raises(ConfigError, match=r"thresholds: expected 'simulated' or 'asymptotic'"):
        Reference.fit(object(), thresholds="exact")  # type: ignore[arg-type]
