"""Edge cases of the t-digest that the laws and oracles do not cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.centroids import Centroids, compress, compress_sorted
from mlmonitor.aggregate.sketches.moments import clear_gaps, valid_counts
from mlmonitor.aggregate.sketches.tdigest import TDigest
from mlmonitor.errors import FormatError
from support.strategies import blocks

MEDIAN = np.array([0.5])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (0, 500), (3, 0)])
def test_a_block_without_values_changes_no_digest(shape: tuple[int, int]) -> None:
    """Without rows or fields, nothing is counted, quantiles are unknown, and nothing warns."""
    digest = TDigest(shape[0])
    digest.update(np.empty(shape))
    digest.merge(TDigest(shape[0]))
    assert digest.count.sum() == 0
    assert np.isnan(digest.quantile(MEDIAN)).all()
    assert np.isnan(digest.cdf(np.zeros((shape[0], 1)))).all()


@pytest.mark.parametrize("rows", [1, 3, 300, 5_000])
def test_one_field_may_be_empty_while_others_have_values(rows: int) -> None:
    """Fields are empty, have one value, are half missing, or are full."""
    values = np.full((4, rows), np.nan)
    values[1, rows // 2] = 7.0
    values[2, : rows // 2] = 3.0
    values[3] = np.arange(rows)
    digest = TDigest(4)
    digest.update(values)
    assert digest.count.tolist() == [0, 1, rows // 2, rows]
    assert np.isnan(digest.quantile(MEDIAN)[0, 0])
    assert digest.quantile(np.array([0.0, 0.5, 1.0]))[1].tolist() == [7.0] * 3
    ranks = digest.cdf(np.array([[0.0], [6.9], [3.0], [float(rows)]]))[:, 0]
    half_is_known = 1.0 if rows > 1 else np.nan
    np.testing.assert_array_equal(ranks, [np.nan, 0.0, half_is_known, 1.0])


def test_ranks_outside_the_data_are_0_and_1() -> None:
    """The rank is 0 below the smallest value, 1 from the largest on, and NaN for NaN."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 2.0, 4.0]]))
    probes = np.array([[-np.inf, 0.9, 1.0, 3.0, 4.0, np.inf, np.nan]])
    third = 1 / 3
    np.testing.assert_allclose(digest.cdf(probes)[0], [0, 0, third, 2 * third, 1, 1, np.nan])


@pytest.mark.parametrize("reach", [1.7e308, 1e-320])
def test_ranks_and_quantiles_are_right_at_the_limits_of_floats(reach: float) -> None:
    """Values are spread evenly over all floats, or over the denormal ones."""
    values = np.linspace(-1.0, 1.0, 20_001) * reach
    digest = TDigest(1)
    digest.update(values[None])
    shares = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    expected = np.quantile(values, shares, method="inverted_cdf")
    ranks = np.sort(values).searchsorted(expected, side="right") / values.size
    np.testing.assert_allclose(digest.cdf(expected[None])[0], ranks, atol=TDigest.MIDDLE_ERROR)
    quantiles = digest.quantile(shares)[0]
    np.testing.assert_allclose(quantiles / reach, expected / reach, atol=2 * TDigest.MIDDLE_ERROR)


def test_a_gap_wider_than_the_largest_float_is_crossed() -> None:
    """Half of the values are near either limit; half lie below zero, and nothing warns."""
    half = np.linspace(0.9, 1.0, 10_000) * 1.7e308
    digest = TDigest(1)
    digest.update(np.concatenate([-half, half])[None])
    assert digest.cdf(np.zeros((1, 1)))[0, 0] == pytest.approx(0.5, abs=TDigest.WORST_ERROR)
    assert np.isfinite(digest.quantile(np.linspace(0, 1, 999))).all()


def test_quantile_ranks_outside_0_to_1_are_clipped() -> None:
    """Quantiles beyond 0 and 1 are the extremes, and the quantile at NaN is NaN."""
    digest = TDigest(1)
    digest.update(np.arange(1_000.0)[None])
    quantiles = digest.quantile(np.array([-1.0, 2.0, np.nan]))[0]
    np.testing.assert_array_equal(quantiles, [0.0, 999.0, np.nan])


def test_a_digest_counts_beyond_32_bits() -> None:
    """After forty doublings there are 2**41 values with the same quantiles."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 3.0]]))
    for _ in range(40):
        digest.merge(digest)
    assert digest.count[0] == 1 << 41
    assert digest.quantile(np.array([0.49, 0.51]))[0].tolist() == [1.0, 3.0]


@given(blocks(1, rows=st.integers(0, 400)), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_quantiles_ascend_between_the_extremes(block: np.ndarray, q: list[float]) -> None:
    """A larger rank has no smaller quantile, and none lies beyond the extremes."""
    digest = TDigest(1)
    digest.update(block)
    quantiles = digest.quantile(np.sort(np.array(q)))[0]
    if digest.count[0]:
        assert (quantiles[:-1] <= quantiles[1:]).all()
        assert ((digest.min[0] <= quantiles) & (quantiles <= digest.max[0])).all()


@given(blocks(1, rows=st.integers(0, 400)))
def test_centroids_ascend_and_do_not_exceed_their_cells(block: np.ndarray) -> None:
    """Except for repeated values, a centroid covers less than two cells."""
    digest = TDigest(1, cells=20)
    digest.update(block)
    used = digest.weights[0] > 0
    means, weights = digest.means[0, used], digest.weights[0, used]
    assert (means[:-1] <= means[1:]).all()
    upto = np.cumsum(weights)
    if upto.size:
        ends = np.arcsin(2 * np.append(0.0, upto) / upto[-1] - 1) / np.pi * 20
        assert (np.diff(ends)[~digest.points[0, used]] < 2 + 1e-9).all()


def test_missing_values_do_not_reduce_the_accuracy_of_a_digest(rng: np.random.Generator) -> None:
    """Centroids equal those of the same block without gaps, bit for bit."""
    values = rng.normal(size=3_000)
    holes = np.concatenate([values, np.full(500, np.nan)])
    one, two = TDigest(1), TDigest(1)
    one.update(values[None])
    two.update(rng.permutation(holes)[None])
    np.testing.assert_array_equal(one.means, two.means)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_a_digest_uses_17_bytes_a_cell() -> None:
    """The two extremes are stored in addition."""
    assert TDigest(10).nbytes == 10 * (17 * TDigest.CELLS + 16)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights", -1.0),
        ("weights", np.nan),
        ("means", 9.0),
        ("means", np.nan),
        ("points", 2),
        ("min", np.inf),
        ("max", np.nan),
    ],
)
def test_contradictory_saved_digests_are_refused(name: str, value: float) -> None:
    """Examples are negative weights and means beyond the extremes."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 3.0]]))
    state = dict(digest.state())
    state[name] = np.full_like(state[name], value)
    with pytest.raises(FormatError):
        TDigest.from_state(state)


def test_a_digest_without_cells_is_refused() -> None:
    """Digests without cells could not be merged."""
    state = {
        name: array[:, :0] if array.ndim == 2 else array
        for name, array in TDigest(1).state().items()
    }
    with pytest.raises(FormatError, match="cell"):
        TDigest.from_state(state)


@given(st.integers(201, 1_500), st.integers(2, 400), st.integers(0, 150), st.integers(0, 2**32 - 1))
def test_joining_equal_values_first_gives_the_same_centroids(
    rows: int, names: int, missing: int, seed: int
) -> None:
    """The result is the same bit for bit, with and without gaps."""
    values = np.random.default_rng(seed).integers(-3, names, (3, rows)) / 3
    values[1, :missing] = np.nan
    ordered = np.sort(values, axis=1)
    valid = valid_counts(ordered)
    clear_gaps(ordered, valid)
    is_valid = np.arange(rows) < valid[:, None]
    expected = compress(Centroids(ordered, is_valid.astype(np.float64), is_valid), 200)
    for ours, theirs in zip(compress_sorted(ordered, valid, 200), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_quantiles_of_some_fields_follow_the_requested_order() -> None:
    """They equal the quantiles of all fields, also for a field without values."""
    values = np.random.default_rng(0).normal(size=(5, 900))
    values[2] = np.nan
    digest, ranks = TDigest(5), np.linspace(0, 1, 33)
    digest.update(values)
    np.testing.assert_array_equal(
        digest.quantile(ranks, [4, 2, 0]), digest.quantile(ranks)[[4, 2, 0]]
    )
