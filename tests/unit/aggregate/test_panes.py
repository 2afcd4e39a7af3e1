"""A ring of profiles gives the merge of the profiles in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.panes import Panes
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import COUNTS, FieldProfile
from mlmonitor.aggregate.season import Season
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.records import Block, Field, Kind, Role

X = Field("x", Role.FEATURE, Kind.NUMERIC)
P = Field("p", Role.PREDICTION, Kind.NUMERIC)
C = Field("c", Role.FEATURE, Kind.CATEGORICAL)
PLAN = Plan.build(
    [X, P, C],
    {X: NumericPlan(np.array([-1.0, 1.0]), -2.0, 2.0, -1.5, 1.5)},
    {C: Dictionary(["a", "b"])},
    season=Season("hour_of_day"),
)


def pane(seed: int, rows: int) -> FieldProfile:
    """Return a profile of some rows with gaps in one hour, or an empty one."""
    rng = np.random.default_rng(seed)
    numeric = rng.normal(scale=10.0 ** rng.integers(-3, 4), size=(2, rows))
    gaps = rng.random(numeric.shape) < 0.2
    numeric[gaps] = np.nan
    refused = np.zeros((2, 3), np.int64)
    refused[:, 0] = gaps.sum(axis=1)
    names = [("a", "b", "new", None)[at] for at in rng.integers(0, 4, rows)]
    profile = FieldProfile(PLAN)
    profile.update(Block(rows, numeric, refused, [names], season=seed % 24))
    return profile


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), max_size=20), st.integers(0, 9))
def test_merging_the_ring_equals_merging_its_panes_one_by_one(
    drawn: list[tuple[int, int]], size: int
) -> None:
    """Counts are exact, moments agree up to rounding, and replaced panes leave no trace."""
    ring, all_panes = Panes(PLAN, size), [pane(seed, rows) for seed, rows in drawn]
    for added in all_panes:
        ring.append(added)
    expected = FieldProfile(PLAN)
    for added in all_panes[len(all_panes) - min(size, len(all_panes)) :]:
        expected.merge(added)
    merged = ring.merged()
    assert merged.rows == expected.rows
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(merged, name), getattr(expected, name))
    np.testing.assert_allclose(merged.sums, expected.sums, rtol=1e-9, atol=1e-9)
    for name in ("count", "min", "max"):
        np.testing.assert_array_equal(
            getattr(merged.moments, name), getattr(expected.moments, name)
        )
    np.testing.assert_allclose(merged.moments.mean, expected.moments.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(merged.moments.stddev, expected.moments.stddev, rtol=1e-9)


def test_a_merged_ring_is_not_changed_by_later_rows() -> None:
    """It is a copy, even if only one pane is in use."""
    ring = Panes(PLAN, 3)
    ring.append(pane(1, 10))
    merged = ring.merged()
    before = {name: array.copy() for name, array in merged.arrays().items()}
    ring.append(pane(2, 10))
    merged.merge(pane(3, 5))
    for name, array in ring.merged().arrays().items():
        assert not np.shares_memory(array, merged.arrays()[name])
    assert before["bins"].sum() == merged.bins.sum() - pane(3, 5).bins.sum()


@pytest.mark.parametrize("rows", [(1 << 31) - 8, (1 << 31) - 7, 1 << 31, 1 << 33])
def test_a_pane_with_more_rows_than_32_bits_hold_is_counted_exactly(rows: int) -> None:
    """From then on the ring uses 64 bits, also for earlier panes."""
    ring, few, many = Panes(PLAN, 3), pane(1, 7), pane(2, 7)
    many.rows = rows + 7
    many.bins += rows
    many.moments.count += rows
    for added in (few, many, few):
        ring.append(added)
    merged = ring.merged()
    assert merged.rows == rows + 21
    assert (merged.bins == 2 * few.bins + many.bins).all()
    assert (merged.moments.count == 2 * few.moments.count + many.moments.count).all()
    assert merged.bins.dtype == np.int64
