"""A uniform sample of a stream, with the same rows for every field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mlmonitor.reference.fitting.reservoir import Reservoir, Sample


def sampled(chunks: list[int], limit: int | None, seed: int) -> tuple[list[int], list[str]]:
    """Return the rows kept of a stream 0, 1, 2, ... in chunks, as numbers and as texts."""
    slots = Reservoir(limit, np.random.default_rng(seed))
    numbers, texts = Sample(np.nan), Sample(None)
    start = 0
    for rows in chunks:
        slots.next_chunk(rows)
        stream = np.arange(start, start + rows)
        numbers.ingest(stream.astype(np.float64), slots)
        texts.ingest(np.array([str(row) for row in stream], object), slots)
        start += rows
    return numbers.rows(slots).astype(int).tolist(), texts.rows(slots).tolist()


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.integers(1, 60),
    st.integers(0, 1_000),
)
def test_all_fields_keep_the_same_rows(chunks: list[int], limit: int, seed: int) -> None:
    """No row is kept twice, and the limit is not exceeded."""
    numbers, texts = sampled(chunks, limit, seed)
    assert texts == [str(row) for row in numbers]
    assert len(numbers) == min(sum(chunks), limit)
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= row < sum(chunks) for row in numbers)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 5))
def test_without_a_limit_all_rows_are_kept_in_order(chunks: list[int], seed: int) -> None:
    """Data that is passed as a whole is used completely."""
    assert sampled(chunks, None, seed)[0] == list(range(sum(chunks)))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [3, 17, 64, 200])
def test_every_row_is_sampled_with_the_same_probability(chunk: int) -> None:
    """Over 1,000 seeds each of 200 rows is kept about equally often, whatever the chunks."""
    kept = np.zeros(200)
    for seed in range(1_000):
        sizes = [chunk] * (200 // chunk) + [200 % chunk]
        slots = Reservoir(20, np.random.default_rng([chunk, seed]))
        sample = Sample(np.nan)
        start = 0
        for rows in sizes:
            slots.next_chunk(rows)
            sample.ingest(np.arange(start, start + rows, dtype=np.float64), slots)
            start += rows
        kept[sample.rows(slots).astype(int)] += 1
    assert kept.sum() == 1_000 * 20
    # Rows exclude each other, which makes the statistic smaller by 1 - 20/200.
    assert chisquare(kept).statistic / 0.9 == pytest.approx(199, abs=4 * np.sqrt(2 * 199))


def test_a_field_that_appears_late_is_missing_in_earlier_rows() -> None:
    """Rows sampled before its first value have no value of it."""
    slots = Reservoir(None, np.random.default_rng(0))
    sample = Sample(np.nan)
    slots.next_chunk(2)
    slots.next_chunk(3)
    sample.ingest(np.array([1.0, 2.0, 3.0]), slots)
    np.testing.assert_array_equal(sample.rows(slots), [np.nan, np.nan, 1, 2, 3])


def test_a_full_sample_is_not_copied_for_each_chunk() -> None:
    """Once the limit is reached, chunks replace rows in place."""
    slots = Reservoir(1_000, np.random.default_rng(0))
    sample = Sample(np.nan)
    for _ in range(3):
        slots.next_chunk(1_000)
        sample.ingest(np.zeros(1_000), slots)
    before = sample.rows(slots)
    slots.next_chunk(10)
    sample.ingest(np.ones(10), slots)
    assert np.shares_memory(before, sample.rows(slots))
    assert len(sample.rows(slots)) == 1_000
