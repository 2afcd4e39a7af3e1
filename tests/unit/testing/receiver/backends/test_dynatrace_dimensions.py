"""How Dynatrace makes dimensions from attributes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.testing.receiver.backends.dynatrace_dimensions import (
    LONGEST_DIMENSION_KEY,
    LONGEST_DIMENSION_VALUE,
    RESOURCE_DIMENSIONS,
    dimension_key,
    dimensions,
    metric_key,
)
from mlmonitor.testing.receiver.decoding import WirePoint, decode
from support.otlp_requests import gauge, number, request


def a_point(attributes: Any, *, scope: Any = (), resource: Any = ()) -> WirePoint:
    """Return the decoded point of a gauge with these attributes."""
    message = request(gauge("g", number(1, attributes)), scope=scope, resource=resource)
    return decode(message.SerializeToString()).points[0]


@given(st.text())
def test_any_dimension_key_becomes_a_valid_one(key: str) -> None:
    """At most 100 of lower-case letters, digits and `-._`; the first is a letter or `_`."""
    legal = dimension_key(key)
    if legal is not None:
        assert 1 <= len(legal) <= LONGEST_DIMENSION_KEY
        assert set(legal) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._")
        assert legal[0] in "abcdefghijklmnopqrstuvwxyz_"
        assert dimension_key(legal) == legal


@given(st.text())
def test_any_metric_key_becomes_a_valid_one(name: str) -> None:
    """Letters, digits and `-._`, the first a letter or `_`; a repaired key is not changed again."""
    legal = metric_key(name)
    if legal is not None:
        assert all(
            character.isascii() and (character.isalnum() or character in "-._")
            for character in legal
        )
        assert legal[0].isalpha() or legal[0] == "_"
        assert metric_key(legal) == legal


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("plain.key-1_x", "plain.key-1_x"),
        ("Model", "model"),
        ("a b/c", "a_b_c"),
        ("9lives", "_lives"),
        ("ä", None),
        ("", None),
    ],
)
def test_dimension_keys_are_translated_as_documented(sent: str, kept: str | None) -> None:
    """They are lowered and repaired, or dropped if no character is valid."""
    assert dimension_key(sent) == kept


@pytest.mark.parametrize(
    ("value", "kept"), [("text", "text"), (True, "true"), (False, "false"), (-3, "-3")]
)
def test_texts_booleans_and_integers_are_stored_as_text(value: object, kept: str) -> None:
    """The conversion is documented, so there is no warning."""
    assert dimensions(a_point({"k": value}), ()) == ({"k": kept}, [])


@pytest.mark.parametrize("value", [1.5, b"raw", ["a"], {"a": 1}, None, ""])
def test_a_dimension_value_of_any_other_type_is_dropped(value: object) -> None:
    """The other dimensions of the point are kept, and a warning names the key."""
    kept, notes = dimensions(a_point({"bad": value, "good": "x"}), ())
    assert kept == {"good": "x"}
    assert len(notes) == 1
    assert notes[0].startswith("dimension dropped")
    assert notes[0].endswith("'bad'")


def test_keys_and_values_are_truncated_at_their_limits() -> None:
    """There is a warning only beyond the limit."""
    longest = {"k" * LONGEST_DIMENSION_KEY: "v" * LONGEST_DIMENSION_VALUE}
    assert dimensions(a_point(longest), ()) == (longest, [])
    longer = {"k" * (LONGEST_DIMENSION_KEY + 1): "v" * (LONGEST_DIMENSION_VALUE + 1)}
    kept, notes = dimensions(a_point(longer), ())
    assert kept == longest
    assert [note.partition(":")[0] for note in notes] == [
        "dimension key cut",
        "dimension value cut",
    ]


def test_attributes_of_a_point_override_the_scope_and_those_the_resource() -> None:
    """A warning names each key whose value was overridden."""
    point = a_point(
        {"service.name": "point"},
        scope={"service.name": "scope", "host.name": "scope"},
        resource={"host.name": "resource", "k8s.pod.name": "resource"},
    )
    kept, notes = dimensions(point, RESOURCE_DIMENSIONS)
    assert kept == {"service.name": "point", "host.name": "scope", "k8s.pod.name": "resource"}
    assert len(notes) == 2


def test_the_first_of_several_keys_that_become_equal_is_kept() -> None:
    """`Model` and `model` are one dimension."""
    kept, notes = dimensions(a_point([("Model", "a"), ("model", "b")]), ())
    assert kept == {"model": "a"}
    assert notes == [
        "dimension key changed: 'Model' to 'model'",
        "dimension dropped, its key is already in use: 'model'",
    ]


def test_resource_attributes_that_are_not_listed_are_not_dimensions() -> None:
    """`service.instance.id`, which distinguishes workers, is not in the default list."""
    point = a_point({}, resource={"service.instance.id": "1", "service.name": "s"})
    assert dimensions(point, RESOURCE_DIMENSIONS).kept == {"service.name": "s"}
