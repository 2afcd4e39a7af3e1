"""Columns of pandas, polars and pyarrow as arrays or lists, with every value unchanged.

Integers stay exact beside missing values; datetimes keep their unit and are in UTC. No library is
imported.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlmonitor.capture.values import Values, unmask

_INTEGERS = ("int", "uint")
_FLOATS = ("float", "double", "halffloat")
_ARROW_TIMES = ("timestamp", "date", "duration")
_POLARS_TIMES = ("Datetime", "Date", "Duration")


def column_values(column: Any) -> Values:
    """The values of a column or array: an array if numpy has their type, else a list.

    Price: an array may be a view of the column's memory; `copy_column` is not.
    """
    if isinstance(column, np.ndarray):
        return unmask(column)
    package = type(column).__module__.partition(".")[0]
    if package == "narwhals":
        return column_values(column.to_native())
    reader = _READERS.get(package)
    if reader is not None:
        return reader(column)
    if hasattr(column, "to_pylist"):
        return list(column.to_pylist())
    if hasattr(column, "to_numpy"):
        return np.asarray(column.to_numpy())
    return list(column.to_list() if hasattr(column, "to_list") else column.tolist())


def copy_column(column: Any) -> Values:
    """Like `column_values`, but a copy that shares no memory with the column."""
    values = column_values(column)
    return values.copy() if isinstance(values, np.ndarray) else values


def _read_pandas(column: Any) -> Values:
    dtype, array = column.dtype, getattr(column, "array", column)
    if isinstance(dtype, np.dtype):
        return np.asarray(column)
    if hasattr(array, "codes") and hasattr(array, "categories"):
        return _pick(column_values(array.categories), np.asarray(array.codes))
    if hasattr(dtype, "pyarrow_dtype"):
        return _read_arrow(array.__arrow_array__())
    if hasattr(dtype, "tz"):
        return np.asarray(array.to_numpy(dtype=f"M8[{dtype.unit}]"))
    plain: Any = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))
    is_number = isinstance(plain, np.dtype) and dtype.kind in "fiub"
    return _read_extension(array, plain) if is_number else list(array.tolist())


def _read_extension(array: Any, dtype: np.dtype[Any]) -> Values:
    """Read a pandas array of numbers or booleans that may be nullable or sparse."""
    if dtype.kind == "f":
        return np.asarray(array.to_numpy(dtype=dtype, na_value=np.nan))
    return list(array.tolist()) if array.isna().any() else np.asarray(array.to_numpy(dtype=dtype))


def _read_polars(column: Any) -> Values:
    dtype = str(column.dtype)
    lower = dtype.lower()
    is_exact = lower.startswith((*_INTEGERS, "bool")) and not column.null_count()
    is_exact = is_exact and not lower.endswith("128")  # numpy has no integers of 128 bits
    if is_exact or lower.startswith("float") or dtype.startswith(_POLARS_TIMES):
        return np.asarray(column.to_numpy())
    return list(column.to_list())


def _read_arrow(column: Any) -> Values:
    dtype = str(column.type)
    if dtype.startswith("dictionary"):
        return _read_dictionary(column)
    is_exact = dtype.startswith((*_INTEGERS, "bool")) and not column.null_count
    if is_exact or dtype.startswith((*_FLOATS, *_ARROW_TIMES)):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    return list(column.to_pylist())  # pyarrow's own conversion to numpy loses nulls


def _read_dictionary(column: Any) -> Values:
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    values: list[object] = []
    for chunk in chunks:
        codes = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        values += _pick(column_values(chunk.dictionary), codes.astype(np.int64))
    return values


def _pick(categories: Values, codes: np.ndarray[Any, Any]) -> list[object]:
    """Return the category of each code, None for -1; costs one numpy index and a list."""
    listed = list(categories)
    table = np.empty(len(listed) + 1, object)
    for code, category in enumerate(
        listed
    ):  # not in one step: numpy would unpack categories that have a length
        table[code] = category
    picked: list[object] = table[codes].tolist()
    return picked


_READERS: dict[str, Callable[[Any], Values]] = {
    "pandas": _read_pandas,
    "polars": _read_polars,
    "pyarrow": _read_arrow,
}
