"""Each value becomes a float or a counted reason, whatever its neighbours are."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.read.numbers import finite, parse_datetimes, parse_floats
from mlmonitor.capture.values import unmask
from mlmonitor.records import ABSENT
from support.cases import name_typed

VALID, MISSING, NONFINITE, WRONG_TYPE = "valid", "missing", "nonfinite", "wrong type"


class Level(IntEnum):
    """A number with a name."""

    LOW = 1


class HostileFloat(float):
    """A float that raises when it is read."""

    def __float__(self) -> float:
        raise ZeroDivisionError


class HostileClass:
    """An object that raises when its class is read."""

    @property
    def __class__(self) -> type:  # type: ignore[override]  # that is the point
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # unhashable, too


def verdict(values: object) -> tuple[str, float]:
    """Return what the reader makes of one value."""
    floats, refused = parse_floats(values)
    assert refused.shape == (3,)
    assert len(floats) == 1
    reasons = dict(zip((MISSING, NONFINITE, WRONG_TYPE), refused.tolist(), strict=True))
    verdicts = [name for name, count in reasons.items() if count] or [VALID]
    assert len(verdicts) == 1
    assert math.isnan(floats[0]) == (verdicts != [VALID])
    return verdicts[0], float(floats[0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (7, 7.0),
        (True, 1.0),
        (2**70, float(2**70)),
        (Decimal("1.25"), 1.25),
        (Fraction(1, 4), 0.25),
        (Level.LOW, 1.0),
        (np.float16(0.5), 0.5),
        (np.uint64(2**63), float(2**63)),
        (np.bool_(0), 0.0),
        (np.longdouble("2.5"), 2.5),
        (timedelta(minutes=1), 60.0),
        (np.timedelta64(1500, "ms"), 1.5),
        (pd.Timedelta(2, "s"), 2.0),
    ],
    ids=name_typed,
)
def test_every_kind_of_number_is_read_as_a_number(value: object, expected: float) -> None:
    """Every real number of Python or numpy becomes a float, and a duration its seconds."""
    assert verdict([value]) == (VALID, expected)


@pytest.mark.parametrize(
    "value",
    [
        None,
        math.nan,
        np.float32("nan"),
        Decimal("NaN"),
        Decimal("sNaN"),
        np.datetime64("NaT", "ns"),
        np.timedelta64("NaT", "ns"),
        pd.NA,
        pd.NaT,
    ],
    ids=name_typed,
)
def test_every_kind_of_missing_value_is_read_as_missing(value: object) -> None:
    """None, NaN, NaT and pandas' NA are missing; `is_missing` recognises most of them."""
    assert verdict([value])[0] == MISSING
    assert is_missing(value) or isinstance(value, Decimal)


@pytest.mark.parametrize(
    "value",
    [math.inf, -math.inf, np.float32("inf"), Decimal("Infinity"), 10**400, np.longdouble("1e4000")],
    ids=["inf", "-inf", "float32", "Decimal", "int", "longdouble"],
)
def test_a_number_beyond_the_range_of_floats_is_nonfinite(value: object) -> None:
    """Infinities, and numbers too large for a float, are counted as non-finite."""
    assert verdict([value])[0] == NONFINITE


@pytest.mark.parametrize(
    "value",
    [
        "1.5",
        "nan",
        "",
        b"1",
        np.str_("2"),
        [1.0],
        (1.0,),
        {"a": 1.0},
        1j,
        np.complex128(1),
        np.array([1.0]),
        np.array("1.5"),
        datetime(2024, 1, 1, tzinfo=UTC),
        np.datetime64("2024-01-01"),
        object(),
        HostileFloat(1.0),
        int,
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:4]}",
)
def test_a_value_that_is_not_a_number_has_a_wrong_type(value: object) -> None:
    """Text that looks like a number is not parsed, and a value that raises is not a number."""
    assert verdict([value])[0] == WRONG_TYPE


def test_a_value_that_raises_on_every_access_has_a_wrong_type() -> None:
    """An object whose class cannot be read is counted, and nothing is raised."""
    _, refused = parse_floats([1.0, HostileClass(), 2.0])
    assert refused.tolist() == [0, 0, 1]


@pytest.mark.parametrize("bad", ["2", None, math.inf, [3.0], 10**400], ids=lambda v: str(v)[:4])
def test_an_invalid_value_does_not_affect_other_values(bad: object) -> None:
    """The values around it are read as without it."""
    floats, refused = parse_floats([1.0, bad, 3])
    np.testing.assert_array_equal(floats, [1.0, np.nan, 3.0])
    assert refused.sum() == 1


def test_an_absent_value_is_not_counted() -> None:
    """ABSENT is neither valid nor refused: it stands for a failed call without a prediction."""
    floats, refused = parse_floats([1.0, ABSENT])
    np.testing.assert_array_equal(floats, [1.0, np.nan])
    assert refused.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("array", "expected", "refused"),
    [
        (np.array([1, 2], np.int8), [1, 2], [0, 0, 0]),
        (np.array([True, False]), [1, 0], [0, 0, 0]),
        (np.array([1, np.nan, np.inf], ">f4"), [1, np.nan, np.nan], [1, 1, 0]),
        (np.array([1, 1e4000], np.longdouble), [1, np.nan], [0, 1, 0]),
        (np.array(["1", "2"]), [np.nan] * 2, [0, 0, 2]),
        (np.array([b"1"]), [np.nan], [0, 0, 1]),
        (np.array([1j]), [np.nan], [0, 0, 1]),
        (np.array(["2024-01-01", "NaT"], "M8[D]"), [np.nan] * 2, [0, 0, 2]),
        (np.array([1000, "NaT"], "m8[ms]"), [1, np.nan], [1, 0, 0]),
        (np.array([1.0, None, "x"], object), [1, np.nan, np.nan], [1, 0, 1]),
        (np.ma.array([1, 2], mask=[0, 1]), [1, np.nan], [1, 0, 0]),
        (np.ma.array([1.0, np.inf, 3.0], mask=[1, 0, 0]), [np.nan, np.nan, 3], [1, 1, 0]),
        (np.array([]), [], [0, 0, 0]),
    ],
    ids=["i1", "bool", "f4", "f16", "U", "S", "c", "M", "m", "O", "masked i", "masked f", "empty"],
)
def test_an_array_is_read_like_its_single_values(
    array: np.ndarray, expected: list[float], refused: list[int]
) -> None:
    """Arrays of every type keep what single values keep, and a masked value is missing."""
    floats, counts = parse_floats(array)
    np.testing.assert_array_equal(floats, expected)
    assert counts.tolist() == refused


def test_datetimes_are_read_as_seconds_since_1970() -> None:
    """A naive time is UTC, a date is midnight, an offset is applied, and ISO text is parsed."""
    day = 86_400.0
    values = [
        datetime(1970, 1, 2),  # noqa: DTZ001 - naive on purpose
        datetime(1970, 1, 2, 2, tzinfo=timezone(timedelta(hours=2))),
        date(1970, 1, 2),
        "1970-01-02",
        "1970-01-02T00:00:00Z",
        np.datetime64("1970-01-02"),
        pd.Timestamp("1970-01-02", tz="UTC"),
    ]
    floats, refused = parse_datetimes(values)
    assert floats.tolist() == [day] * len(values)
    assert refused.tolist() == [0, 0, 0]


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
def test_a_column_of_datetimes_may_have_any_unit(unit: str) -> None:
    """The datetimes of numpy give the same seconds in each unit; NaT is missing, masked or not."""
    column = np.array(["1970-01-02", "NaT", "1969-12-31"], f"M8[{unit}]")
    for values in (column, np.ma.array(column, mask=[0, 0, 0])):
        floats, refused = parse_datetimes(values)
        np.testing.assert_array_equal(floats, [86_400, np.nan, -86_400])
        assert refused.tolist() == [1, 0, 0]


@pytest.mark.parametrize("value", [0.0, 86_400, "soon", b"soon", [], int], ids=name_typed)
def test_a_value_that_is_not_a_time_has_a_wrong_type(value: object) -> None:
    """Numbers, and texts not in ISO form, are not times."""
    _, refused = parse_datetimes([value])
    assert refused.tolist() == [0, 0, 1]


def test_missing_times_are_read_as_missing() -> None:
    """None, NaN, NaT and NA are missing among datetimes as among numbers."""
    _, refused = parse_datetimes([None, math.nan, pd.NaT, pd.NA, np.datetime64("NaT", "ns")])
    assert refused.tolist() == [5, 0, 0]


def test_replaced_nonfinite_values_are_counted() -> None:
    """NaN is missing, infinities are non-finite, and neither stays in the array."""
    floats, refused = finite(np.array([1.0, np.nan, np.inf, -np.inf]))
    np.testing.assert_array_equal(floats, [1, np.nan, np.nan, np.nan])
    assert refused.tolist() == [1, 2, 0]


def test_shared_counts_of_refused_values_cannot_be_changed() -> None:
    """Columns without refused values share one read-only array."""
    _, refused = parse_floats([1.0])
    with pytest.raises(ValueError, match="read-only"):
        refused += 1


def test_a_long_text_among_numbers_does_not_multiply_the_memory_of_a_column() -> None:
    """A megabyte of text among 10,000 numbers must not create an array of texts of 40 GB."""
    floats, refused = parse_floats([1.0] * 10_000 + ["x" * 1_000_000])
    assert np.nansum(floats) == 10_000
    assert refused.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("masked", "expected"),
    [
        (np.ma.array([1.5, 2.5], mask=[0, 1]), [1.5, np.nan]),
        (np.ma.array([2**60 + 1, 2], mask=[0, 1]), [2**60 + 1, None]),
        (np.ma.array([True, False], mask=[0, 1]), [True, None]),
        (np.ma.array(["a", "b"], mask=[0, 1]), ["a", None]),
    ],
    ids=["float", "int", "bool", "text"],
)
def test_a_masked_value_becomes_the_missing_value_of_its_type(
    masked: np.ndarray, expected: list[object]
) -> None:
    """It is NaN among floats and None elsewhere; other values are kept."""
    plain = unmask(masked)
    assert type(plain) is np.ndarray
    assert repr(plain.tolist()) == repr(expected)


@pytest.mark.parametrize("cell", [np.array(2.5), np.array([2.5]), [2.5]], ids=name_typed)
def test_a_container_in_a_cell_is_of_a_wrong_type_and_never_read(cell: object) -> None:
    """Its owner may have changed it by the time it would be read."""
    for values in ([cell, 1.0], [cell]):
        floats, refused = parse_floats(values)
        assert math.isnan(floats[0])
        assert refused.tolist() == [0, 0, 1]


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns", "ps"])
@pytest.mark.parametrize("kind", ["M8", "m8"])
def test_times_of_every_unit_in_an_array_are_converted_to_seconds(kind: str, unit: str) -> None:
    """They are equal bit for bit, beside missing ones and beyond 53 bits of microseconds."""
    step = {"D": 1, "h": 24, "m": 1_440, "s": 86_400}.get(unit, 86_400_000)
    integers = np.array([0, 1, -1, 7, 19_000 * step + 3, -20_000 * step - 1, 200_000 * step + 1])
    times = integers.astype(f"{kind}[{unit}]")
    for column in (times, np.append(times, np.array(["NaT"], times.dtype)), times[:5]):
        read = parse_datetimes if kind == "M8" else parse_floats
        floats, refused = read(column)
        one_by_one = [read([value])[0][0] for value in column]
        np.testing.assert_array_equal(floats, one_by_one)
        assert refused.tolist() == [int(np.isnat(column).sum()), 0, 0]
