"""Decoding returns what was sent."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.testing.receiver.decoding import Nested, NotOtlp, as_text, decode
from support.otlp_requests import NOW_NS, counter, gauge, number, request

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary() | st.text()


@given(st.dictionaries(st.text(), SCALARS, max_size=5), st.integers(-(2**63), 2**63 - 1))
def test_attributes_and_values_survive_decoding(attributes: dict[str, object], value: int) -> None:
    """Their types are kept; a missing value is None."""
    sent = request(counter("n", number(value, attributes, at=1, since=0)), resource=attributes)
    (point,) = decode(sent.SerializeToString()).points
    assert dict(point.attributes) == dict(point.source.resource) == attributes
    assert (point.value, type(point.value)) == (value, int)
    assert (point.start_ns, point.time_ns) == (NOW_NS, NOW_NS + 10**9)


def test_nested_attribute_values_are_kept_as_json() -> None:
    """Arrays and maps may have any depth; bytes are written in base64."""
    sent = request(gauge("g", number(1.5, {"a": [1, {"b": b"x"}], "m": {"k": None}})))
    (point,) = decode(sent.SerializeToString()).points
    assert point.attributes == (
        ("a", Nested("array", '[1,{"b":"eA=="}]')),
        ("m", Nested("map", '{"k":null}')),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        (2.0, "2"),
        (b"x", "eA=="),
        ("text", "text"),
        (Nested("array", "[1]"), "[1]"),
    ],
)
def test_attribute_values_are_formatted_as_text(value: object, text: str) -> None:
    """The format is that of the OpenTelemetry Collector."""
    assert as_text(value) == text  # type: ignore[arg-type]


def test_metrics_without_points_or_data_are_listed() -> None:
    """Some backends refuse them."""
    sent = request(gauge("empty"), gauge("full", number(1)))
    sent.resource_metrics[0].scope_metrics[0].metrics.add(name="nothing")
    payload = decode(sent.SerializeToString())
    assert [point.metric.name for point in payload.points] == ["full"]
    assert payload.empty == ["empty", "nothing"]


@pytest.mark.parametrize(
    ("body", "is_json"),
    [(b"\xff\xff", False), (b"{", True), (b"[]", True), (b"\xff", True), (b'{"a": 1', True)],
)
def test_a_body_that_is_not_a_request_is_an_error(body: bytes, *, is_json: bool) -> None:
    """The body may be invalid protobuf, incomplete JSON, JSON of another type, or not UTF-8."""
    with pytest.raises(NotOtlp):
        decode(body, is_json=is_json)


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_are_decoded_to_points_or_an_error(body: bytes, is_json: bool) -> None:  # noqa: FBT001 - hypothesis names it
    """No other exception may occur, whoever sends them."""
    try:
        points: Iterable[object] = decode(body, is_json=is_json).points
    except NotOtlp:
        points = []
    assert list(points) is not None
