"""Columns of pandas, polars and pyarrow as arrays, codes or lists, with every value unchanged.

Integers stay exact even if the column has missing values; datetimes keep their unit and are in UTC.
None of these libraries is imported.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mlmonitor.capture.values import EXACT_INTEGERS, CodedValues, Values, plain_values, unmask

_INTEGERS = ("int", "uint")
_FLOATS = ("float", "double", "halffloat")
_ARROW_TIMES = ("timestamp", "date", "duration")
_ARROW_TEXTS = ("string", "large_string")
_POLARS_TIMES = ("Datetime", "Date", "Duration")
_EXACT_BITS = 32  # integers of at most this many bits are floats without loss
_MOST_SHARED = 10_000  # a shared dictionary with more unused categories is not read


def column_values(column: Any) -> Values:
    """The values of a column or array: an array if numpy has their type, else a list.

    Price: no copy if possible, so the array may share memory with the column.
    """
    values = read_column(column)
    return values.to_list() if isinstance(values, CodedValues) else values


def read_column(column: Any) -> Values:
    """Like `column_values`, but return categories, and texts where cheaper, as `CodedValues`."""
    if isinstance(column, np.ndarray):
        return unmask(column)
    package = type(column).__module__.partition(".")[0]
    if package == "narwhals":
        return read_column(column.to_native())
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


def copy_coded_column(column: Any) -> Values:
    """Like `read_column`, but a copy that shares no memory with the column."""
    values = read_column(column)
    return values.copy() if isinstance(values, np.ndarray | CodedValues) else values


def _read_pandas(column: Any) -> Values:
    dtype, array = column.dtype, getattr(column, "array", column)
    if isinstance(dtype, np.dtype):
        return np.asarray(column)
    codes = getattr(array, "codes", None)
    if codes is not None and hasattr(array, "categories"):
        return CodedValues(_list_distinct(array.categories), np.asarray(codes))
    if hasattr(dtype, "pyarrow_dtype"):
        return _read_arrow(array.__arrow_array__())
    if hasattr(dtype, "tz"):
        return np.asarray(array.to_numpy(dtype=f"M8[{dtype.unit}]"))
    if getattr(dtype, "storage", None) == "pyarrow":  # a column of texts
        return _read_arrow(array.__arrow_array__())
    plain: Any = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))
    is_number = isinstance(plain, np.dtype) and dtype.kind in "fiub"
    return _read_extension(array, plain) if is_number else list(array.tolist())


def _list_distinct(values: Any) -> list[object]:
    """List an index or array whose values are distinct, without encoding them as codes."""
    if hasattr(values, "to_pylist"):
        is_text = str(values.type) in _ARROW_TEXTS
        return list(values.to_pylist() if is_text else plain_values(column_values(values)))
    storage = getattr(values.dtype, "storage", None)
    if storage == "pyarrow":
        return list(values.array.__arrow_array__().to_pylist())  # faster than `tolist`
    return list(values.tolist() if storage else plain_values(column_values(values)))


def _read_extension(array: Any, dtype: np.dtype[Any]) -> Values:
    """Read a pandas array of numbers or booleans that may be nullable or sparse."""
    if dtype.kind == "f":
        return np.asarray(array.to_numpy(dtype=dtype, na_value=np.nan))
    is_missing = np.asarray(array.isna())
    if not is_missing.any():
        return np.asarray(array.to_numpy(dtype=dtype))
    if dtype.kind == "b":
        return _code_booleans(array.to_numpy(dtype=dtype, na_value=False), is_missing)
    floats = _fill_gaps(_get_data(array, dtype), is_missing)
    return list(array.tolist()) if floats is None else floats


def _get_data(array: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The numbers of a pandas array, with arbitrary numbers in place of missing ones."""
    data = getattr(array, "_data", None)  # saves a copy; the attribute is internal to pandas
    if type(data) is np.ndarray and data.dtype == dtype and data.shape == (len(array),):
        return data
    return np.asarray(array.to_numpy(dtype=dtype, na_value=0))


def _fill_gaps(integers: np.ndarray[Any, Any], is_missing: Any) -> np.ndarray[Any, Any] | None:
    """Integers with gaps as floats, NaN where missing; None if one is too large for that."""
    floats = integers.astype(np.float64)
    np.copyto(floats, np.nan, where=is_missing)
    is_wide = integers.dtype.itemsize * 8 > _EXACT_BITS
    return None if is_wide and (np.abs(floats) >= EXACT_INTEGERS).any() else floats


def _code_booleans(values: Any, is_missing: Any) -> CodedValues:
    return CodedValues([False, True], np.where(is_missing, np.int8(-1), np.asarray(values, "i1")))


def _convert_exactly(values: Any) -> np.ndarray[Any, Any] | None:
    """Convert integers with missing values to floats; None if one is too large to stay exact."""
    floats = np.asarray(values, np.float64)
    return None if (np.abs(floats) >= EXACT_INTEGERS).any() else floats


def _read_polars(column: Any) -> Values:
    dtype = _name_polars_type(column.dtype)
    lower = dtype.lower()
    if dtype.startswith(("Categorical", "Enum", "String")):
        return _read_polars_coded(column)
    is_integer = lower.startswith(_INTEGERS) and not lower.endswith("128")  # not in numpy
    is_exact = (is_integer or dtype == "Boolean") and not column.null_count()
    if is_exact or lower.startswith("float") or dtype.startswith(_POLARS_TIMES):
        return np.asarray(column.to_numpy())
    if dtype == "Boolean":
        is_missing = column.is_null().to_numpy()
        return _code_booleans(column.fill_null(value=False).to_numpy(), is_missing)
    floats = _convert_exactly(column.to_numpy()) if is_integer else None
    return list(column.to_list()) if floats is None else floats


def _name_polars_type(dtype: Any) -> str:
    """Return the name of a type, which may be a class, without its parameters."""
    kind = dtype if isinstance(dtype, type) else type(dtype)
    return kind.__name__


def _read_polars_coded(column: Any) -> Values:
    """Read categories and texts as codes if the host has imported pyarrow, else as a list.

    Columns may share one dictionary of all categories in the process. A column that uses only a
    small part of such a dictionary is also read as a list.
    """
    if "pyarrow" not in sys.modules:
        return list(column.to_list())
    coded = column.to_arrow()
    is_shared = hasattr(coded, "dictionary") and len(coded.dictionary) > len(coded) + _MOST_SHARED
    return list(column.to_list()) if is_shared else _read_arrow(coded)


def _read_arrow(column: Any) -> Values:
    dtype = str(column.type)
    if dtype.startswith("dictionary"):
        return _read_dictionary(column)
    if dtype in _ARROW_TEXTS:
        return _read_arrow_texts(column)
    is_integer = dtype.startswith(_INTEGERS)
    is_exact = (is_integer or dtype.startswith("bool")) and not column.null_count
    if is_exact or dtype.startswith((*_FLOATS, *_ARROW_TIMES)):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if dtype.startswith("bool"):
        is_missing = column.is_null().to_numpy(zero_copy_only=False)
        return _code_booleans(
            column.fill_null(False).to_numpy(zero_copy_only=False),  # noqa: FBT003 - the value
            is_missing,
        )
    floats = _read_arrow_integers(column) if is_integer else None
    return list(column.to_pylist()) if floats is None else floats  # others would lose nulls


def _read_arrow_integers(column: Any) -> np.ndarray[Any, Any] | None:
    """Read integers with gaps from the data buffer and the validity bitmap."""
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    if len(chunks) != 1:
        return _convert_exactly(column.to_numpy(zero_copy_only=False))
    (chunk,) = chunks
    bits, numbers = chunk.buffers()
    start, stop = chunk.offset, chunk.offset + len(chunk)
    integers = np.frombuffer(numbers, chunk.type.to_pandas_dtype(), stop)[start:]
    is_given = np.unpackbits(np.frombuffer(bits, np.uint8), count=stop, bitorder="little")[start:]
    return _fill_gaps(integers, is_given == 0)


def _read_arrow_texts(column: Any) -> Values:
    try:
        return _read_dictionary(column.dictionary_encode())
    except NotImplementedError:  # pyarrow cannot encode this type
        return list(column.to_pylist())


def _read_dictionary(column: Any) -> Values:
    """Read a dictionary column as codes; each of its chunks has its own dictionary."""
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    if len(chunks) == 1:
        return CodedValues(_list_distinct(chunks[0].dictionary), _read_codes(chunks[0].indices))
    categories: list[object] = []
    parts = [np.empty(0, np.int64)]
    for chunk in chunks:
        codes = _read_codes(chunk.indices).astype(np.int64)
        parts.append(np.where(codes < 0, -1, codes + len(categories)))
        categories += _list_distinct(chunk.dictionary)
    return CodedValues(categories, np.concatenate(parts))


def _read_codes(indices: Any) -> np.ndarray[Any, Any]:
    """Convert indices to an array, with -1 where one is missing."""
    if indices.null_count:
        indices = indices.cast("int64").fill_null(-1)
    return np.asarray(indices.to_numpy(zero_copy_only=False))


_READERS: dict[str, Callable[[Any], Values]] = {
    "pandas": _read_pandas,
    "polars": _read_polars,
    "pyarrow": _read_arrow,
}
