"""Split rows by the values of some of their columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.errors import SchemaError
from mlmonitor.records import Counts

Key = tuple[Any, ...]
"""The values of the columns that rows are split by; None for a missing value."""


class KeyRows(NamedTuple):
    """The positions of the rows with one key, ascending."""

    key: Key
    places: Counts


def find_keys(rows: Any, by: Sequence[str]) -> list[KeyRows]:
    """Return the positions of the rows of each key in a pandas frame or an arrow table.

    NaN counts as missing: its rows have the key None. Price: one sort of small integers.

    Raises:
        SchemaError: a column holds values that have no common type.
    """
    if not len(rows):
        return []
    is_arrow = hasattr(rows, "column_names")
    encoded = [_encode(name, rows.column(name) if is_arrow else rows[name]) for name in by]
    codes = np.zeros(len(rows), np.int64)
    for own, values in encoded:
        codes = np.unique(codes * len(values) + own, return_inverse=True)[1]
    _, firsts, counts = np.unique(codes, return_index=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    keys = [tuple(values[own[first]] for own, values in encoded) for first in firsts]
    return [
        KeyRows(*pair) for pair in zip(keys, np.split(order, np.cumsum(counts)[:-1]), strict=True)
    ]


def select_rows_at(rows: Any, places: Counts, left_out: Sequence[str] = ()) -> Any:
    """Return the rows at `places`, without some columns; no copy if all rows are selected."""
    is_arrow = hasattr(rows, "column_names")
    if left_out:
        rows = rows.drop_columns(list(left_out)) if is_arrow else rows.drop(columns=list(left_out))
    if len(places) == len(rows):
        return rows
    return rows.take(places) if is_arrow else rows.iloc[places]


def _encode(name: str, column: Any) -> tuple[Counts, list[Any]]:
    """Return the code of each row and the value of each code; the last code stands for None."""
    import pyarrow as pa

    try:
        array = (
            column if isinstance(column, pa.ChunkedArray) else pa.array(column, from_pandas=True)
        )
        whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    except pa.ArrowException:  # its message holds a value
        raise SchemaError(
            f"by: expected values of one type in column {name!r}, such as texts or dates"
        ) from None
    values = [None if value != value else value for value in encoded.dictionary.to_pylist()]  # noqa: PLR0124 - NaN
    values.append(None)
    codes = encoded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), values
