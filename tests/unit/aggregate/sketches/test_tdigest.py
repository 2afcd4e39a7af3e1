"""The t-digest: the corners that laws and oracles do not name."""

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
    """No rows, or no fields: nothing is counted, quantiles are unknown, and nothing warns."""
    digest = TDigest(shape[0])
    digest.update(np.empty(shape))
    digest.merge(TDigest(shape[0]))
    assert digest.count.sum() == 0
    assert np.isnan(digest.quantile(MEDIAN)).all()
    assert np.isnan(digest.cdf(np.zeros((shape[0], 1)))).all()


@pytest.mark.parametrize("rows", [1, 3, 300, 5_000])
def test_one_field_may_be_empty_beside_others(rows: int) -> None:
    """A column of nothing, one with a single value, one half missing, one full: each is right."""
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
    """Below the least value 0, from the greatest on 1, NaN for NaN."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 2.0, 4.0]]))
    probes = np.array([[-np.inf, 0.9, 1.0, 3.0, 4.0, np.inf, np.nan]])
    third = 1 / 3
    np.testing.assert_allclose(digest.cdf(probes)[0], [0, 0, third, 2 * third, 1, 1, np.nan])


@pytest.mark.parametrize("reach", [1.7e308, 1e-320])
def test_the_ends_of_all_floats_have_ranks_and_quantiles(reach: float) -> None:
    """Evenly from the lowest float to the highest, or over denormals: shares are even, too."""
    values = np.linspace(-1.0, 1.0, 20_001) * reach
    digest = TDigest(1)
    digest.update(values[None])
    shares = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    expected = np.quantile(values, shares, method="inverted_cdf")
    ranks = np.sort(values).searchsorted(expected, side="right") / values.size
    np.testing.assert_allclose(digest.cdf(expected[None])[0], ranks, atol=TDigest.MIDDLE_ERROR)
    quantiles = digest.quantile(shares)[0]
    np.testing.assert_allclose(quantiles / reach, expected / reach, atol=2 * TDigest.MIDDLE_ERROR)


def test_a_gap_wider_than_all_floats_is_crossed() -> None:
    """Half of the values near either end of all floats: half lie below zero, and nothing warns."""
    half = np.linspace(0.9, 1.0, 10_000) * 1.7e308
    digest = TDigest(1)
    digest.update(np.concatenate([-half, half])[None])
    assert digest.cdf(np.zeros((1, 1)))[0, 0] == pytest.approx(0.5, abs=TDigest.WORST_ERROR)
    assert np.isfinite(digest.quantile(np.linspace(0, 1, 999))).all()


def test_quantile_ranks_outside_0_to_1_are_clipped() -> None:
    """Quantiles beyond 0 and 1 are min and max; the quantile at NaN is NaN."""
    digest = TDigest(1)
    digest.update(np.arange(1_000.0)[None])
    quantiles = digest.quantile(np.array([-1.0, 2.0, np.nan]))[0]
    np.testing.assert_array_equal(quantiles, [0.0, 999.0, np.nan])


def test_counts_go_beyond_what_32_bits_hold() -> None:
    """Forty doublings count 2**41 values, and the quantiles have not moved."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 3.0]]))
    for _ in range(40):
        digest.merge(digest)
    assert digest.count[0] == 1 << 41
    assert digest.quantile(np.array([0.49, 0.51]))[0].tolist() == [1.0, 3.0]


@given(blocks(1, rows=st.integers(0, 400)), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_quantiles_ascend_between_the_extremes(block: np.ndarray, q: list[float]) -> None:
    """A larger share has no smaller quantile, and none is beyond min or max."""
    digest = TDigest(1)
    digest.update(block)
    quantiles = digest.quantile(np.sort(np.array(q)))[0]
    if digest.count[0]:
        assert (quantiles[:-1] <= quantiles[1:]).all()
        assert ((digest.min[0] <= quantiles) & (quantiles <= digest.max[0])).all()


@given(blocks(1, rows=st.integers(0, 400)))
def test_centroids_ascend_and_fill_no_more_than_their_cells(block: np.ndarray) -> None:
    """One centroid a cell, in ascending order; what is no point covers two cells at most."""
    digest = TDigest(1, cells=20)
    digest.update(block)
    used = digest.weights[0] > 0
    means, weights = digest.means[0, used], digest.weights[0, used]
    assert (means[:-1] <= means[1:]).all()
    upto = np.cumsum(weights)
    if upto.size:
        ends = np.arcsin(2 * np.append(0.0, upto) / upto[-1] - 1) / np.pi * 20
        assert (np.diff(ends)[~digest.points[0, used]] < 2 + 1e-9).all()


def test_missing_values_do_not_cost_accuracy(rng: np.random.Generator) -> None:
    """A block with holes gives the centroids of the same block without them, to the bit."""
    values = rng.normal(size=3_000)
    holes = np.concatenate([values, np.full(500, np.nan)])
    one, two = TDigest(1), TDigest(1)
    one.update(values[None])
    two.update(rng.permutation(holes)[None])
    np.testing.assert_array_equal(one.means, two.means)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_the_price_is_as_stated() -> None:
    """17 bytes a cell, and the two extremes."""
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
def test_numbers_that_contradict_each_other_are_refused(name: str, value: float) -> None:
    """A saved state with negative weights, or means beyond the extremes, is none."""
    digest = TDigest(1)
    digest.update(np.array([[1.0, 3.0]]))
    state = dict(digest.state())
    state[name] = np.full_like(state[name], value)
    with pytest.raises(FormatError):
        TDigest.from_state(state)


def test_a_digest_without_cells_is_refused() -> None:
    """A shape of zero cells would make merging impossible."""
    state = {
        name: array[:, :0] if array.ndim == 2 else array
        for name, array in TDigest(1).state().items()
    }
    with pytest.raises(FormatError, match="cell"):
        TDigest.from_state(state)


@given(st.integers(201, 1_500), st.integers(2, 400), st.integers(0, 150), st.integers(0, 2**32 - 1))
def test_equal_values_are_joined_as_if_each_were_a_centroid(
    rows: int, names: int, missing: int, seed: int
) -> None:
    """Bit for bit, with gaps and without."""
    values = np.random.default_rng(seed).integers(-3, names, (3, rows)) / 3
    values[1, :missing] = np.nan
    ordered = np.sort(values, axis=1)
    valid = valid_counts(ordered)
    clear_gaps(ordered, valid)
    is_valid = np.arange(rows) < valid[:, None]
    expected = compress(Centroids(ordered, is_valid.astype(np.float64), is_valid), 200)
    for ours, theirs in zip(compress_sorted(ordered, valid, 200), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_quantiles_of_some_fields_are_those_of_all_in_the_order_asked_for() -> None:
    """A field without values is unknown among some as well."""
    values = np.random.default_rng(0).normal(size=(5, 900))
    values[2] = np.nan
    digest, ranks = TDigest(5), np.linspace(0, 1, 33)
    digest.update(values)
    np.testing.assert_array_equal(
        digest.quantile(ranks, [4, 2, 0]), digest.quantile(ranks)[[4, 2, 0]]
    )
