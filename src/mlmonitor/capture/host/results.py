"""Results and columns, copied down to the values that can be read from them, and no further."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mlmonitor.capture.form import PLAIN_TYPES, Copied, PayloadForm
from mlmonitor.capture.frames import (
    column_values,
    frame_owner,
    is_frame,
    is_prediction_frame,
    package_of,
)
from mlmonitor.capture.host.copiers import ROW_COPIERS, is_value
from mlmonitor.capture.outputs import Outputs, Select
from mlmonitor.capture.values import UNREADABLE, unmasked


def copy_columns(columns: Mapping[str, Any]) -> Copied:
    """Columns by name, as a batch that was scored elsewhere hands them over.

    There are as many rows as most columns have values; where no column has any, it is one row.
    """
    copies = {str(name): _frozen_column(column) for name, column in columns.items()}
    lengths = Counter(len(copy) for copy in copies.values() if is_column(copy))
    if not lengths:
        return (PayloadForm.MAPPING, 1, copies) if copies else (PayloadForm.COLUMNS, 0, copies)
    rows, _ = max(lengths.items(), key=lambda item: (item[1], item[0]))
    return PayloadForm.COLUMNS, rows, copies


def is_column(value: object) -> bool:
    """Whether a frozen value is a value a row."""
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _frozen_column(column: Any) -> Any:
    try:
        return copy_result(column)
    except Exception:  # noqa: BLE001 - a hostile column: its neighbours are kept
        return UNREADABLE


def copy_result(value: Any) -> Any:
    """`value` such that its owner can no longer change it.

    Scalars and frames stay what they are, other collections become lists or arrays, and whatever
    else names its values becomes a dict. What no output can be read from is UNREADABLE: an object
    inside an object, a container below `Freezer.DEPTH` others, elements beyond `Freezer.ELEMENTS`.
    """
    kind = type(value)
    if kind in PLAIN_TYPES:
        return value
    if kind is list and PLAIN_TYPES.issuperset(map(type, value)):
        return value.copy()
    if kind is dict and PLAIN_TYPES.issuperset(map(type, value.values())):
        return value.copy()
    if kind is np.ndarray:
        return _frozen_array(value)
    return Freezer().frozen(value, 0, is_inside=False)


class Freezer:
    """Copies one result, however large the web of objects is that it refers to.

    Price: it looks at the elements of a result and of its rows or columns once each; below them,
        and inside an object, at no more than `ELEMENTS`.
    """

    DEPTH = 2
    ELEMENTS = 100_000

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = self.ELEMENTS

    def frozen(self, value: Any, depth: int, *, is_inside: bool) -> Any:
        """A copy of `value`, which lies in `depth` containers and perhaps inside an object."""
        kind = type(value)
        if kind in PLAIN_TYPES:
            return value
        try:
            if kind is list or kind is tuple:
                # most of what is not plain comes here, once a row: no step that can be saved
                is_free = depth < self.DEPTH and not is_inside
                if is_free and PLAIN_TYPES.issuperset(map(type, value)):
                    return list(value)
                return self._list(value, depth, is_inside=is_inside)
            return value if is_value(kind) else self._collection(value, depth, is_inside=is_inside)
        except Exception:
            if depth == 0:
                raise
            return UNREADABLE  # a hostile one among others: its neighbours are kept

    def _collection(self, value: Any, depth: int, *, is_inside: bool) -> Any:
        kind = type(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth, is_inside=is_inside)
        if isinstance(value, np.ndarray) or package_of(kind) is not None:
            return _frozen_table(value)
        if _is_row(kind):
            return UNREADABLE if is_inside else self._row(value, depth)
        if hasattr(kind, "__array__"):
            return _frozen_array(np.array(value))
        return self._list(value, depth, is_inside=is_inside)

    def _mapping(self, value: Mapping[Any, Any], depth: int, *, is_inside: bool) -> Any:
        if not self._may_copy(value, depth, is_inside=is_inside):
            return UNREADABLE
        return {
            key: self.frozen(item, depth + 1, is_inside=is_inside) for key, item in value.items()
        }

    def _list(self, values: Collection[Any], depth: int, *, is_inside: bool) -> Any:
        if not self._may_copy(values, depth, is_inside=is_inside):
            return UNREADABLE
        if PLAIN_TYPES.issuperset(map(type, values)):
            return list(values)
        return [self.frozen(value, depth + 1, is_inside=is_inside) for value in values]

    def _row(self, row: Any, depth: int) -> Any:
        """An object as a dict of its values, a tensor as an array."""
        form, _, payload = ROW_COPIERS[type(row)](row)
        match form:
            case PayloadForm.MAPPING:
                if not self._may_copy(payload, depth, is_inside=False):
                    return UNREADABLE
                return {
                    key: self.frozen(item, depth + 1, is_inside=True)
                    for key, item in payload.items()
                }
            case PayloadForm.MAPPINGS | PayloadForm.SEQUENCE | PayloadForm.SEQUENCES:
                return self._list(payload, depth, is_inside=False)
            case PayloadForm.MATRIX:
                return payload
            case PayloadForm.ARRAY:
                return np.frombuffer(payload[1], payload[0])
            case _:
                return UNREADABLE

    def _may_copy(self, values: Collection[Any], depth: int, *, is_inside: bool) -> bool:
        """Whether there is still room for these elements; if so, it is taken."""
        if depth > self.DEPTH:
            return False
        if depth == self.DEPTH or (is_inside and depth > 0):
            size = len(values)
            if size > self._left:
                return False
            self._left -= size
        return True


def _is_row(kind: type) -> bool:
    """Whether what is of this type names its values, or is one of them, by its attributes."""
    return issubclass(kind, np.void) or not issubclass(kind, Collection) or hasattr(kind, "_fields")


def _frozen_table(value: Any) -> Any:
    """An array, a frame, or a column of one."""
    if isinstance(value, np.ndarray):
        return _frozen_array(unmasked(value))
    return frame_owner(type(value))(value) if is_frame(type(value)) else column_values(value)


def _frozen_array(array: np.ndarray[Any, Any]) -> Any:
    """An array of numbers or objects as it is, a structured one as its columns, one value alone."""
    names = array.dtype.names
    if names is not None:
        return {name: array[name].copy() for name in names}
    return array.copy() if array.ndim or array.dtype.hasobject else array[()]


def extract_prediction(outputs: Outputs, result: Any) -> Any:
    """The prediction inside `result`, copied."""
    if outputs.select is not None:
        result = _select(result, outputs.select)
    return result if type(result) in PLAIN_TYPES else copy_result(result)


def _select(result: Any, select: Select) -> Any:
    if callable(select):
        return select(result)
    by_item = isinstance(result, Mapping) or is_prediction_frame(
        result
    )  # a frame has `mean` and `count`
    if isinstance(select, str) and not by_item and hasattr(result, select):
        return getattr(result, select)
    return result[select]
