"""Categories: each value has a name and one code, and no object of the host is kept."""

import datetime as dt
import gc
import tracemalloc
import uuid
import weakref
from collections import Counter
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.categories import NEW, OTHER, Dictionary
from mlmonitor.capture.canonical import category_name, is_missing
from mlmonitor.capture.naming import NAME_CHARACTERS
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.records import ABSENT
from support.cases import name_typed
from support.strategies import RAW, Colour, Grade, Mood, Opaque, Size

MISSING, WRONG_TYPE, NOT_THERE = (
    refusal.code
    for refusal in (RefusalReason.MISSING, RefusalReason.WRONG_TYPE, RefusalReason.ABSENT)
)


def codes(dictionary: Dictionary, *values: object) -> list[int]:
    """Return the code of each value."""
    return [int(code) for code in dictionary.encode(values).codes]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a", "a"),
        ("", ""),
        (np.str_("a"), "a"),
        (b"a", "a"),
        (b"\xff", "\\xff"),
        (True, "true"),
        (np.False_, "false"),
        (1, "1"),
        (np.int8(-1), "-1"),
        (1.0, "1"),
        (-0.0, "0"),
        (np.float32(2.0), "2"),
        (1.5, "1.5"),
        (10**15, "1000000000000000"),
        (1e15, "1000000000000000"),
        (Colour.RED, "red"),
        (Size.SMALL, "S"),
        (Mood.GOOD, "good"),
        (Grade.BEST, "1"),
        (dt.date(2024, 5, 1), "2024-05-01"),
        (dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), "2024-05-01T12:00:00"),
        (np.datetime64("2024-05-01"), "2024-05-01"),
        ("\ud800", "\\ud800"),
        ([1], None),
        ({}, None),
        ((1,), None),
        (Decimal(1), "1"),
        (Decimal("1.50"), "1.5"),
        (Fraction(3, 2), "1.5"),
        (Decimal("1e40"), category_name(10**40)),
        (np.float32(0.1), "0.1"),
        (dt.datetime(2024, 5, 1, tzinfo=dt.UTC), "2024-05-01"),
        (dt.time(12, 30), "12:30:00"),
        (dt.timedelta(days=1, hours=2), "1 day, 2:00:00"),
        (np.timedelta64(1_500, "ms"), "0:00:01.500000"),
        (np.datetime64("2024-05-01T12:00:00.000000001"), "2024-05-01T12:00:00.000000001"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pd.Period("2024-05", "M"), "2024-05"),
        (pd.Interval(0, 1), "(0, 1]"),
        (pa.scalar(1), "1"),
        (1 + 0j, None),
        (Opaque(), None),
        (np.array([1]), None),
    ],
    ids=name_typed,
)
def test_each_kind_of_value_has_its_category_name(value: object, name: str | None) -> None:
    """Equal numbers share a name, booleans have their own, and enum members use their value."""
    assert category_name(value) == name


def test_a_subclass_of_str_is_named_by_its_text() -> None:
    """The name is the text itself, whatever its class returns as its text."""

    class Shy(str):
        """Hides its text."""

        __slots__ = ()

        def __str__(self) -> str:
            return "hidden"

    name = category_name(Shy("a"))
    assert name == "a"
    assert type(name) is str


@given(st.text(min_size=NAME_CHARACTERS - 2, max_size=NAME_CHARACTERS + 3))
def test_category_names_are_short_and_valid_utf8(text: str) -> None:
    """A name has at most 200 characters; shorter ASCII texts are their own names."""
    name = category_name(text)
    assert name is not None
    assert len(name) <= NAME_CHARACTERS
    assert name.encode().decode() == name
    if text.isascii() and len(text) <= NAME_CHARACTERS:
        assert name == text


def test_long_category_names_are_not_merged() -> None:
    """Texts that differ after the 200th character, and huge numbers, have different names."""
    texts = ["x" * 299 + end for end in "abc"] + [
        "x" * NAME_CHARACTERS,
        "x" * (NAME_CHARACTERS + 1),
    ]
    assert len({category_name(text) for text in texts}) == 5
    huge = [10**300, 10**300 + 1, 10**5_000]
    names = [category_name(number) or "" for number in huge]
    assert len(set(names)) == 3
    assert max(map(len, names)) <= NAME_CHARACTERS
    codes = Dictionary(()).encode(texts)
    assert len(codes.new) == 5


@given(values=st.lists(RAW, max_size=30), is_boolean=st.booleans(), is_closed=st.booleans())
def test_every_value_gets_exactly_one_code(
    *, values: list[object], is_boolean: bool, is_closed: bool
) -> None:
    """A value is a category, missing, of a wrong type or absent: alone, together and repeated."""
    book = Dictionary(["a", "1", "true"], ["b"], is_closed=is_closed, is_boolean=is_boolean)
    together = book.encode(values)
    assert together.codes.tolist() == [c for value in values for c in codes(book, value)]
    fresh = Dictionary(["a", "1", "true"], ["b"], is_closed=is_closed, is_boolean=is_boolean)
    assert together.codes.tolist() == [fresh.code(value) for value in values]
    absent = int((together.codes == NOT_THERE).sum())
    assert absent == sum(value is ABSENT for value in values)
    assert together.missing == sum(is_missing(v) for v in values if v is not ABSENT)
    rest = together.counts.sum() + together.missing + together.wrong_type + absent
    assert rest == len(values)
    assert sum(together.new.values()) == together.counts[-1]
    assert len(together.counts) == book.size


@pytest.mark.parametrize(
    "values",
    [
        [1, 1.0, True, np.int64(1), np.True_, Decimal(1), 1 + 0j],
        [True, 1, Decimal(1), 1.0],
        [Decimal(1), 1, True],
        [10**15, 1e15, 10**16, 1e16],
        [dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), pd.Timestamp("2024-05-01T12:00:00Z")],
    ],
)
def test_codes_do_not_depend_on_earlier_values(values: list[object]) -> None:
    """1, 1.0, True and Decimal(1) are equal keys of a dict; their codes do not depend on order."""
    names = ["1", "true", "1000000000000000"]
    alone = [Dictionary(names).code(value) for value in values]
    for order in (values, values[::-1]):
        book = Dictionary(names)
        expected = alone if order is values else alone[::-1]
        assert codes(book, *order) == expected
        assert codes(book, *order) == expected


@pytest.mark.parametrize("value", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_every_kind_of_missing_value_counts_as_missing(value: object) -> None:
    """None, NaN, NaT and pandas' NA are missing among texts and in a boolean field."""
    assert codes(Dictionary(["a"]), "a", value) == [0, MISSING]
    assert codes(Dictionary(["false", "true"], is_boolean=True), 1, value) == [1, MISSING]


def test_known_rare_and_new_categories_are_distinguished() -> None:
    """The reference lists its most frequent categories, has others, and lacks the new ones."""
    book = Dictionary(["a", "b"], ["c"])
    codes = book.encode(["a", "b", "b", "c", "d", "d", "e"])
    assert codes.counts.tolist() == [1, 2, 1, 3]
    assert codes.new == Counter({"d": 2, "e": 1})
    assert book.names == ("a", "b", OTHER, NEW)


def test_an_open_dictionary_counts_no_category_as_new() -> None:
    """If the dictionary does not list all categories of the reference, the rest are `other`."""
    codes = Dictionary(["a"], ["b"], is_closed=False).encode(["a", "b", "z"])
    assert codes.counts.tolist() == [1, 2, 0]
    assert not codes.new


def test_a_boolean_field_reads_booleans_and_refuses_text() -> None:
    """True, False, 0 and 1 of any numeric type are read; texts and other numbers are refused."""
    book = Dictionary(["false", "true"], is_boolean=True)
    values = [True, 0, 1.0, np.int64(0), np.True_, "true", "1", 2, 0.5, [1]]
    assert codes(book, *values) == [1, 0, 1, 0, 1, *[WRONG_TYPE] * 5]


def test_a_category_named_like_a_reserved_one_stays_distinct_from_it() -> None:
    """A value named `__other__` or `__new__` is new like any other that the reference lacks."""
    assert codes(Dictionary(["a"]), OTHER, NEW) == [2, 2]


def test_the_number_of_cached_values_is_bounded() -> None:
    """Of 10,000 values of each type, 1,024 are cached in all, and long ones never."""
    book = Dictionary(["a"])
    for kind in (str, int, float, lambda at: f"{at}".encode(), lambda at: "x" * 100 + str(at)):
        book.encode([kind(at) for at in range(10_000)])
        assert book.remembered <= Dictionary.REMEMBERED
    assert book.remembered == Dictionary.REMEMBERED
    assert codes(book, "a", "x" * 100, "9999999") == [0, 2, 2]
    fresh = Dictionary(["a"])
    fresh.encode(["x" * 100] * 3 + [10**30] * 3 + [float("nan")] * 3)
    assert fresh.remembered == 0


def test_cached_values_stay_within_the_reported_memory() -> None:
    """Names of four bytes a character are cached only while there is room."""
    names = [f"known {at}" for at in range(2_000)]
    tracemalloc.start()
    book = Dictionary(names[:50], names[50:])
    for start in range(0, 10_000, 500):
        book.encode([f"{at}" + "\U0001f600" * 58 for at in range(start, start + 500)])
    book.encode([float(at) for at in range(10_000)])
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < book.remembered < Dictionary.REMEMBERED
    assert traced < book.nbytes


def test_no_object_of_the_host_is_kept_alive_by_a_dictionary() -> None:
    """An object used as a category has a wrong type and can be collected at once."""
    book = Dictionary(["a"])
    host = Opaque()
    seen = weakref.ref(host)
    assert codes(book, host, host) == [WRONG_TYPE] * 2
    del host
    gc.collect()
    assert seen() is None


def test_unhashable_values_do_not_affect_other_values() -> None:
    """A list, a dictionary or an array has a wrong type; its neighbours keep their codes."""
    book = Dictionary(["a"])
    assert codes(book, "a", [1], {}, np.array([1]), {1}, "z") == [0, *[WRONG_TYPE] * 4, 2]


def test_an_enum_whose_value_is_an_enum_is_read_as_the_inner_value() -> None:
    """A member whose value is a member has the inner name; one whose value is a list has none."""

    class Outer(Enum):
        """An enumeration of members of another."""

        INNER = Colour.RED
        LIST = (1, 2)

    assert codes(Dictionary(["red"]), Outer.INNER, Outer.LIST) == [0, WRONG_TYPE]


def test_dictionaries_with_equal_categories_are_equal() -> None:
    """The order of categories matters, and what has been encoded since does not."""
    one, two = Dictionary(["a"], ["b"]), Dictionary(["a"], ["b"])
    one.encode(["z", 1])
    assert one == two
    assert hash(one) == hash(two)
    for other in (Dictionary(["b"], ["a"]), Dictionary(["a"], ["b"], is_closed=False), "a"):
        assert one != other
