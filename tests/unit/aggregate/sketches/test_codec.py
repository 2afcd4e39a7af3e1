"""Bytes of sketches: what is written is read, and what is not ours is refused cheaply."""

import json
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmonitor.aggregate.sketches.codec import nest, pack, part, unpack, within
from mlmonitor.errors import FormatError

ARRAYS = st.sampled_from([np.float64, np.int64, np.uint8]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
    )
)
STATES = st.dictionaries(st.text(max_size=6), ARRAYS, max_size=4)


def sealed(header: object, body: bytes = b"") -> bytes:
    """Bytes with a right checksum, whatever they say."""
    data = json.dumps(header).encode() + b"\n" + body
    return data + zlib.crc32(data).to_bytes(4, "little")


def laid_out(*arrays: object, version: object = 1, kind: object = "k") -> dict[str, object]:
    """A header that lists some arrays."""
    return {"mlmonitor": kind, "version": version, "arrays": list(arrays)}


@given(STATES)
def test_what_is_packed_is_unpacked(state: dict[str, np.ndarray[Any, Any]]) -> None:
    """Names, types, shapes and every bit of every array; the copies can be written to."""
    unpacked = unpack("k", pack("k", state))
    assert list(unpacked) == list(state)
    for name, array in state.items():
        assert (unpacked[name].dtype, unpacked[name].shape) == (array.dtype, array.shape)
        assert unpacked[name].tobytes() == array.tobytes()
        assert unpacked[name].flags.writeable


def test_the_layout_is_fixed() -> None:
    """A line of JSON, little-endian numbers, a checksum: version 1 stays readable for ever."""
    saved = pack("k", {"x": np.array([1, 256], ">i8")})
    line, body = saved.split(b"\n", 1)
    assert json.loads(line) == laid_out(["x", "<i8", [2]])
    assert body[:-4] == b"\x01" + bytes(8) + b"\x01" + bytes(6)
    assert int.from_bytes(body[-4:], "little") == zlib.crc32(saved[:-4])


@given(st.binary(max_size=60))
def test_bytes_of_anything_are_refused(data: bytes) -> None:
    """Random bytes, alone or after a good header, raise FormatError."""
    header = json.dumps(laid_out(["x", "<f8", [2]])).encode() + b"\n"
    for damaged in (data, header + data, header[:-1] + data):
        with pytest.raises(FormatError):
            unpack("k", damaged)


HUGE = 1 << 39


@pytest.mark.parametrize(
    "header",
    [
        laid_out(["x", "<f8", [HUGE]]),
        laid_out(["x", "<f8", [HUGE, HUGE]]),
        laid_out(["x", "<f8", [0, HUGE, HUGE]]),
        laid_out(["x", "<f8", [0, 1 << 80]]),
        laid_out(["x", "<f8", [10**400]]),
        laid_out(["x", "<f8", [0] * 70]),
        laid_out(["x", "<f8", [-1]]),
        laid_out(["x", "<f8", [True]]),
        laid_out(["x", "<f8", [1.0]]),
        laid_out(["x", "<f8", [float("nan")]]),
        laid_out(["x", "<f8", "12"]),
        laid_out(["x", "<f8", 3]),
        laid_out(["x", "O", [1]]),
        laid_out(["x", "<U9", [1]]),
        laid_out(["x", ["<f8"], [1]]),
        laid_out(["x", "<f8"]),
        laid_out(["x", "<f8", [0]], ["x", "<f8", [0]]),
        laid_out("x"),
        laid_out(version="1"),
        laid_out(version=2),
        laid_out(version=0),
        laid_out(version=None),
        laid_out(kind="another"),
        laid_out(kind=["k"]),
        {"mlmonitor": "k", "version": 1},
        {"mlmonitor": "k", "version": 1, "arrays": 5},
        [1, 2],
        "k",
        None,
    ],
    ids=lambda header: json.dumps(header)[:90],
)
def test_headers_with_false_sizes_are_refused_without_allocating(header: object) -> None:
    """Even under a right checksum: absurd shapes, types and versions allocate next to nothing."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            unpack("k", sealed(header, bytes(64)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"{", b"\xff\xfe", b"1" * 5_000, b'"\xed\xa0\x80"']
)
def test_header_lines_that_are_not_json_are_refused(line: bytes) -> None:
    """Nesting without end, cut JSON, other encodings, endless numbers."""
    data = line + b"\n"
    with pytest.raises(FormatError, match="header"):
        unpack("k", data + zlib.crc32(data).to_bytes(4, "little"))


def test_a_header_without_a_line_end_is_not_searched_to_the_end() -> None:
    """Megabytes without a newline are refused by their first."""
    with pytest.raises(FormatError, match="no header line"):
        unpack("k", b"{" * (1 << 21) + b"\n")


@pytest.mark.parametrize("body", [b"", bytes(7), bytes(9), bytes(16)])
def test_a_body_of_another_length_is_refused(body: bytes) -> None:
    """Too short or too long for what the header says."""
    with pytest.raises(FormatError, match=r"cut short|too many"):
        unpack("k", sealed(laid_out(["x", "<f8", [1]]), body))


def test_refusals_name_what_was_wrong_and_hold_no_values() -> None:
    """The message says which kind and part; the bytes themselves are not in it."""
    with pytest.raises(FormatError, match=r"^k\.secret: cut short$"):
        unpack("k", sealed(laid_out(["secret", "<f8", [9]]), bytes(8)))


def test_only_types_that_can_be_read_are_written() -> None:
    """A state of any other type is a mistake of ours, told when it is made."""
    with pytest.raises(TypeError, match="int32"):
        pack("k", {"x": np.zeros(1, np.int32)})


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ({"dtype": np.int64}, "expected int64, got float64"),
        ({"dtype": np.float64, "ndim": 1}, "expected 1 dimensions, got 2"),
        ({"dtype": np.float64, "shape": (3, 2)}, r"expected the shape \(3, 2\), got \(2, 3\)"),
    ],
)
def test_a_part_that_does_not_fit_is_named(expected: dict[str, Any], complaint: str) -> None:
    """Type, dimensions and shape are checked one by one; a missing part is said to be missing."""
    state = {"x": np.zeros((2, 3))}
    with pytest.raises(FormatError, match=f"^x: {complaint}"):
        part(state, "x", **expected)
    with pytest.raises(FormatError, match=r"^y: missing"):
        part(state, "y", np.float64)


def test_parts_are_copies() -> None:
    """What is changed later does not change the state that it came from."""
    state = {"x": np.zeros(2)}
    part(state, "x", np.float64)[0] = 1.0
    assert state["x"][0] == 0.0


@given(STATES, STATES)
def test_states_nest(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> None:
    """Two states under names of their own lie side by side, and come back apart."""
    both = {**nest("a", one), **nest("ab", two)}
    assert list(within("a", both)) == list(one)
    assert list(within("ab", both)) == list(two)
