"""Numbers, names and tables in a terminal."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.formatting import (
    counted,
    day,
    duration,
    join_counts,
    share,
    short,
    table,
    truncate,
    wide,
    write_apart,
    zero_if_rounding,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
        (0.0, "0"),
        (-0.5, "-0.5"),
        (999.94, "999.9"),
        (999.96, "1,000"),
        (1234.5678, "1,235"),
        (9_999.4, "9,999"),
        (9_999.9, "10,000"),
        (123_456.7, "123,457"),
        (999_999.9, "1.00e+06"),
        (-1.5e308, "-1.50e+308"),
        (0.000_12, "1.20e-04"),
    ],
)
def test_a_number_is_printed_in_four_digits(number: float | None, text: str) -> None:
    """A missing number is printed as a dash."""
    assert short(number) == text


@given(st.floats())
def test_no_number_is_wider_than_ten_columns(number: float) -> None:
    """No number is printed as nan, inf or None either."""
    text = short(number)
    assert len(text) <= 10
    assert not {"nan", "inf", "None"} & {text}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3e-9, "3 ns"),
        (4.5e-6, "4.5 us"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (7_200, "2 h"),
        (86_400 * 400, "400 d"),
        (86_400 * 5_000_000, "5.00e+06 d"),
        (math.inf, "-"),
    ],
)
def test_a_duration_has_a_suitable_unit(seconds: float, text: str) -> None:
    """It is printed with three digits."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01"),
        (-86_400.0, "1969-12-31"),
        (None, "-"),
        (math.nan, "-"),
        (1e18, "1.00e+18"),
    ],
)
def test_a_time_is_printed_as_its_date(seconds: float | None, text: str) -> None:
    """Seconds since 1970 are printed only if they lie outside the calendar."""
    assert day(seconds) == text


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("short", 10, "short"),
        ("exactly_10", 10, "exactly_10"),
        ("more_than_ten", 10, "more_than…"),
        ("保险理赔金额", 10, "保险理赔…"),
        ("two\nlines\x1b[31m", 20, "two\ufffdlines\ufffd[31m"),
    ],
)
def test_a_name_fits_its_column(name: str, width: int, shown: str) -> None:
    """Wide characters take two columns; control characters are replaced."""
    assert truncate(name, width) == shown


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_name_with_line_breaks_is_printed_on_one_line(name: str, width: int) -> None:
    """For any name the line is printable and no wider than asked."""
    shown = truncate(name, width)
    assert wide(shown) <= width
    assert len(shown.splitlines()) <= 1


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=6))
def test_a_table_is_aligned_for_any_characters(cells: list[tuple[str, str]]) -> None:
    """Every line ends in the same column."""
    rows = [(truncate(left, 12), f"{truncate(right, 12)}|") for left, right in cells]
    lines = table(rows, left=(0,))
    assert len({wide(line) for line in lines}) == 1
    assert set(lines[1]) == {"-"}


def test_a_long_list_ends_with_the_number_of_further_names() -> None:
    """Only the first names are listed."""
    counts = {f"n{at}": at for at in range(1_000, 1_005)}
    assert join_counts(counts, most=2) == "n1000 1,000, n1001 1,001 and 3 more"
    assert join_counts(counts, most=5).count(",") == 9
    assert counted(12_345) == "12,345"
    assert counted(123_456_789) == "123 M"
    assert counted(1 << 50) == "1.13e+15"


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [
        (0, 5, "0%"),
        (5, 5, "100%"),
        (1, 3, "33.3%"),
        (1, 100_000, "<0.1%"),
        (99_999, 100_000, ">99.9%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(count: int, total: int, text: str) -> None:
    """One row of a million is more than 0%, and all rows but one are less than 100%."""
    assert share(count, total) == text


@pytest.mark.parametrize("scale", [None, math.nan, math.inf, 0.0])
def test_without_a_scale_no_number_is_printed_as_zero(scale: float | None) -> None:
    """If the deviation is zero or unknown, a small number may be real."""
    assert zero_if_rounding(1e-30, scale=scale) == 1e-30
    assert zero_if_rounding(None, scale=scale) is None


@pytest.mark.parametrize(
    ("edges", "texts"),
    [
        ([], []),
        ([20_000.0, 200_000.0], ["20,000", "200,000"]),
        ([0.000_1, 0.25], ["0.0001", "0.25"]),
        ([-1.5, 0.0, 1e20], ["-1.5", "0", "1e+20"]),
        ([18_194.0, 18_195.0], ["18,194", "18,195"]),
        ([100_000.25, 100_000.4], ["100,000.2", "100,000.4"]),
        ([1.234_56, 7.0], ["1.235", "7"]),
    ],
)
def test_edges_of_bins_are_written_without_exponents(edges: list[float], texts: list[str]) -> None:
    """Readers see 20,000, not 2e+04, and different edges never look equal."""
    assert write_apart(edges) == texts


@given(st.lists(st.integers(-(10**5), 10**5), unique=True, max_size=30))
def test_edges_that_differ_are_written_differently(numbers: list[int]) -> None:
    """Any difference above a millionth of their size must stay visible."""
    edges = [number / 8 for number in sorted(numbers)]
    texts = write_apart(edges)
    assert len(set(texts)) == len(edges)
    assert [float(text.replace(",", "")) for text in texts] == pytest.approx(edges, rel=1e-3)
