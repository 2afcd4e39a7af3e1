"""Attribute names and values that all backends keep, and that stay distinct."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.catalog import CATALOG, IDENTITY
from mlmonitor.export.otlp.attribute_limits import (
    KEY_LIMIT,
    VALUE_LIMIT,
    legalize_key,
    legalize_value,
)

ADVERSARIES = [
    *("", " ", "\x00", "\n", "\t", "a\nb", "a b", " a", "a ", "\ud800", "\u200d", "\u202e"),
    *("a.b", "a_b", "A.b", "a:b", "a;b", "a\\b", 'a"b', "a{b}", "__name__", "le", "~", "(empty)"),
    *("🚀", "é", "e\u0301", "x" * 255, "x" * 256, "x" * 255 + "y", "x" * 300, "🚀" * 300),
    *("~0123456789ab", "a~0123456789ab", "a~0123456789abc"),
]


@given(st.lists(st.text(max_size=300) | st.sampled_from(ADVERSARIES), max_size=20, unique=True))
def test_different_values_stay_different_once_legalised(values: list[str]) -> None:
    """Legalising twice changes nothing more."""
    legal = [legalize_value(value) for value in values]
    assert len(set(legal)) == len(values)
    for value in legal:
        assert 0 < len(value) <= VALUE_LIMIT
        assert value.isprintable()
        value.encode()
        if value in values:
            assert legalize_value(value) == value


@given(st.lists(st.text(max_size=300), max_size=20, unique=True))
def test_different_keys_stay_different_once_legalised(keys: list[str]) -> None:
    """Keys are lower-case, start with a letter, and are short enough for Dynatrace."""
    legal = [legalize_key(key) for key in keys]
    assert len(set(legal)) == len(keys)
    assert all(re.fullmatch(r"[a-z][a-z0-9_.]*", key) and len(key) <= KEY_LIMIT for key in legal)


@pytest.mark.parametrize("name", ["claims-severity", "a b", "Größe", "🚀", "x" * 255, "a.b", "a:b"])
def test_values_that_all_backends_accept_are_unchanged(name: str) -> None:
    """They are printable and short."""
    assert legalize_value(name) == name


def test_no_name_of_the_catalogue_needs_to_be_legalised() -> None:
    """Dashboards are written for these names of metrics and attributes."""
    for metric in CATALOG:
        assert re.fullmatch(r"[a-z][a-z0-9_.]*", metric.name)
        assert all(legalize_key(key) == key for key in (*IDENTITY, *metric.attributes))


def test_a_legalised_name_can_still_be_recognised() -> None:
    """Its legal part stands before the hash."""
    assert re.fullmatch(r"a_b~[0-9a-f]{12}", legalize_value("a\nb"))
    assert re.fullmatch(r"\(empty\)~[0-9a-f]{12}", legalize_value(""))
    assert re.fullmatch(r"x{242}~[0-9a-f]{12}", legalize_value("x" * 300))
    assert re.fullmatch(r"a_b_[0-9a-f]{12}", legalize_key("A b"))
