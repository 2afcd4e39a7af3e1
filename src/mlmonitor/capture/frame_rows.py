"""One-row frames of pandas, the commonest input of a scikit-learn service, as rows of an array.

A frame of one row costs as much to copy, join and read as one of hundreds. Its values in one array
cost a tenth, and frames with the same columns are rows of one table. pandas is not imported.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlmonitor.capture.values import EXACT_INTEGERS

_FLOAT_BYTES = 8  # of the widest floats whose values can be read at once


def copy_frame_row(frame: Any) -> np.ndarray[Any, Any] | None:
    """The values of a frame of one row, `[1, columns]`; None if that would change one.

    Columns of several types of numbers become floats, others Python objects: names and numbers are
    the same.
    Price: 3 us for columns of one type, 30 us for others.
    """
    values: np.ndarray[Any, Any] = frame.to_numpy(copy=True)
    match values.dtype.kind:
        case "O" | "b" | "i" | "u":
            return values
        case "f" if values.dtype.itemsize <= _FLOAT_BYTES:
            may_be_rounded = (np.abs(values) >= EXACT_INTEGERS).any()
            return None if may_be_rounded else values
        case _:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class FrameLayout:
    """What frames must share to be rows of one table: the labels of their columns, and a type."""

    columns: Any
    dtype: np.dtype[Any]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FrameLayout)
            and self.dtype == other.dtype
            and _have_same_labels(self.columns, other.columns)
        )

    def __hash__(self) -> int:
        return hash(self.dtype)  # labels may have none


def _have_same_labels(columns: Any, others: Any) -> bool:
    """Whether two indexes have equal texts; a label of another type is never compared.

    Price: 2 us for the texts of pandas 3, else a list of both.
    """
    if columns is others:
        return True
    try:
        ours, theirs = columns.array, others.array
        if type(ours) is type(theirs) and hasattr(ours, "__arrow_array__"):
            return bool(ours.__arrow_array__().equals(theirs.__arrow_array__()))
        labels, other_labels = columns.tolist(), others.tolist()
        has_texts = all(type(label) is str for label in (*labels, *other_labels))
        return has_texts and bool(labels == other_labels)
    except Exception:  # noqa: BLE001 - a hostile label: the frame is read alone
        return False


def column_names(columns: Any) -> list[str] | None:
    """The labels as texts; None if two columns have one name."""
    names = [str(label) for label in columns.tolist()]
    return names if len(set(names)) == len(names) else None
