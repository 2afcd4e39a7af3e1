"""Laws of the sketch of group sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.recent_groups import RecentGroups
from mlmonitor.aggregate.sketches.group_sizes import GroupSizes, hash_groups

GROUPS = st.lists(st.integers(0, 50), max_size=200)


def sketch(groups: list[int]) -> GroupSizes:
    """Return the sketch of rows in these groups."""
    (sizes := GroupSizes()).update(*hash_groups(groups))
    return sizes


def assert_equal(one: GroupSizes, other: GroupSizes) -> None:
    """Assert that both sketches have the same state."""
    np.testing.assert_array_equal(one.counters, other.counters)
    assert (one.rows, one.alone) == (other.rows, other.alone)


@given(GROUPS, GROUPS)
def test_merging_equals_adding_all_rows_in_any_order(one: list[int], other: list[int]) -> None:
    """The empty sketch is the identity."""
    merged = sketch(one)
    merged.merge(sketch(other))
    merged.merge(GroupSizes())
    assert_equal(merged, sketch(other + one))


@given(GROUPS, GROUPS)
def test_subtracting_an_earlier_copy_leaves_the_later_rows(
    one: list[int], other: list[int]
) -> None:
    """The rows before the copy are subtracted exactly."""
    sizes = sketch(one)
    earlier = sizes.copy()
    sizes.update(*hash_groups(other))
    assert_equal(sizes.since(earlier), sketch(other))


@given(GROUPS)
def test_a_saved_state_of_group_sizes_is_read_back_unchanged(groups: list[int]) -> None:
    """`from_state` reverses `state`, as for every sketch."""
    sizes = sketch(groups)
    assert_equal(GroupSizes.from_state(sizes.state()), sizes)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20))
def test_equal_numbers_are_one_group_in_lists_and_arrays_of_any_type(groups: list[int]) -> None:
    """Integers and equal floats have the same hash."""
    expected = hash_groups(groups)[0]
    for values in (np.array(groups), np.array(groups, float), [*map(float, groups)]):
        np.testing.assert_array_equal(hash_groups(values)[0], expected)


@given(GROUPS, st.integers(0, 5))
def test_each_row_without_a_group_is_a_group_of_its_own(groups: list[int], alone: int) -> None:
    """None and NaN each form a group of one row."""
    hashes, count = hash_groups([*groups, *[None] * alone])
    assert (hashes.size, count) == (len(groups), alone)
    assert GroupSizes().mean_size() == 1.0


@pytest.mark.parametrize("size", [1, 5, 20, 100])
@pytest.mark.parametrize("is_named", [True, False])
def test_the_estimated_mean_group_size_is_within_a_sixth(size: int, *, is_named: bool) -> None:
    """The tolerance of 17% is four standard errors of 4.4%."""
    groups = np.repeat(np.arange(20_000 // size), size)
    sizes = GroupSizes()
    sizes.update(*hash_groups([f"c{g}" for g in groups] if is_named else groups))
    assert sizes.mean_size() == pytest.approx(size, rel=0.17)


def test_the_mean_group_size_of_recent_rows_is_smaller_than_that_of_all_rows(
    rng: np.random.Generator,
) -> None:
    """A thousand customers return, so their groups grow with the number of compared rows."""
    groups = RecentGroups(1.0)
    for _ in range(80):
        groups.update(*hash_groups(rng.integers(0, 1_000, 250)))
    sizes = groups.mean_size(np.array([1.0, 1_000.0, 5_000.0, 20_000.0]))
    assert sizes[0] == 1
    assert sizes[1:] == pytest.approx([2, 6, 21], rel=0.35)
    assert groups.nbytes < 120_000


def test_a_service_without_groups_is_assumed_to_have_those_of_its_reference() -> None:
    """A group cannot have more rows than are compared."""
    groups = RecentGroups(8.0)
    groups.update(*hash_groups([None] * 10))
    np.testing.assert_array_equal(groups.mean_size(np.array([2.0, 100.0])), [2, 8])
