"""Prediction ids are version 7 UUIDs of a given time and given random bytes."""

import math
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.prediction_ids import id_text, made_at_ms, prediction_id

times = st.integers(0, (1 << 48) - 1)
chances = st.binary(min_size=10, max_size=10)


@given(times, chances)
def test_an_id_is_a_version_7_uuid_with_its_creation_time(unix_ms: int, chance: bytes) -> None:
    """It is in the canonical form of RFC 9562."""
    new_id = prediction_id(unix_ms=unix_ms, chance=chance)
    parsed = uuid.UUID(new_id)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert new_id == str(parsed)
    assert made_at_ms(new_id) == unix_ms


@given(times, times, chances, chances)
def test_ids_sort_by_their_creation_time(
    first_ms: int, second_ms: int, first: bytes, second: bytes
) -> None:
    """The earlier id sorts first as text, for any random bytes."""
    if first_ms == second_ms:
        return
    ids = [(first_ms, first), (second_ms, second)]
    by_time = [prediction_id(unix_ms=at, chance=chance) for at, chance in sorted(ids)]
    assert by_time == sorted(by_time)


@given(times, chances, chances)
def test_random_bytes_distinguish_ids_of_the_same_millisecond(
    unix_ms: int, a: bytes, b: bytes
) -> None:
    """74 of the 80 random bits are in the id, and only six are fixed."""
    fixed = int.from_bytes(bytes.fromhex("f000c000000000000000"))
    differ = (int.from_bytes(a) ^ int.from_bytes(b)) & ~fixed
    same = prediction_id(unix_ms=unix_ms, chance=a) == prediction_id(unix_ms=unix_ms, chance=b)
    assert same == (differ == 0)


@pytest.mark.parametrize(
    "other", ["", "42", "order-7", str(uuid.UUID(int=0, version=4)), "ab" * 16]
)
def test_an_id_of_the_caller_has_no_creation_time(other: str) -> None:
    """Only a version 7 UUID contains it."""
    assert made_at_ms(other) is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (17, "17"),
        (17.0, "17"),
        (np.int64(17), "17"),
        (np.float32(17), "17"),
        (np.array(17), "17"),
        (17.5, "17.5"),
        ("17.0", "17.0"),
        (np.str_("abc"), "abc"),
        (math.inf, "inf"),
        (uuid.UUID(int=7), str(uuid.UUID(int=7))),
        (b"raw", "b'raw'"),
    ],
)
def test_an_id_has_one_text_for_every_type_of_value(given: object, text: str) -> None:
    """Numbers may have passed through numpy or a column of floats; texts are unchanged."""
    assert id_text(given) == text


@pytest.mark.parametrize(
    "nothing", [None, math.nan, "", np.datetime64("NaT", "ns"), pd.NA, pd.NaT], ids=repr
)
def test_missing_and_empty_values_are_not_ids(nothing: object) -> None:
    """Otherwise predictions without an id would share the text "nan"."""
    assert id_text(nothing) is None
