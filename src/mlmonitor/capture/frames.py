"""Data frames, copied: from pandas, polars, pyarrow and all others that narwhals reads.

No frame library is imported here; an object's type says which one it is from.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.errors import SchemaError

_PACKAGES = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})
JOINED_ROWS = 64
"""Frames of more rows are read one by one."""


def package_of(kind: type) -> str | None:
    """The frame library that `kind` is from, if it is from one."""
    package = kind.__module__.partition(".")[0]
    return package if package in _PACKAGES else None


def is_frame(kind: type) -> bool:
    """Whether objects of this type are frames, in memory or not."""
    return package_of(kind) is not None and hasattr(kind, "columns")


def check_collected(what: str, value: object) -> None:
    """Raise SchemaError if `value` is a frame that is not in memory, such as polars' LazyFrame."""
    kind = type(value)
    if is_frame(kind) and not hasattr(kind, "__len__"):
        raise SchemaError(
            f"{what}: expected a frame in memory, got a {kind.__name__}: collect it first, "
            "as in lazy.collect()"
        )


def frame_owner(kind: type) -> Callable[[Any], Any]:
    """A function that copies a frame of this type, down to its memory.

    Polars and pyarrow may share memory with the array that a frame was built from, and their own
    copies share it too: all rows are gathered instead.
    """
    match package_of(kind):
        case "narwhals":
            return _own_native
        case "polars":
            return lambda frame: frame[np.arange(len(frame))]
        case "pyarrow":
            table = sys.modules["pyarrow"].table
            return lambda frame: table(frame).take(np.arange(len(frame)))
        case _:
            return lambda frame: frame.copy()


def _own_native(frame: Any) -> Any:
    native = frame.to_native()
    return frame_owner(type(native))(native)


def likeness(frame: Any) -> object:
    """A key that frames share if they can be joined without a change to any value.

    A frame of many rows, or of a library that is less well known here, is like no other. Labels are
    compared by type and text: `1` and `True` are two columns, and no code of a label's own runs.
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
    """Frames of one likeness as a single frame, in their order."""
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
    """One row of a frame: by name, unless its index only counts."""
    index = getattr(series, "index", None)
    if index is None or type(index).__name__ == "RangeIndex":
        return tuple(series.to_list())
    values_by_name: dict[Any, Any] = series.to_dict()
    return values_by_name


def is_prediction_frame(value: Any) -> bool:
    """Whether a result is a data frame, of any library."""
    return hasattr(value, "columns") and hasattr(value, "shape") and not isinstance(value, Mapping)
