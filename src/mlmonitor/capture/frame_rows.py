"""One-row pandas frames, the usual input of a scikit-learn service, copied as rows of an array.

Copying, joining and reading a frame costs as much for one row as for hundreds. Copying its values
to one array costs a tenth of that, and frames with the same columns become rows of one table.
pandas is not imported.
"""

from typing import Any

import numpy as np

from mlmonitor.capture.values import EXACT_INTEGERS

_FLOAT_BYTES = 8  # a frame of wider floats is not copied as an array


def copy_frame_row(frame: Any) -> np.ndarray[Any, Any] | None:
    """Copy the values of a one-row frame, `[1, columns]`; None if a value might change.

    Numeric columns of different types become floats; any other mixture becomes Python objects. The
    names and numbers that are read from the values stay the same.
    Price: 1 us for numbers of one type, 10 us for numbers, booleans and texts, 50 us for others.
    """
    copied = _copy_blocks(frame)
    if copied is not None:
        return copied
    values: np.ndarray[Any, Any] = frame.to_numpy(copy=True)
    match values.dtype.kind:
        case "O" | "b" | "i" | "u":
            return values
        case "f" if values.dtype.itemsize <= _FLOAT_BYTES:
            may_be_rounded = (np.abs(values) >= EXACT_INTEGERS).any()
            return None if may_be_rounded else values
        case _:
            return None


def _copy_blocks(frame: Any) -> np.ndarray[Any, Any] | None:
    """Copy the values from the arrays in which pandas keeps the columns of each type.

    Returns None if a column is neither numbers, booleans, objects nor texts, or if all are numbers
    of different types. These arrays are internal to pandas: None if they are not as expected.
    """
    try:
        blocks = frame._mgr.blocks  # noqa: SLF001 - see above
        if len(blocks) == 1:
            values = blocks[0].values
            return values.T.copy() if _is_plain(values) else None
        row, kinds = np.empty((1, len(frame.columns)), object), set[str]()
        for block in blocks:
            values, kind = _read_block(block.values)
            row[0, block.mgr_locs.indexer] = values
            kinds.add(kind)
    except Exception:  # noqa: BLE001 - another version of pandas, or another type of column
        return None
    return row if kinds & {"b", "O"} else None


def _read_block(values: Any) -> tuple[Any, str]:
    """Return the only row of a block, and the kind of its type.

    Raises:
        TypeError: it holds neither numbers, booleans, objects nor texts, or holds a missing text.
    """
    if _is_plain(values):
        return values[:, 0], values.dtype.kind
    if getattr(values.dtype, "storage", None) == "pyarrow":
        texts = values.__arrow_array__()
        if not texts.null_count:
            return texts.to_pylist(), "O"
    raise TypeError("expected numbers, booleans, objects or texts")


def _is_plain(values: Any) -> bool:
    return (
        type(values) is np.ndarray
        and values.dtype.kind in "fiubO"
        and values.dtype.itemsize <= _FLOAT_BYTES
        and values.ndim == 2
    )


class FrameLayout:
    """The column labels and the dtype that frames must share to be rows of one table."""

    __slots__ = ("columns", "dtype")

    def __init__(self, columns: Any, dtype: np.dtype[Any]) -> None:
        self.columns: Any = columns
        self.dtype: np.dtype[Any] = dtype

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FrameLayout)
            and self.dtype == other.dtype
            and _have_same_labels(self.columns, other.columns)
        )

    def __hash__(self) -> int:
        return hash(self.dtype)  # labels may have none


def _have_same_labels(columns: Any, others: Any) -> bool:
    """Whether two indexes hold equal texts; labels of other types are never compared.

    Price: 2 us for the text index of pandas 3, otherwise a conversion of both to lists.
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
    """Return the labels as texts; None if two columns share a name."""
    names = [str(label) for label in columns.tolist()]
    return names if len(set(names)) == len(names) else None
