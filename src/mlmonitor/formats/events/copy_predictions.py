"""Encode predictions column by column for PostgreSQL's binary COPY.

The result equals that of `encode_copy`, which encodes row by row, and takes a fifth of the time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby, repeat
from typing import Any

import numpy as np

from mlmonitor.formats.events.copy_format import (
    COPY_END,
    COPY_HEAD,
    STAGING_COLUMNS,
    choose_writer,
    pack_length,
)
from mlmonitor.formats.events.prediction_block import PredictionBlock

_EPOCH = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970
_START = np.dtype(
    [
        ("columns", ">i2"),
        ("version_bytes", ">i4"),
        ("version", ">i8"),
        ("id_bytes", ">i4"),
        ("id", "V16"),
        ("time_bytes", ">i4"),
        ("time", ">i8"),
    ]
)
"""The first columns of a row, which are never null and so have one size in all rows."""
_STARTING = ("schema_version", "event_id", "time")
_FEW = 4
"""If a column has this many rows per distinct value, each distinct value is encoded once."""

Cells = bytes | Sequence[bytes]
"""The cells of a column: one that all rows share, or one for each row."""


def encode_predictions(block: PredictionBlock) -> bytes:
    """Encode predictions for `COPY ... FROM STDIN (FORMAT binary)`.

    Price: 2 us a row of 20 features.
    """
    if not block.rows:
        return COPY_HEAD + COPY_END
    columns = [_build_starts(block), *_build_cells(block)]
    rows = zip(*_merge_shared(columns), strict=False)  # shared columns are repeated infinitely
    return b"".join([COPY_HEAD, *chain.from_iterable(rows), COPY_END])


def _build_starts(block: PredictionBlock) -> Sequence[bytes]:
    starts = np.empty(block.rows, _START)
    starts["columns"] = len(STAGING_COLUMNS["prediction"])
    starts["version_bytes"] = starts["time_bytes"] = 8
    starts["id_bytes"] = 16
    starts["version"] = block.columns.schema_version
    starts["id"] = np.ascontiguousarray(block.uuids).view("V16").reshape(-1)
    starts["time"] = block.microseconds - _EPOCH
    packed, size = starts.tobytes(), _START.itemsize
    return [packed[at : at + size] for at in range(0, len(packed), size)]


def _build_cells(block: PredictionBlock) -> Iterator[Cells]:
    """Yield the encoded columns, except those that `_START` contains."""
    for column in STAGING_COLUMNS["prediction"]:
        if column.field in _STARTING:
            continue
        values = getattr(block.columns, column.field)
        if column.field == "features":
            written = [*map(bytes, values)]
            yield [pack_length(len(features) + 1) + b"\x01" for features in written]
            yield written
        else:
            yield _write(values, choose_writer(column), is_hashable=column.type != "jsonb")


def _write(values: Sequence[Any], write: Callable[[Any], bytes], *, is_hashable: bool) -> Cells:
    if values.count(values[0]) == len(values) and not _has_equal_types(values[0]):
        return write(values[0])
    if is_hashable and isinstance(values[0], str | None):
        distinct = set(values)
        if len(distinct) * _FEW <= len(values) and not any(map(_has_equal_types, distinct)):
            cells = {value: write(value) for value in distinct}
            return [*map(cells.__getitem__, values)]
    return [*map(write, values)]


def _has_equal_types(value: object) -> bool:
    """Whether a value may equal another that is encoded differently, as 1 equals 1.0 and True.

    0.0 and -0.0 are another example. A mapping may contain such values.
    """
    return isinstance(value, int | float) or (isinstance(value, Mapping) and bool(value))


def _merge_shared(columns: Sequence[Cells]) -> Iterator[Any]:
    """Concatenate adjacent columns of one value each, which are `bytes` and not lists."""
    for is_shared, group in groupby(columns, lambda cells: isinstance(cells, bytes)):
        if is_shared:
            yield repeat(b"".join(group))  # type: ignore[arg-type]  # all are bytes
        else:
            yield from group
