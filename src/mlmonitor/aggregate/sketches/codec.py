"""Sketches as bytes: a header line of JSON, the raw arrays, and a checksum.

Nothing is unpickled and nothing is trusted. Kind, version, checksum, types, shapes and lengths are
checked before an array is created, and no array is longer than the bytes.
"""

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlmonitor.errors import FormatError

Array = np.ndarray[Any, Any]
State = Mapping[str, Array]

VERSION = 1
_TYPES = {"<f8", "<i8", "|u1"}
_HEADER_BYTES = 1 << 20
_CHECKSUM_BYTES = 4
_DIMENSIONS = 4
_LENGTH = 1 << 40

_Layout = list[tuple[str, str, tuple[int, ...]]]


def pack(kind: str, state: State) -> bytes:
    """Serialise `state` with its kind and version.

    Price: a copy of the arrays, and about 50 bytes of header for each. The checksum (CRC-32)
    detects all damage within four adjacent bytes, and misses any other damage with a probability of
    one in four billion.
    """
    arrays = {name: _make_portable(array) for name, array in state.items()}
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    header = json.dumps({"mlmonitor": kind, "version": VERSION, "arrays": layout})
    body = b"".join(array.tobytes() for array in arrays.values())
    data = header.encode() + b"\n" + body
    return data + zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def unpack(kind: str, data: bytes) -> dict[str, Array]:
    """Deserialise the result of `pack`.

    Raises:
        FormatError: the bytes have another kind or a newer version, are truncated or damaged, or
            are not bytes at all.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise FormatError(f"{kind}: expected bytes, got {type(data).__name__}")
    data = bytes(data)
    end = data.find(b"\n", 0, _HEADER_BYTES)
    if end < 0:
        raise FormatError(f"{kind}: no header line: mlmonitor did not write these bytes")
    layout = _read_layout(kind, data[:end])
    offset, stop = end + 1, len(data) - _CHECKSUM_BYTES
    if stop < offset or zlib.crc32(data[:stop]) != int.from_bytes(data[stop:], "little"):
        raise FormatError(f"{kind}: the checksum is wrong: the bytes are cut short or damaged")
    arrays = {}
    for name, dtype, shape in layout:
        size = math.prod(shape)
        length = size * np.dtype(dtype).itemsize
        if length > stop - offset:
            raise FormatError(f"{kind}.{name}: cut short")
        flat = np.frombuffer(data, dtype, count=size, offset=offset)
        arrays[name] = flat.reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
        offset += length
    if offset != stop:
        raise FormatError(f"{kind}: {stop - offset} bytes too many")
    return arrays


def part(
    state: State,
    name: str,
    dtype: type,
    *,
    ndim: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """Check and copy one array of a state; raise a FormatError that names the array."""
    array = state.get(name)
    if array is None:
        raise FormatError(f"{name}: missing")
    if array.dtype != np.dtype(dtype):
        raise FormatError(f"{name}: expected {np.dtype(dtype).name}, got {array.dtype.name}")
    if ndim is not None and array.ndim != ndim:
        raise FormatError(f"{name}: expected {ndim} dimensions, got {array.ndim}")
    if shape is not None and array.shape != shape:
        raise FormatError(f"{name}: expected the shape {shape}, got {array.shape}")
    return array.copy()


def nest(name: str, state: State) -> dict[str, Array]:
    """Prefix the arrays of an inner sketch with its name."""
    return {f"{name}.{inner}": array for inner, array in state.items()}


def within(name: str, state: State) -> dict[str, Array]:
    """Return the arrays of one inner sketch: the inverse of `nest`."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): array for k, array in state.items() if k.startswith(prefix)}


def demand(is_sound: object, complaint: str) -> None:
    """Raise FormatError(complaint) unless `is_sound` is true."""
    if not is_sound:
        raise FormatError(complaint)


def _make_portable(array: Array) -> Array:
    """Convert an array to the form in which it is written: little-endian, C order."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    if little.dtype.str not in _TYPES:
        raise TypeError(f"a state holds float64, int64 or bytes, not {array.dtype.name}")
    return little


def _read_layout(kind: str, line: bytes) -> _Layout:
    try:
        header = json.loads(line)
        written_kind, version, arrays = header["mlmonitor"], header["version"], header["arrays"]
        layout = [(str(name), str(dtype), tuple(shape)) for name, dtype, shape in arrays]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError(
            f"{kind}: its header cannot be read: the bytes are damaged, or of another file"
        ) from None
    demand(written_kind == kind, f"{kind}: the bytes hold something else")
    demand(
        version == VERSION,
        f"{kind}: only version {VERSION} can be read; use the release of mlmonitor that wrote it",
    )
    for name, dtype, shape in layout:
        is_ours = dtype in _TYPES and len(shape) <= _DIMENSIONS and all(map(_is_length, shape))
        # If one length is 0 the others are unbounded, but numpy refuses sizes it cannot address.
        demand(
            is_ours and math.prod(filter(None, shape)) < _LENGTH,
            f"{kind}.{name}: not an array that mlmonitor writes",
        )
    demand(len({name for name, _, _ in layout}) == len(layout), f"{kind}: expected each array once")
    return layout


def _is_length(size: object) -> bool:
    return type(size) is int and 0 <= size < _LENGTH
