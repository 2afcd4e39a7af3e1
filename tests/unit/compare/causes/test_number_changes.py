"""Changes of numbers that quantiles show, and neighbours that they must not be taken for."""

from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor.compare.causes.number_changes import (
    RANKS,
    FieldTraits,
    are_swapped,
    describe_few,
    describe_numbers,
    find_filler,
)
from mlmonitor.records import Floats

ROWS = 2_000
ALL_RANKS = np.linspace(0, 1, 41)


def amounts(seed: int) -> Floats:
    """Positive and skewed numbers."""
    return np.random.default_rng(seed).gamma(3.0, 100.0, ROWS)


def at_ranks(values: Floats) -> Floats:
    """Their quantiles."""
    return np.quantile(values, RANKS)


def describe(now: Floats, *, hour: float | None = None, is_share: bool = False) -> str | None:
    """How amounts became these values."""
    change = describe_numbers(
        at_ranks(amounts(0)), at_ranks(now), FieldTraits(hour, is_share=is_share)
    )
    return None if change is None else change.description


def test_a_flipped_sign_is_distinguished_from_a_shift() -> None:
    """Mirrored values have the sign flipped; values moved below zero do not."""
    assert describe(-amounts(1)) == "with the sign flipped"
    assert (describe(amounts(1) - 3_000) or "").startswith("moved by about -")


def test_a_flipped_sign_with_a_factor_has_both() -> None:
    """Cents of a debit instead of euros of a credit."""
    assert (describe(-100 * amounts(1)) or "").startswith(
        "with the sign flipped, multiplied by about "
    )


def test_values_around_zero_have_no_sign_to_flip() -> None:
    """They look the same from both sides."""
    values = np.random.default_rng(0).normal(size=ROWS)
    assert describe_numbers(at_ranks(values), at_ranks(-values)) is None


def test_a_factor_of_a_hundred_is_percent_for_a_share_alone() -> None:
    """Another factor, or a field beyond one, is not."""
    text = "as percent for a share"
    assert (describe(100 * amounts(1), is_share=True) or "").endswith(text)
    for factor in (60, 1_000):
        assert text not in (describe(factor * amounts(1), is_share=True) or "")
    assert text not in (describe(100 * amounts(1)) or "")


def test_values_of_another_shape_are_neither_scaled_nor_shifted() -> None:
    """A uniform field has other quantiles under any factor."""
    uniform = np.random.default_rng(1).uniform(0, 3_000, ROWS)
    assert describe(uniform) is None


@pytest.mark.parametrize(
    ("hours", "description"),
    [
        (5, "moved by +5 hours, as in another time zone"),
        (-1, "moved by -1 hour, as in another time zone"),
    ],
)
def test_whole_hours_are_another_time_zone(hours: int, description: str) -> None:
    """In hours and in seconds."""
    times = np.random.default_rng(2).normal(11, 2.5, ROWS)
    for hour in (1.0, 3_600.0):
        before, now = at_ranks(hour * times), at_ranks(hour * (times + hours))
        change = describe_numbers(before, now, FieldTraits(hour))
        assert change is not None
        assert (change.cause, change.description) == ("shifted", description)


@pytest.mark.parametrize("hours", [0.5, 2.3, 20.0])
def test_other_shifts_are_no_time_zone(hours: float) -> None:
    """A part of an hour, or more hours than zones are apart."""
    times = np.random.default_rng(2).normal(30, 2.5, ROWS)
    change = describe_numbers(at_ranks(times), at_ranks(times + hours), FieldTraits(1.0))
    assert change is None or "time zone" not in change.description


def test_swapped_fields_have_the_quantiles_of_each_other() -> None:
    """Both of them: one that became like the other is not swapped."""
    low, high = at_ranks(amounts(0)), at_ranks(amounts(0) + 900)
    assert are_swapped((low, high), (high, low))
    assert not are_swapped((low, high), (high, high))
    assert not are_swapped((low, high), (low, high))


def test_similar_fields_are_never_swapped() -> None:
    """Nobody could tell."""
    one, other = at_ranks(amounts(0)), at_ranks(amounts(1))
    assert not are_swapped((one, other), (other, one))


def filler_in(values: Floats) -> float | None:
    """The filler of values beside amounts."""
    before = np.quantile(amounts(0), ALL_RANKS)
    now = np.quantile(values, ALL_RANKS)
    return find_filler(before, now, low=float(before[0]), high=float(before[-1]))


@pytest.mark.parametrize("filler", [-999.0, -1_000.0, 99_999.0])
def test_one_value_beyond_the_range_is_a_filler(filler: float) -> None:
    """Below or above, for a tenth of the rows."""
    values = amounts(1)
    values[: ROWS // 10] = filler
    assert filler_in(values) == filler


def test_varied_few_and_inner_values_are_not_taken_for_a_filler() -> None:
    """Different values beyond the range, few rows, one inside it, and a constant."""
    spread, few, inside = amounts(1), amounts(1), amounts(1)
    spread[: ROWS // 10] = -999.0 - np.arange(ROWS // 10)
    few[: ROWS // 100] = -999.0
    inside[: ROWS // 10] = 300.0
    for values in (spread, few, inside, amounts(1), np.full(ROWS, -999.0)):
        assert filler_in(values) is None


LIMITS = np.array([8_000.0, 15_000.0, 20_000.0, 200_000.0, 300_000.0])
FEW_RANKS = np.linspace(0, 1, 201)


def limits(seed: int, rows: int = 512) -> Floats:
    """One of five limits a row."""
    return np.random.default_rng(seed).choice(LIMITS, rows, p=[0.14, 0.19, 0.34, 0.12, 0.21])


def describe_limits(now: Floats, *, hour: float | None = None) -> str | None:
    """How limits became these values."""
    before = np.quantile(limits(0, 5_000), FEW_RANKS)
    change = describe_few(before, np.quantile(now, FEW_RANKS), FieldTraits(hour), rows=now.size)
    return None if change is None else change.description


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(
    ("change", "description"),
    [
        (lambda values: 1.25 * values, "multiplied by 1.25"),
        (lambda values: values / 100, "multiplied by about 0.01"),
        (lambda values: values + 500, "moved by +500"),
        (lambda values: values, None),
        (lambda values: np.where(values > 100_000, 1.25, 1) * values, None),
    ],
    ids=["factor", "cents", "shift", "unchanged", "in part"],
)
def test_a_field_of_few_values_is_described_exactly_whatever_their_shares(
    seed: int, change: Callable[[Floats], Floats], description: str | None
) -> None:
    """Quantiles near the edge between two values jump from one to the other by chance."""
    assert describe_limits(change(limits(seed))) == description


def test_a_field_of_many_values_has_no_exact_factor() -> None:
    """Its quantiles are never exactly proportional."""
    before, now = (np.quantile(amounts(seed), FEW_RANKS) for seed in (0, 1))
    assert describe_few(before, 1.25 * now, rows=ROWS) is None


def test_values_of_a_time_of_day_are_left_to_the_search_for_hours() -> None:
    """Another time zone is a better word than an amount."""
    assert describe_limits(limits(1) + 3_600, hour=3_600.0) is None
