"""Profiles count each value in its bin and by its quality, and refuse other plans."""

import numpy as np
import pytest
from hypothesis import given

from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.errors import FormatError, IncompatibleSketch
from mlmonitor.records import QUALITIES, Block, Field, Kind, Quality, Role
from support.strategies import blocks

X = Field("x", Role.FEATURE, Kind.NUMERIC)
C = Field("c", Role.FEATURE, Kind.CATEGORICAL)
NUMERIC = NumericPlan(np.array([1.0, 2.0]), low=0.0, high=3.0, band_low=1.0, band_high=2.5)
PLAN = Plan.build([X, C], {X: NUMERIC}, {C: Dictionary(["a"], ["b"])})


def a_block(
    numbers: list[float], names: list[object], *, refused: tuple[int, ...] = (0, 0, 0)
) -> Block:
    """Return rows of one number and one name."""
    return Block(len(numbers), np.array([numbers]), np.array([refused]), [names])


def of(block: Block, plan: Plan = PLAN) -> FieldProfile:
    """Return the profile of one block."""
    profile = FieldProfile(plan)
    profile.update(block)
    return profile


def quality(profile: FieldProfile, field: int) -> dict[Quality, int]:
    """Return the counts of one field by quality, without zeros."""
    counts = zip(QUALITIES, profile.quality[field].tolist(), strict=True)
    return {name: count for name, count in counts if count}


def test_a_range_and_a_band_include_their_bounds() -> None:
    """The reference's extremes are in range, and the limits of the band are not outliers."""
    numbers = [-0.1, 0.0, 0.9, 1.0, 2.0, 2.5, 2.6, 3.0, 3.1]
    profile = of(a_block(numbers, ["a"] * 9))
    assert profile.bins[0].tolist() == [4, 1, 4]
    assert profile.outliers[0].tolist() == [3, 3]
    assert quality(profile, 0) == {Quality.VALID: 7, Quality.OUT_OF_RANGE: 2}


def test_refused_values_are_counted_by_reason() -> None:
    """Missing, non-finite and mistyped values are in no bin; absent values are not counted."""
    numbers = [np.nan] * 6 + [1.0]
    profile = of(a_block(numbers, ["a", None, [1], "b", "z", "z", "z"], refused=(1, 2, 1)))
    assert quality(profile, 0) == {
        Quality.VALID: 1,
        Quality.MISSING: 1,
        Quality.NONFINITE: 2,
        Quality.WRONG_TYPE: 1,
    }
    assert quality(profile, 1) == {
        Quality.VALID: 2,
        Quality.MISSING: 1,
        Quality.WRONG_TYPE: 1,
        Quality.NEW_CATEGORY: 3,
    }
    assert profile.bins[0].tolist() == [1, 0, 0]
    assert profile.categories[0].tolist() == [1, 1, 3]
    assert profile.rows == 7


@given(blocks(1))
def test_qualities_equal_those_of_comparing_values_one_by_one(block: np.ndarray) -> None:
    """Range, band and bin of each value give the same counts."""
    values = block[0]
    profile = of(a_block(values.tolist(), [None] * values.size))
    present = values[~np.isnan(values)]
    in_range = (present >= NUMERIC.low) & (present <= NUMERIC.high)
    assert profile.quality[0, QUALITIES.index(Quality.VALID)] == in_range.sum()
    assert profile.quality[0, QUALITIES.index(Quality.OUT_OF_RANGE)] == (~in_range).sum()
    low, high = (present < NUMERIC.band_low).sum(), (present > NUMERIC.band_high).sum()
    assert profile.outliers[0].tolist() == [low, high]
    expected = [(present <= 1).sum(), ((present > 1) & (present <= 2)).sum(), (present > 2).sum()]
    assert profile.bins[0].tolist() == expected


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_plan_without_fields_counts_rows(rows: int) -> None:
    """Without fields, rows are counted and nothing warns."""
    plan = Plan.build([], {}, {})
    block = Block(rows, np.empty((0, rows)), np.zeros((0, 3), np.int64), [])
    assert of(block, plan).rows == rows


def test_a_profile_counts_beyond_32_bits() -> None:
    """After forty doublings of two rows, bins, qualities and rows count 2**41 each."""
    profile = of(a_block([0.5, 9.0], ["a", "z"]))
    for _ in range(40):
        profile.merge(profile)
    assert profile.rows == 1 << 41
    assert profile.bins[0].tolist() == [1 << 40, 0, 1 << 40]
    assert quality(profile, 1) == {Quality.VALID: 1 << 40, Quality.NEW_CATEGORY: 1 << 40}
    assert FieldProfile.from_bytes(profile.to_bytes(), PLAN).rows == 1 << 41


def test_profiles_with_different_bins_are_not_merged() -> None:
    """With as many bins but other edges, profiles are neither merged nor read as each other."""
    other = Plan.build(
        [X, C], {X: NUMERIC._replace(edges=np.array([1.0, 2.1]))}, {C: Dictionary(["a"], ["b"])}
    )
    assert other.edges.shape == PLAN.edges.shape
    with pytest.raises(IncompatibleSketch):
        FieldProfile(PLAN).merge(FieldProfile(other))
    with pytest.raises(FormatError, match="another reference"):
        FieldProfile.from_bytes(FieldProfile(other).to_bytes(), PLAN)


def test_a_saved_profile_is_read_with_a_rebuilt_plan() -> None:
    """After a restart, a plan from the same reference reads and merges it."""
    again = Plan.build([X, C], {X: NUMERIC}, {C: Dictionary(["a"], ["b"])})
    saved = of(a_block([0.5], ["a"])).to_bytes()
    revived = FieldProfile.from_bytes(saved, again)
    revived.merge(of(a_block([1.5], ["b"])))
    assert revived.bins[0].tolist() == [1, 1, 0]


@pytest.mark.parametrize("name", ["rows", "bins", "categories", "quality", "outliers"])
def test_a_saved_profile_with_negative_counts_is_refused(name: str) -> None:
    """A count below zero raises FormatError."""
    state = FieldProfile(PLAN).state()
    with pytest.raises(FormatError, match=name):
        FieldProfile.from_state({**state, name: state[name] - 1}, PLAN)


def test_the_stated_memory_of_a_profile_is_that_of_its_arrays() -> None:
    """It is the same before the first row and after a block."""
    empty, full = FieldProfile(PLAN), of(a_block([0.5, np.nan, 9.0], ["a", "z", None]))
    for profile in (empty, full):
        parts = [profile.moments.count, profile.moments.mean, profile.moments.m2]
        parts += [profile.moments.exponent, profile.moments.min, profile.moments.max]
        parts += [
            array
            for name in FieldProfile.__slots__
            if hasattr(array := getattr(profile, name), "T")
        ]
        assert profile.nbytes == sum(part.nbytes for part in parts)
    assert empty.nbytes == full.nbytes
