"""Bytes of sketches: what is written can be read, and foreign bytes are refused cheaply."""

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
    """Return bytes with a valid checksum for any header and body."""
    data = json.dumps(header).encode() + b"\n" + body
    return data + zlib.crc32(data).to_bytes(4, "little")


def laid_out(*arrays: object, version: object = 1, kind: object = "k") -> dict[str, object]:
    """Return a header that lists some arrays."""
    return {"mlmonitor": kind, "version": version, "arrays": list(arrays)}


@given(STATES)
def test_packed_arrays_are_unpacked_unchanged(state: dict[str, np.ndarray[Any, Any]]) -> None:
    """Names, types, shapes and bits are kept, and the copies are writable."""
    unpacked = unpack("k", pack("k", state))
    assert list(unpacked) == list(state)
    for name, array in state.items():
        assert (unpacked[name].dtype, unpacked[name].shape) == (array.dtype, array.shape)
        assert unpacked[name].tobytes() == array.tobytes()
        assert unpacked[name].flags.writeable


def test_the_byte_layout_of_version_1_is_fixed() -> None:
    """It is a line of JSON, little-endian numbers and a checksum, and stays readable."""
    saved = pack("k", {"x": np.array([1, 256], ">i8")})
    line, body = saved.split(b"\n", 1)
    assert json.loads(line) == laid_out(["x", "<i8", [2]])
    assert body[:-4] == b"\x01" + bytes(8) + b"\x01" + bytes(6)
    assert int.from_bytes(body[-4:], "little") == zlib.crc32(saved[:-4])


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    """Random bytes, alone or after a valid header, raise FormatError."""
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
    """Absurd shapes, types and versions under a valid checksum allocate next to nothing."""
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
    """Examples are endless nesting, truncated JSON, other encodings and endless numbers."""
    data = line + b"\n"
    with pytest.raises(FormatError, match="header"):
        unpack("k", data + zlib.crc32(data).to_bytes(4, "little"))


def test_a_header_without_a_line_end_is_not_searched_to_the_end() -> None:
    """Megabytes without a newline are refused after a limited search."""
    with pytest.raises(FormatError, match="no header line"):
        unpack("k", b"{" * (1 << 21) + b"\n")


@pytest.mark.parametrize("body", [b"", bytes(7), bytes(9), bytes(16)])
def test_a_body_of_the_wrong_length_is_refused(body: bytes) -> None:
    """It may be shorter or longer than the header says."""
    with pytest.raises(FormatError, match=r"cut short|too many"):
        unpack("k", sealed(laid_out(["x", "<f8", [1]]), body))


def test_refusals_name_the_kind_and_part_and_show_no_values() -> None:
    """The bytes themselves are not in the message."""
    with pytest.raises(FormatError, match=r"^k\.secret: cut short$"):
        unpack("k", sealed(laid_out(["secret", "<f8", [9]]), bytes(8)))


def test_only_types_that_can_be_read_are_written() -> None:
    """A state of any other type is an error of the code that writes it."""
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
def test_the_error_names_the_array_that_does_not_fit(
    expected: dict[str, Any], complaint: str
) -> None:
    """Type, dimensions, shape and presence are checked one by one."""
    state = {"x": np.zeros((2, 3))}
    with pytest.raises(FormatError, match=f"^x: {complaint}"):
        part(state, "x", **expected)
    with pytest.raises(FormatError, match=r"^y: missing"):
        part(state, "y", np.float64)


def test_unpacked_parts_are_copies() -> None:
    """Later changes do not affect the state that they came from."""
    state = {"x": np.zeros(2)}
    part(state, "x", np.float64)[0] = 1.0
    assert state["x"][0] == 0.0


@given(STATES, STATES)
def test_two_nested_states_are_separated_again(
    one: dict[str, np.ndarray], two: dict[str, np.ndarray]
) -> None:
    """Two states are stored side by side under prefixes."""
    both = {**nest("a", one), **nest("ab", two)}
    assert list(within("a", both)) == list(one)
    assert list(within("ab", both)) == list(two)
