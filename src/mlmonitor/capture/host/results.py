"""Copy results and columns, down to the depth at which values are read."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mlmonitor.capture.form import PLAIN_TYPES, Copied, PayloadForm
from mlmonitor.capture.frame_columns import copy_coded_column, copy_column
from mlmonitor.capture.frames import (
    frame_owner,
    is_frame,
    is_prediction_frame,
    package_of,
)
from mlmonitor.capture.host.copiers import ROW_COPIERS, is_value
from mlmonitor.capture.outputs import Outputs, Select
from mlmonitor.capture.values import UNREADABLE, CodedValues, unmask
from mlmonitor.errors import SchemaError

_SIMILARITY = 0.8  # lowest similarity at which a part's name is suggested for the declared one


def copy_columns(columns: Mapping[str, Any]) -> Copied:
    """Copy columns by name, as `record` receives them.

    The most frequent length is the number of rows. If no value is a column, the mapping is one row.
    """
    copies = {str(name): _copy_column(column) for name, column in columns.items()}
    lengths = Counter(len(copy) for copy in copies.values() if is_column(copy))
    if not lengths:
        return (PayloadForm.MAPPING, 1, copies) if copies else (PayloadForm.COLUMNS, 0, copies)
    rows, _ = max(lengths.items(), key=lambda item: (item[1], item[0]))
    return PayloadForm.COLUMNS, rows, copies


def is_column(value: object) -> bool:
    """Whether a copied value holds one value per row."""
    return isinstance(value, list | CodedValues) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def _copy_column(column: Any) -> Any:
    try:
        kind = type(column)
        if package_of(kind) is not None and not is_frame(kind) and not is_value(kind):
            return copy_coded_column(column)
        return copy_result(column)
    except Exception:  # noqa: BLE001 - a hostile column: the others are kept
        return UNREADABLE


def copy_result(value: Any) -> Any:
    """Copy `value` so that its owner can no longer change the copy.

    Scalars and frames keep their type, other collections become lists or arrays, and any other
    object with named values becomes a dict. UNREADABLE replaces parts that are not copied: an
    object inside an object, a container inside more than `ResultCopier.DEPTH` others, and elements
    beyond `ResultCopier.ELEMENTS`.
    """
    kind = type(value)
    if kind in PLAIN_TYPES:
        return value
    if kind is list and PLAIN_TYPES.issuperset(map(type, value)):
        return value.copy()
    if kind is dict and PLAIN_TYPES.issuperset(map(type, value.values())):
        return value.copy()
    if kind is np.ndarray:
        return _copy_array(value)
    return ResultCopier().copy(value, 0, is_inside=False)


class ResultCopier:
    """Copies one result, with a limit on the elements of nested objects.

    Price: each element of a result and of its rows or columns is visited once; at deeper levels
        and inside objects, at most `ELEMENTS` in total.
    """

    DEPTH = 2
    ELEMENTS = 100_000

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = self.ELEMENTS

    def copy(self, value: Any, depth: int, *, is_inside: bool) -> Any:
        """Copy `value`, which is nested in `depth` containers and may be inside an object."""
        kind = type(value)
        if kind in PLAIN_TYPES:
            return value
        try:
            if kind is list or kind is tuple:
                # the most frequent case, once a row: no avoidable step
                is_free = depth < self.DEPTH and not is_inside
                if is_free and PLAIN_TYPES.issuperset(map(type, value)):
                    return list(value)
                return self._copy_list(value, depth, is_inside=is_inside)
            return (
                value
                if is_value(kind)
                else self._copy_collection(value, depth, is_inside=is_inside)
            )
        except Exception:
            if depth == 0:
                raise
            return UNREADABLE  # a hostile element: the others are kept

    def _copy_collection(self, value: Any, depth: int, *, is_inside: bool) -> Any:
        kind = type(value)
        if isinstance(value, Mapping):
            return self._copy_mapping(value, depth, is_inside=is_inside)
        if isinstance(value, np.ndarray) or package_of(kind) is not None:
            return _copy_table(value)
        if _is_row(kind):
            return UNREADABLE if is_inside else self._copy_object(value, depth)
        if hasattr(kind, "__array__"):
            return _copy_array(np.array(value))
        return self._copy_list(value, depth, is_inside=is_inside)

    def _copy_mapping(self, value: Mapping[Any, Any], depth: int, *, is_inside: bool) -> Any:
        if not self._reserve(value, depth, is_inside=is_inside):
            return UNREADABLE
        return {key: self.copy(item, depth + 1, is_inside=is_inside) for key, item in value.items()}

    def _copy_list(self, values: Collection[Any], depth: int, *, is_inside: bool) -> Any:
        if not self._reserve(values, depth, is_inside=is_inside):
            return UNREADABLE
        if PLAIN_TYPES.issuperset(map(type, values)):
            return list(values)
        return [self.copy(value, depth + 1, is_inside=is_inside) for value in values]

    def _copy_object(self, row: Any, depth: int) -> Any:
        """Copy an object as a dict of its values, a tensor as an array."""
        form, _, payload = ROW_COPIERS[type(row)](row)
        match form:
            case PayloadForm.MAPPING:
                if not self._reserve(payload, depth, is_inside=False):
                    return UNREADABLE
                return {
                    key: self.copy(item, depth + 1, is_inside=True) for key, item in payload.items()
                }
            case PayloadForm.MAPPINGS | PayloadForm.SEQUENCE | PayloadForm.SEQUENCES:
                return self._copy_list(payload, depth, is_inside=False)
            case PayloadForm.MATRIX:
                return payload
            case PayloadForm.ARRAY:
                return np.frombuffer(payload[1], payload[0])
            case _:
                return UNREADABLE

    def _reserve(self, values: Collection[Any], depth: int, *, is_inside: bool) -> bool:
        """Reserve room for this many elements; return whether there was enough."""
        if depth > self.DEPTH:
            return False
        if depth == self.DEPTH or (is_inside and depth > 0):
            size = len(values)
            if size > self._left:
                return False
            self._left -= size
        return True


def _is_row(kind: type) -> bool:
    """Whether objects of this type hold named values, judged by the attributes of the type."""
    return issubclass(kind, np.void) or not issubclass(kind, Collection) or hasattr(kind, "_fields")


def _copy_table(value: Any) -> Any:
    """Copy an array, a frame, or a column of a frame."""
    if isinstance(value, np.ndarray):
        return _copy_array(unmask(value))
    return frame_owner(type(value))(value) if is_frame(type(value)) else copy_column(value)


def _copy_array(array: np.ndarray[Any, Any]) -> Any:
    """Copy an array; a structured one becomes columns, a zero-dimensional one its value."""
    names = array.dtype.names
    if names is not None:
        return {name: array[name].copy() for name in names}
    return array.copy() if array.ndim or array.dtype.hasobject else array[()]


def extract_prediction(outputs: Outputs, result: Any) -> Any:
    """Copy the prediction inside `result`; raise SchemaError if the selected part is not there."""
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
    try:
        return result[select]
    except (KeyError, IndexError, TypeError) as error:
        raise SchemaError(
            f"prediction={select!r}: the result has no such part; "
            f"it {_describe_parts(result, select)}"
        ) from error


def _describe_parts(result: Any, select: str | int) -> str:
    """Describe a result by its type and the number of its parts.

    Names of parts may be personal data; only one that is almost the declared name is shown.
    """
    if isinstance(result, Mapping) or is_prediction_frame(result):
        names = list(result) if isinstance(result, Mapping) else list(result.columns)
    else:
        names = [name for name in getattr(result, "__dict__", {}) if not name.startswith("_")]
    kind = type(result).__name__
    if names:
        from difflib import get_close_matches  # rarely needed, and slow to import

        texts = [name for name in names if isinstance(name, str)]
        similar = get_close_matches(str(select), texts, n=1, cutoff=_SIMILARITY)
        count = f"is one {kind} with {len(names)} named part{'s' * (len(names) > 1)}"
        return count + "".join(f"; did you mean {name!r}?" for name in similar)
    size = f" of {len(result)}" if isinstance(result, list | tuple | np.ndarray) else ""
    return f"is one {kind}{size}"
