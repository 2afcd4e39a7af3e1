"""Changes of numbers that quantiles show, and similar cases that must not be confused."""

from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor.compare.causes.numbers.change_fits import join_rows
from mlmonitor.compare.causes.numbers.few_values import describe_few
from mlmonitor.compare.causes.numbers.number_changes import describe_change, describe_spread
from mlmonitor.compare.causes.numbers.number_words import NO_TRAITS, FieldTraits, NumberChange
from mlmonitor.compare.causes.numbers.swaps import RANKS, are_swapped, find_filler
from mlmonitor.records import Floats

ROWS = 2_000
FINE = np.linspace(0, 1, 201)
ALL_RANKS = np.linspace(0, 1, 41)


def amounts(seed: int) -> Floats:
    """Draw positive, skewed numbers."""
    return np.random.default_rng(seed).gamma(3.0, 100.0, ROWS)


def at_ranks(values: Floats) -> Floats:
    """Return their quantiles."""
    return np.quantile(values, RANKS)


def find(now: Floats, before: Floats, traits: FieldTraits = NO_TRAITS) -> NumberChange | None:
    """Describe the change from `before` to `now` from as many quantiles as a window has."""
    rows = join_rows(now.size, before.size)
    return describe_change(np.quantile(before, FINE), np.quantile(now, FINE), traits, rows=rows)


def describe(now: Floats, *, is_share: bool = False) -> str | None:
    """Describe how the amounts became these values."""
    change = find(now, amounts(0), FieldTraits(None, is_share=is_share))
    return None if change is None else change.description


def test_a_flipped_sign_is_distinguished_from_a_shift() -> None:
    """Mirrored values have their sign flipped, values moved below zero do not."""
    assert describe(-amounts(1)) == "with the sign flipped"
    assert (describe(amounts(1) - 3_000) or "").startswith("moved by about -")


def test_a_flipped_sign_with_a_factor_is_described_with_both() -> None:
    """Euros of a credit became cents of a debit."""
    assert (describe(-100 * amounts(1)) or "").startswith(
        "with the sign flipped, multiplied by about "
    )


def test_a_flipped_sign_of_values_around_zero_is_not_described() -> None:
    """A symmetric distribution looks the same with either sign."""
    values = np.random.default_rng(0).normal(size=ROWS)
    assert find(-values, values) is None


def test_only_a_share_times_a_hundred_is_described_as_percent() -> None:
    """Another factor, or a field with values above one, is not."""
    text = "as percent for a share"
    assert (describe(100 * amounts(1), is_share=True) or "").endswith(text)
    for factor in (60, 1_000):
        assert text not in (describe(factor * amounts(1), is_share=True) or "")
    assert text not in (describe(100 * amounts(1)) or "")


def test_values_with_another_distribution_are_neither_scaled_nor_shifted() -> None:
    """A uniform field has other quantiles under any factor."""
    uniform = np.random.default_rng(1).uniform(0, 3_000, ROWS)
    assert describe(uniform) is None


def replace_some(values: Floats, others: Floats, share: float) -> Floats:
    """Replace a share of the values by others."""
    return np.where(np.random.default_rng(9).random(ROWS) < share, others, values)


def lognormal(seed: int, spread: float) -> Floats:
    """Draw amounts of money."""
    return np.exp(np.random.default_rng(seed).normal(7.0, spread, ROWS))


@pytest.mark.parametrize("share", [0.3, 0.5])
@pytest.mark.parametrize("spread", [0.3, 0.5, 0.8])
def test_a_change_of_unit_in_some_rows_is_never_described_as_one_of_all_values(
    share: float, spread: float
) -> None:
    """One of two sources switches to another unit."""
    values = lognormal(1, spread)
    change = find(replace_some(values, 2.54 * values, share), lognormal(0, spread))
    assert change is None or change.cause == "unknown" or change.share < 0.7
    if spread == 0.3:  # both units are apart
        assert change is not None
        assert change.description in ("multiplied by about 2.5", "multiplied by about 2.6")
        assert change.share == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("factor", [0.4, 1.5, 2.54, 12.0])
def test_a_factor_of_all_values_is_described_as_a_factor(factor: float) -> None:
    """Every quantile has it, up to both tails."""
    change = find(factor * lognormal(1, 0.8), lognormal(0, 0.8))
    assert change is not None
    assert (change.cause, change.share) == ("scaled", 1.0)
    assert float(change.description.rsplit(" ", 1)[1]) == pytest.approx(factor, rel=0.1)


def test_a_small_factor_is_described_only_on_average() -> None:
    """All amounts may have grown by a fifth, or half of them by nearly a half."""
    change = find(1.2 * lognormal(1, 0.8), lognormal(0, 0.8))
    assert change is not None
    assert change.cause == "unknown"
    assert change.description.endswith("times as large overall")


@pytest.mark.parametrize("moved", [12.0, -20.0, 60.0])
def test_a_shift_is_not_confused_with_a_factor(moved: float) -> None:
    """A shift keeps the spread, and a factor does not."""
    ages = np.random.default_rng(0).normal(45.0, 12.0, (2, ROWS))
    change = find(ages[1] + moved, ages[0])
    assert change is not None
    assert change.cause == "shifted"
    assert change.description.startswith("moved by about ")


def test_a_factor_and_a_shift_that_cannot_be_distinguished_are_both_described() -> None:
    """Pressures around 1,000 are an eighth higher, and few rows cannot show which it is."""
    pressures = np.random.default_rng(0).normal(1_000.0, 8.0, (2, ROWS))
    change = find(1.12 * pressures[1, :100], pressures[0])
    assert change is not None
    assert change.cause == "unknown"
    assert "or about 1.1 times as large" in change.description


BENIGN: dict[str, Callable[[np.random.Generator, Floats], Floats]] = {
    "more spread": lambda _, x: x.mean() + 1.5 * (x - x.mean()),
    "less spread": lambda _, x: x.mean() + 0.6 * (x - x.mean()),
    "a heavy tail": lambda rng, x: x * np.exp(0.3 * rng.standard_t(2, x.size)),
    "more large values": lambda rng, x: rng.choice(
        x, x.size, p=np.where(x > np.median(x), 2, 1) / (1.5 * x.size)
    ),
    "a new group of rows": lambda rng, x: replace_some(x, 3_000 + rng.normal(0, 150, x.size), 0.3),
    "some wild values": lambda rng, x: replace_some(x, 300 * rng.uniform(0, 20, x.size), 0.1),
    "another source": lambda rng, x: replace_some(x, np.exp(rng.normal(6, 0.8, x.size)), 0.3),
    "values up to a limit": lambda _, x: np.minimum(x, np.quantile(x, 0.8)),
    "rounded values": lambda _, x: np.round(x, -2),
    "no change": lambda _, x: x,
}


@pytest.mark.parametrize("name", BENIGN)
def test_another_mix_or_spread_of_values_has_no_factor_and_no_shift(name: str) -> None:
    """Nothing was multiplied or moved, so no cause may say so."""
    for seed in (1, 2):
        changed = BENIGN[name](np.random.default_rng(seed), amounts(seed))
        change = find(changed, amounts(0))
        assert change is None or change.cause == "unknown"


def test_values_that_changed_for_no_known_reason_are_described_by_their_spread() -> None:
    """The description has the median and the middle half."""
    before, wider = np.quantile(amounts(0), FINE), np.quantile(2 * amounts(1) - 300, FINE)
    text = describe_spread(before, wider, rows=1_000)
    assert text is not None
    assert "times as wide" in text
    assert describe_spread(before, np.quantile(amounts(1), FINE), rows=1_000) is None


@pytest.mark.parametrize(
    ("hours", "description"),
    [
        (5, "moved by +5 hours, as in another time zone"),
        (-1, "moved by -1 hour, as in another time zone"),
    ],
)
def test_a_shift_of_whole_hours_is_described_as_another_time_zone(
    hours: int, description: str
) -> None:
    """Times are in hours or in seconds."""
    times = np.random.default_rng(2).normal(11, 2.5, (2, ROWS))
    for hour in (1.0, 3_600.0):
        change = find(hour * (times[1] + hours), hour * times[0], FieldTraits(hour))
        assert change is not None
        assert (change.cause, change.description) == ("shifted", description)


@pytest.mark.parametrize("hours", [0.5, 2.3, 20.0])
def test_other_shifts_than_whole_hours_are_not_described_as_a_time_zone(hours: float) -> None:
    """They are parts of an hour, or larger than differences between zones."""
    times = np.random.default_rng(2).normal(30, 2.5, ROWS)
    change = find(times + hours, times, FieldTraits(1.0))
    assert change is None or "time zone" not in change.description


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize(
    ("factor", "description"),
    [(100.0, "multiplied by about 100"), (-1.0, "with the sign flipped")],
)
def test_a_factor_of_a_part_of_the_values_is_described_with_its_share(
    factor: float, description: str, share: float
) -> None:
    """One of several clients sends values in another unit."""
    change = find(replace_some(amounts(1), factor * amounts(2), share), amounts(0))
    assert change is not None
    assert change.description == description
    assert change.share == pytest.approx(share, abs=0.04)


def test_a_shift_of_hours_in_a_part_of_the_rows_is_described_as_another_time_zone() -> None:
    """Three of ten rows are five hours ahead."""
    hours = np.random.default_rng(3).normal(11, 2, (2, ROWS))
    hours[1, :600] += 5
    change = find(hours[1], hours[0], FieldTraits(hour=1.0))
    assert change is not None
    assert change.description == "moved by +5 hours, as in another time zone"


def test_a_changed_part_without_an_explanation_is_not_described() -> None:
    """Uniform values on both sides of the range are neither scaled nor shifted."""
    rng = np.random.default_rng(4)
    elsewhere = rng.uniform(1_000, 9_000, ROWS) * rng.choice([-1, 1], ROWS)
    change = find(replace_some(amounts(1), elsewhere, 0.3), amounts(0))
    assert change is None or change.cause == "unknown"


def test_swapped_fields_have_the_quantiles_of_each_other() -> None:
    """If only one became like the other, they are not swapped."""
    low, high = at_ranks(amounts(0)), at_ranks(amounts(0) + 900)
    assert are_swapped((low, high), (high, low))
    assert not are_swapped((low, high), (high, high))
    assert not are_swapped((low, high), (low, high))


def test_fields_with_similar_quantiles_are_never_described_as_swapped() -> None:
    """A swap of them would not show."""
    one, other = at_ranks(amounts(0)), at_ranks(amounts(1))
    assert not are_swapped((one, other), (other, one))


def filler_in(values: Floats) -> float | None:
    """Return the filler of these values, compared with amounts."""
    before = np.quantile(amounts(0), ALL_RANKS)
    now = np.quantile(values, ALL_RANKS)
    return find_filler(before, now, low=float(before[0]), high=float(before[-1]))


@pytest.mark.parametrize("filler", [-999.0, -1_000.0, 99_999.0])
def test_one_value_beyond_the_range_is_a_filler(filler: float) -> None:
    """It is below or above the range, in a tenth of the rows."""
    values = amounts(1)
    values[: ROWS // 10] = filler
    assert filler_in(values) == filler


def test_varied_rare_and_inner_values_are_not_fillers() -> None:
    """Values beyond the range differ, are few, are inside it, or are all the same."""
    spread, few, inside = amounts(1), amounts(1), amounts(1)
    spread[: ROWS // 10] = -999.0 - np.arange(ROWS // 10)
    few[: ROWS // 100] = -999.0
    inside[: ROWS // 10] = 300.0
    for values in (spread, few, inside, amounts(1), np.full(ROWS, -999.0)):
        assert filler_in(values) is None


LIMITS = np.array([8_000.0, 15_000.0, 20_000.0, 200_000.0, 300_000.0])
FEW_RANKS = np.linspace(0, 1, 201)


def limits(seed: int, rows: int = 512) -> Floats:
    """Draw one of five limits a row."""
    return np.random.default_rng(seed).choice(LIMITS, rows, p=[0.14, 0.19, 0.34, 0.12, 0.21])


def describe_limits(now: Floats, *, hour: float | None = None) -> str | None:
    """Describe how the limits became these values."""
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
def test_a_change_of_a_field_with_few_values_is_described_exactly(
    seed: int, change: Callable[[Floats], Floats], description: str | None
) -> None:
    """Quantiles near the edge between two values jump by chance, so values are compared."""
    assert describe_limits(change(limits(seed))) == description


def test_a_field_of_many_values_has_no_exact_factor() -> None:
    """Its quantiles are never exactly proportional."""
    before, now = (np.quantile(amounts(seed), FEW_RANKS) for seed in (0, 1))
    assert describe_few(before, 1.25 * now, rows=ROWS) is None


def test_values_of_a_time_of_day_are_left_to_the_search_for_hours() -> None:
    """Another time zone is a better description than a number of hours."""
    assert describe_limits(limits(1) + 3_600, hour=3_600.0) is None
