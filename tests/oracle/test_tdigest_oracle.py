"""The t-digest's promised rank error, against the sorted data of every named stream."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mlmonitor.aggregate.sketches.tdigest import TDigest
from support import streams

Way = Callable[[streams.Floats], TDigest]

ROWS = 40_960
MIDDLE = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
TAIL = np.array([0.001, 0.999])
DENSE = np.linspace(0.0, 1.0, 2_001)
GAPPED = {"step", "two-humps"}


def at_once(values: streams.Floats) -> TDigest:
    """Add all values in one block."""
    digest = TDigest(1)
    digest.update(values[None])
    return digest


def in_blocks(values: streams.Floats) -> TDigest:
    """Add 512 values at a time, as a service does."""
    digest = TDigest(1)
    for start in range(0, values.size, 512):
        digest.update(values[None, start : start + 512])
    return digest


def with_holes(values: streams.Floats) -> TDigest:
    """Add the values between missing ones."""
    digest = TDigest(1)
    for part in np.array_split(values, 10):
        rows = np.full(2 * part.size, np.nan)
        rows[1::2] = part
        digest.update(rows[None])
    return digest


def from_shards(values: streams.Floats) -> TDigest:
    """Merge the digests of 64 workers, each of which saw its own values in two blocks."""
    whole = TDigest(1)
    for shard in np.array_split(values, 64):
        worker = TDigest(1)
        for part in np.array_split(shard, 2):
            worker.update(part[None])
        whole.merge(worker)
    return whole


def rank_errors(
    values: streams.Floats, q: streams.Floats, quantiles: streams.Floats
) -> streams.Floats:
    """Return the distance of `q` from the ranks that each quantile has in the data."""
    ordered = np.sort(values)
    low = ordered.searchsorted(quantiles, side="left") / ordered.size
    high = ordered.searchsorted(quantiles, side="right") / ordered.size
    return np.maximum(np.maximum(low - q, q - high), 0.0)


every_way = pytest.mark.parametrize("way", [at_once, in_blocks, with_holes, from_shards])
every_stream = pytest.mark.parametrize("name", streams.STREAMS)


@every_way
@every_stream
def test_rank_errors_of_quantiles_are_within_the_promised_bound(name: str, way: Way) -> None:
    """They are below 0.5% in the middle and 0.05% in the outer 0.1%; extremes are exact."""
    values = streams.stream(name, rows=ROWS)
    digest = way(values)
    assert rank_errors(values, MIDDLE, digest.quantile(MIDDLE)[0]).max() < TDigest.MIDDLE_ERROR
    assert rank_errors(values, TAIL, digest.quantile(TAIL)[0]).max() < TDigest.TAIL_ERROR
    ends = digest.quantile(np.array([0.0, 1.0]))[0]
    np.testing.assert_array_equal(ends, [values.min(), values.max()])
    assert digest.count[0] == ROWS


@every_way
@every_stream
def test_every_quantile_is_close_to_the_exact_one(name: str, way: Way) -> None:
    """Of 2,001 quantiles none is off by 0.5%, or by three cells next to a gap."""
    values = streams.stream(name, rows=ROWS)
    errors = rank_errors(values, DENSE, way(values).quantile(DENSE)[0])
    assert errors.max() < (TDigest.WORST_ERROR if name in GAPPED else TDigest.MIDDLE_ERROR)
    assert np.quantile(errors, 0.9) < TDigest.MIDDLE_ERROR


@every_way
@every_stream
def test_ranks_by_cdf_are_as_accurate_as_quantiles(name: str, way: Way) -> None:
    """At 300 of the values, `cdf` is within the promised error of the exact rank."""
    values = streams.stream(name, rows=ROWS)
    probes = np.sort(values)[:: ROWS // 300]
    cdf = way(values).cdf(probes[None])[0]
    errors = rank_errors(values, cdf, probes)
    assert errors.max() < (TDigest.WORST_ERROR if name in GAPPED else TDigest.MIDDLE_ERROR)
    assert (np.diff(cdf) >= 0).all()


@pytest.mark.parametrize("name", ["constant", "two-point", "bimodal", "small-integers"])
@every_way
def test_frequently_repeated_values_have_exact_ranks(name: str, way: Way) -> None:
    """Every quantile is one of the values, and never lies between two."""
    values = streams.stream(name, rows=ROWS)
    digest = way(values)
    common, counts = np.unique(values, return_counts=True)
    common = common[counts > ROWS * TDigest.WORST_ERROR]
    expected = np.sort(values).searchsorted(common, side="right") / ROWS
    np.testing.assert_allclose(digest.cdf(common[None])[0], expected, rtol=1e-12)
    assert np.isin(digest.quantile(DENSE)[0], values).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 10, TDigest.CELLS // 4])
def test_a_few_values_are_stored_exactly(rows: int, rng: np.random.Generator) -> None:
    """While each value has a cell of its own, quantiles equal numpy's `inverted_cdf`."""
    values = rng.normal(size=rows)
    q = (np.arange(rows) + 0.5) / rows
    expected = np.quantile(values, q, method="inverted_cdf")
    errors = rank_errors(values, q, at_once(values).quantile(q)[0])
    assert errors.max() < TDigest.MIDDLE_ERROR
    if rows <= 10:
        np.testing.assert_array_equal(at_once(values).quantile(q)[0], expected)


def test_ranks_of_a_normal_sample_are_those_of_the_normal_distribution(
    rng: np.random.Generator,
) -> None:
    """For 200,000 values, `cdf` is scipy's within the promise and five sampling errors."""
    x = np.linspace(-3, 3, 61)
    ranks = in_blocks(rng.normal(size=200_000)).cdf(x[None])[0]
    assert np.abs(ranks - stats.norm.cdf(x)).max() < TDigest.MIDDLE_ERROR + 5 * 0.5 / 200_000**0.5


def test_merged_shards_are_weighted_by_their_rows(rng: np.random.Generator) -> None:
    """A worker with one row in a thousand moves the median by at most its share."""
    many, few = rng.normal(size=100_000), rng.normal(1_000.0, size=100)
    digest = at_once(many)
    digest.merge(at_once(few))
    values = np.concatenate([many, few])
    assert rank_errors(values, MIDDLE, digest.quantile(MIDDLE)[0]).max() < TDigest.MIDDLE_ERROR
    assert digest.quantile(np.array([0.9995]))[0, 0] > 900
