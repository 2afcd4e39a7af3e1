"""Copies of data frames from pandas, polars, pyarrow and every library that narwhals reads.

No frame library is imported here; the module of an object's type names its library.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.errors import SchemaError

_PACKAGES = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})
JOINED_ROWS = 64
"""Frames with more rows are read one by one."""


def package_of(kind: type) -> str | None:
    """The frame library that defines `kind`; None if none does."""
    package = kind.__module__.partition(".")[0]
    return package if package in _PACKAGES else None


def is_frame(kind: type) -> bool:
    """Whether objects of this type are frames, eager or lazy."""
    return package_of(kind) is not None and hasattr(kind, "columns")


def find_twice(columns: Iterable[object]) -> str | None:
    """Return a name that two columns of a frame share; None if there is none."""
    names = list(map(str, columns))
    return next((name for name in names if names.count(name) > 1), None)


def get_only_column(what: str, frame: Any) -> Any:
    """Return the only column of a frame.

    what: the name of the argument, for messages.

    Raises:
        SchemaError: the frame has several columns or none, or is not in memory.
    """
    check_collected(what, frame)
    native = frame.to_native() if package_of(type(frame)) == "narwhals" else frame
    count = len(native.columns)
    if count != 1:
        raise SchemaError(
            f"{what}: expected one column, got a {type(native).__name__} of {count} columns: pass "
            "one of them, such as frame['name']"
        )
    return native.column(0) if package_of(type(native)) == "pyarrow" else native[native.columns[0]]


def check_collected(what: str, value: object) -> None:
    """Raise SchemaError if `value` is a frame that is not in memory, such as polars' LazyFrame."""
    kind = type(value)
    if is_frame(kind) and not hasattr(kind, "__len__"):
        raise SchemaError(
            f"{what}: expected a frame in memory, got a {kind.__name__}: collect it first, "
            "as in lazy.collect()"
        )


def frame_owner(kind: type) -> Callable[[Any], Any]:
    """Return a function that makes a deep copy of a frame of this type.

    A polars or pyarrow frame may share memory with the array it was built from, and the library's
    own copies share it too. Gathering all rows makes a real copy.
    """
    match package_of(kind):
        case "narwhals":
            return _own_native
        case "polars":
            return lambda frame: frame[np.arange(len(frame))]
        case "pyarrow":
            return _own_arrow
        case _:
            return lambda frame: frame.copy()


def _own_native(frame: Any) -> Any:
    native = frame.to_native()
    return frame_owner(type(native))(native)


def _own_arrow(frame: Any) -> Any:
    """Gather all rows; rebuild columns that pyarrow cannot gather, such as string views."""
    pyarrow: Any = sys.modules["pyarrow"]
    table = pyarrow.table(frame)
    places = np.arange(len(table))
    try:
        return table.take(places)
    except pyarrow.ArrowNotImplementedError:
        columns = [_own_arrow_column(pyarrow, column, places) for column in table.columns]
        return pyarrow.table(columns, names=table.column_names)


def _own_arrow_column(pyarrow: Any, column: Any, places: np.ndarray[Any, Any]) -> Any:
    try:
        return column.take(places)
    except pyarrow.ArrowNotImplementedError:
        return pyarrow.array(column.to_pylist())


def likeness(frame: Any) -> object:
    """Return a key that is equal for frames that can be joined without changing a value.

    A frame of many rows, or of a library not handled here, gets a unique key. Labels are compared
    by type and text: `1` and `True` are two columns, and a label's own `__eq__` is never called.
    """
    try:
        if len(frame) <= JOINED_ROWS:
            match package_of(type(frame)):
                case "pandas":
                    labels = [(type(label), str(label)) for label in frame.columns]
                    return type(frame), labels, [*map(str, frame.dtypes)]
                case "polars" | "pyarrow":
                    return type(frame), str(frame.schema)
    except Exception:  # noqa: BLE001 - a label that raises when it is printed: read it alone
        return object()
    return object()


def join_frames(frames: Sequence[Any]) -> Any:
    """Join frames with equal keys to a single frame, in order."""
    if len(frames) == 1:
        return frames[0]
    package = package_of(type(frames[0]))
    library = sys.modules[str(package)]
    match package:
        case "pandas":
            return library.concat(frames, ignore_index=True)
        case "pyarrow":
            return library.concat_tables(frames)
        case _:
            return library.concat(frames)


def series_row(series: Any) -> dict[Any, Any] | tuple[Any, ...]:
    """Convert a Series to one row: values by name, or by position if its index is a range."""
    index = getattr(series, "index", None)
    if index is None or type(index).__name__ == "RangeIndex":
        return tuple(series.to_list())
    values_by_name: dict[Any, Any] = series.to_dict()
    return values_by_name


def is_prediction_frame(value: Any) -> bool:
    """Whether a result is a data frame, of any library."""
    return hasattr(value, "columns") and hasattr(value, "shape") and not isinstance(value, Mapping)
