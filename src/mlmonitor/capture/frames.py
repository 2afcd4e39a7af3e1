"""Data frames and their columns, copied: from pandas, polars, pyarrow and whatever narwhals reads.

No frame library is imported here; what came tells by its type where it is from.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.values import Values

_PACKAGES = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})
JOINED_ROWS = 64
"""Frames of more rows are worth reading one by one."""

_ARROW_NUMBERS = ("int", "uint", "float", "double", "halffloat")


def package_of(kind: type) -> str | None:
    """The frame library that `kind` is from, if it is from one."""
    package = kind.__module__.partition(".")[0]
    return package if package in _PACKAGES else None


def is_frame(kind: type) -> bool:
    """Whether objects of this type are frames, in memory or not."""
    return package_of(kind) is not None and hasattr(kind, "columns")


def frame_owner(kind: type) -> Callable[[Any], Any]:
    """A function that makes a frame of this type one's own, down to its memory.

    Polars and pyarrow may share theirs with the array that a frame was made of, and so does their
    own way to copy a frame: all rows are taken instead.
    """
    match package_of(kind):
        case "narwhals":
            return _native
        case "polars":
            return lambda frame: frame[np.arange(len(frame))]
        case "pyarrow":
            table = sys.modules["pyarrow"].table
            return lambda frame: table(frame).take(np.arange(len(frame)))
        case _:
            return lambda frame: frame.copy()


def _native(frame: Any) -> Any:
    native = frame.to_native()
    return frame_owner(type(native))(native)


def likeness(frame: Any) -> object:
    """What frames share that can be joined without a change to any value: columns and types.

    A frame of many rows, or of a library that is not known so well, is like no other. Labels are
    told apart as their texts are: `1` and `True` are two columns, and no code of a label's own runs
    when likenesses are compared.
    """
    try:
        if len(frame) <= JOINED_ROWS:
            match package_of(type(frame)):
                case "pandas":
                    labels = [(type(label), str(label)) for label in frame.columns]
                    return type(frame), labels, [*map(str, frame.dtypes)]
                case "polars" | "pyarrow":
                    return type(frame), str(frame.schema)
    except Exception:  # noqa: BLE001 - a label that raises when it is told: read it alone
        return object()
    return object()


def joined(frames: Sequence[Any]) -> Any:
    """Frames that are alike as one, in their order."""
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
    named: dict[Any, Any] = series.to_dict()
    return named


def column_values(column: Any) -> Values:
    """A column of its own, copied: an array where numpy has its type, else Python objects."""
    if not hasattr(column, "to_pylist"):
        return np.array(column.to_numpy())
    if str(column.type).startswith(_ARROW_NUMBERS):
        return np.array(column.to_numpy(zero_copy_only=False))
    listed: list[object] = column.to_pylist()  # its way to numpy loses the nulls of a dictionary
    return listed


def narwhals_values(column: Any) -> Values:
    """A column of a frame that narwhals reads; integers with gaps among them stay exact."""
    dtype = str(column.dtype)
    has_null = dtype.startswith(("Float", "Datetime", "Duration"))
    if has_null or (dtype.startswith(("Int", "UInt")) and not column.is_null().any()):
        return np.asarray(column.to_numpy())
    return list(column.to_list())


def is_prediction_frame(value: Any) -> bool:
    """Whether a result is a data frame, of whatever library."""
    return hasattr(value, "columns") and hasattr(value, "shape") and not isinstance(value, Mapping)
